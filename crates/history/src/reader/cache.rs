//! Files never change, so what was read of them stays true: footers in memory, and of the warm days whole files in a local
//! folder.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;

use crate::StoreError;
use crate::parquet_file::Footer;
use crate::store::Store;

/// Bytes of footers in memory.
const FOOTERS: usize = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct FooterCache {
    inner: Mutex<Footers>,
}

#[derive(Debug, Default)]
struct Footers {
    known: HashMap<String, (Footer, u64, usize)>,
    clock: u64,
    bytes: usize,
}

impl FooterCache {
    pub(super) fn get(&self, path: &str) -> Option<Footer> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let clock = inner.clock;
        let (footer, used, _) = inner.known.get_mut(path)?;
        *used = clock;
        Some(footer.clone())
    }

    pub(super) fn put(&self, path: &str, footer: &Footer) {
        let bytes = footer.parquet().memory_size() + path.len();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let clock = inner.clock;
        if let Some((_, _, old)) = inner.known.insert(path.to_owned(), (footer.clone(), clock, bytes)) {
            inner.bytes -= old;
        }
        inner.bytes += bytes;
        while inner.bytes > FOOTERS && inner.known.len() > 1 {
            let oldest =
                inner.known.iter().min_by_key(|(_, (_, used, _))| *used).map(|(path, _)| path.clone());
            let Some((_, _, bytes)) = oldest.and_then(|path| inner.known.remove(&path)) else { break };
            inner.bytes -= bytes;
        }
    }
}

/// Files of a far store in a local folder, up to a size; those that were not read for longest go first.
#[derive(Debug)]
pub struct WarmCache {
    local: Store,
    limit: u64,
    inner: Mutex<Warm>,
}

#[derive(Debug, Default)]
struct Warm {
    known: HashMap<String, (u64, u64)>,
    clock: u64,
    bytes: u64,
    hits: u64,
    misses: u64,
}

/// What a cache holds and how it was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmReport {
    /// Files in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Reads answered by it.
    pub hits: u64,
    /// Reads that fetched a file first.
    pub misses: u64,
}

impl WarmCache {
    /// Takes what an earlier process left in the folder.
    ///
    /// # Errors
    /// [`StoreError`] where the folder cannot be used.
    pub async fn open(folder: impl AsRef<Path>, limit: u64) -> Result<Self, StoreError> {
        let local = Store::folder_unsynced(folder)?;
        let mut warm = Warm::default();
        let mut entries = local.entries("", None)?;
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            warm.bytes += entry.size;
            warm.known.insert(entry.path, (entry.size, 0));
        }
        Ok(Self { local, limit, inner: Mutex::new(warm) })
    }

    /// What it holds.
    pub fn report(&self) -> WarmReport {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        WarmReport { files: inner.known.len(), bytes: inner.bytes, hits: inner.hits, misses: inner.misses }
    }

    /// Ranges of a file, which is fetched whole first where it is not here; `None` where it is gone from the far store
    /// too, or does not fit.
    pub(super) async fn ranges(
        &self,
        far: &Store,
        path: &str,
        size: u64,
        ranges: &[Range<u64>],
    ) -> Result<Option<Vec<Bytes>>, StoreError> {
        if size > self.limit / 2 {
            return Ok(None);
        }
        if self.touch(path, size) {
            if let Ok(Some(parts)) = self.local.read_ranges(path, ranges).await
                && parts.iter().zip(ranges).all(|(part, range)| part.len() as u64 == range.end - range.start)
            {
                return Ok(Some(parts));
            }
            // Torn by a power cut, or taken away by someone: fetch it again.
            self.forget(path).await;
        }
        let Some(bytes) = far.read(path).await? else { return Ok(None) };
        if bytes.len() as u64 != size {
            return Err(StoreError::corrupt(path, "it is not as long as the manifest says"));
        }
        let cut = |range: &Range<u64>| {
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            bytes.slice(place(range.start)..place(range.end))
        };
        let parts = ranges.iter().map(cut).collect();
        // A full local disk slows reads down and fails none.
        if let Err(error) = self.local.create(path, bytes.clone()).await {
            tracing::warn!(%error, path, "a file cannot be kept in the warm cache");
        } else {
            self.keep(path, size).await;
        }
        Ok(Some(parts))
    }

    fn touch(&self, path: &str, size: u64) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let clock = inner.clock;
        let hit = match inner.known.get_mut(path) {
            Some((known, used)) if *known == size => {
                *used = clock;
                true
            }
            _ => false,
        };
        if hit {
            inner.hits += 1
        } else {
            inner.misses += 1
        }
        hit
    }

    async fn forget(&self, path: &str) {
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((size, _)) = inner.known.remove(path) {
                inner.bytes -= size;
            }
        }
        if let Err(error) = self.local.delete(path).await {
            tracing::warn!(%error, path, "a file of the warm cache cannot be deleted");
        }
    }

    async fn keep(&self, path: &str, size: u64) {
        let mut gone = Vec::new();
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.clock += 1;
            let clock = inner.clock;
            if let Some((old, _)) = inner.known.insert(path.to_owned(), (size, clock)) {
                inner.bytes -= old;
            }
            inner.bytes += size;
            let mut left = inner.bytes;
            let mut oldest: Vec<(u64, u64, String)> =
                inner.known.iter().map(|(path, (size, used))| (*used, *size, path.clone())).collect();
            oldest.sort_unstable();
            for (_, size, path) in oldest {
                if left <= self.limit {
                    break;
                }
                left -= size;
                gone.push(path);
            }
        }
        for path in gone {
            self.forget(&path).await;
        }
    }
}
