//! Objects under paths, created once and never changed: a folder, memory, Azure Blob Storage or Azurite.

mod azure;
#[cfg(target_os = "linux")]
mod direct;
mod folder;
mod listings;
mod patience;
mod url;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use twinwright_core::time::Micros;

use crate::StoreError;

pub use azure::{AzureConfig, AzureCredentialKind, BlobTokens, parse_connection_string};

/// Larger objects are not read: nothing that this crate writes comes near.
const LARGEST_OBJECT: u64 = 512 << 20;

/// Whether a create-only write found its name free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was free; the object is stored.
    New,
    /// An object of this name was there and is unchanged.
    AlreadyThere,
}

/// One listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Full path from the store's root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    Memory,
    Azure,
}

/// A folder of this machine.
#[derive(Clone, Debug)]
struct Near {
    root: PathBuf,
    /// Whether a file is on disk before its name counts.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only direct writes ask"))]
    sync: bool,
}

/// A place for objects; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    kind: Kind,
    near: Option<Near>,
    azure: Option<Arc<AzureConfig>>,
    listings: Arc<listings::Listings>,
}

impl Store {
    /// Objects in memory, gone with the last clone.
    pub fn memory() -> Self {
        let objects = Arc::new(object_store::memory::InMemory::new());
        Self { objects, kind: Kind::Memory, near: None, azure: None, listings: Arc::default() }
    }

    /// Objects of a store that the tests' faults wrap.
    #[cfg(any(test, feature = "conformance"))]
    pub fn wrap(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, kind: Kind::Memory, near: None, azure: None, listings: Arc::default() }
    }

    /// Stores the bytes if the name is free. The object appears whole or not at all, and is durable on return.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] leaves open whether it landed: call again, [`Created::AlreadyThere`] is success.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, StoreError> {
        self.create_payload(path, bytes.into()).await
    }

    /// [`Store::create`] of bytes in parts, which are not expected to be read again soon.
    pub(crate) async fn create_parts(&self, path: &str, parts: Vec<Bytes>) -> Result<Created, StoreError> {
        #[cfg(target_os = "linux")]
        if let Some(created) = self.create_direct(path, &parts).await? {
            return Ok(created);
        }
        self.create_payload(path, parts.into_iter().collect()).await
    }

    async fn create_payload(&self, path: &str, payload: PutPayload) -> Result<Created, StoreError> {
        let location = parse(path)?;
        let options = PutOptions::from(PutMode::Create);
        match self.objects.put_opts(&location, payload, options).await {
            Ok(_) => {
                if let Some(near) = &self.near {
                    folder::restrict_file(&near.root.join(path));
                }
                Ok(Created::New)
            }
            Err(error @ object_store::Error::AlreadyExists { .. }) => {
                if self.kind == Kind::Azure && !azure::is_taken(&error.to_string()) {
                    return Err(StoreError::Unavailable { path: path.to_owned(), cause: error.to_string() });
                }
                Ok(Created::AlreadyThere)
            }
            Err(error) => Err(StoreError::from_object_store(path, &error)),
        }
    }

    /// The object's bytes, or `None` where there is no such object.
    ///
    /// # Errors
    /// [`StoreError`]; an object above 512 MiB is [`StoreError::Corrupt`].
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let failed = |error: &object_store::Error| StoreError::from_object_store(path, error);
        let found = match self.objects.get(&parse(path)?).await {
            Ok(found) => found,
            Err(error @ object_store::Error::NotFound { .. }) => {
                let text = error.to_string();
                return if text.contains("ContainerNotFound") { Err(failed(&error)) } else { Ok(None) };
            }
            Err(error) => return Err(failed(&error)),
        };
        check_size(path, found.meta.size)?;
        found.bytes().await.map(Some).map_err(|error| failed(&error))
    }

    /// Whether objects are files of this machine, which [`Store::read_near`] reads.
    pub(crate) const fn is_near(&self) -> bool {
        self.near.is_some()
    }

    /// [`Store::read`] of a folder, by a thread that may wait: thousands of small files are read in the time that
    /// handing each to another thread would take. For what is not read again soon: the system forgets it.
    pub(crate) fn read_near(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        match &self.near {
            Some(near) => folder::read_once(&near.root, parse(path)?.as_ref()),
            None => Err(StoreError::invalid(format!("{path} is not in a folder of this machine"))),
        }
    }

    /// Ranges of the object's bytes, or `None` where there is no such object.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn read_ranges(
        &self,
        path: &str,
        ranges: &[Range<u64>],
    ) -> Result<Option<Vec<Bytes>>, StoreError> {
        let location = parse(path)?;
        match self.objects.get_ranges(&location, ranges).await {
            Ok(parts) => Ok(Some(parts)),
            Err(object_store::Error::NotFound { source, .. })
                if !source.to_string().contains("ContainerNotFound") =>
            {
                Ok(None)
            }
            Err(error) => {
                // Stores differ in what they say of a range behind the end; the length tells.
                let wanted = ranges.iter().map(|range| range.end).max().unwrap_or(0);
                match self.objects.head(&location).await {
                    Ok(found) if found.size < wanted => {
                        let cause = format!("it has {} bytes, {wanted} are expected", found.size);
                        Err(StoreError::corrupt(path, cause))
                    }
                    _ => Err(StoreError::from_object_store(path, &error)),
                }
            }
        }
    }

    /// At most `limit` objects below the folder `prefix`, by name, those behind `after` only (a full path; it need not
    /// exist). Ask again with the last path to page on.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut found = self.entries(prefix, after)?;
        while let Some(entry) = found.next().await {
            entries.push(entry?);
            // A blob service lists by name and can stop; a folder does not, so the smallest names are kept.
            if self.kind == Kind::Azure && entries.len() >= limit {
                break;
            }
            if entries.len() >= limit.saturating_mul(2).max(1024) {
                sort_and_cut(&mut entries, limit);
            }
        }
        sort_and_cut(&mut entries, limit);
        Ok(entries)
    }

    /// All objects below the folder `prefix` that come behind `after`, one by one, in no promised order.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a path that no object can have; the stream's items may fail too.
    pub fn entries(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<BoxStream<'static, Result<Entry, StoreError>>, StoreError> {
        let folder = parse_folder(prefix)?;
        let listed = match after {
            Some(after) => self.objects.list_with_offset(folder.as_ref(), &parse(after)?),
            None => self.objects.list(folder.as_ref()),
        };
        let prefix = prefix.to_owned();
        // Azurite ignores the start of a listing, so it is checked here again.
        let after = after.map(str::to_owned);
        let entries = listed.filter_map(move |found| {
            let entry = match found {
                Ok(meta) if after.as_deref().is_some_and(|after| meta.location.as_ref() <= after) => None,
                Ok(meta) => Some(Ok(Entry {
                    path: meta.location.to_string(),
                    size: meta.size,
                    modified: meta.last_modified.timestamp_micros(),
                })),
                Err(object_store::Error::NotFound { source, .. })
                    if !source.to_string().contains("ContainerNotFound") =>
                {
                    None
                }
                Err(error) => Some(Err(StoreError::from_object_store(&prefix, &error))),
            };
            futures::future::ready(entry)
        });
        Ok(entries.boxed())
    }

    /// Full paths of all objects below the folder `prefix`, in no promised order: what [`Store::entries`] lists, without
    /// sizes and times, which a folder would have to be asked for file by file.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn paths(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.paths_within(prefix, |_| true).await
    }

    /// [`Store::paths`] in folders of which this holds, all the way from the prefix. Only a folder leaves the others out.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn paths_within(
        &self,
        prefix: &str,
        within: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<String>, StoreError> {
        let walk = move |listings: &listings::Listings, root: &std::path::Path, prefix: &str| {
            listings.walk(root, prefix, &within)
        };
        if let Some(found) = self.listed_near(prefix, walk).await {
            return found;
        }
        let entries = self.entries(prefix, None)?;
        entries.map(|entry| entry.map(|entry| entry.path)).try_collect().await
    }

    /// Full paths of the folders directly below `prefix`, sorted.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let near = self.listed_near(prefix, |listings, root, prefix| {
            listings.of(root, prefix).map(|listing| listing.folders.clone())
        });
        if let Some(found) = near.await {
            return found;
        }
        match self.objects.list_with_delimiter(parse_folder(prefix)?.as_ref()).await {
            Ok(found) => {
                let mut folders: Vec<String> =
                    found.common_prefixes.iter().map(ToString::to_string).collect();
                folders.sort_unstable();
                Ok(folders)
            }
            Err(error) => Err(StoreError::from_object_store(prefix, &error)),
        }
    }

    /// Asks the listings of a folder, off the async threads; `None` where the store is none.
    async fn listed_near<T: Send + 'static>(
        &self,
        prefix: &str,
        ask: impl FnOnce(&listings::Listings, &std::path::Path, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Option<Result<T, StoreError>> {
        let root = self.near.as_ref()?.root.clone();
        let prefix = match parse_folder(prefix) {
            Ok(prefix) => prefix.map(|prefix| prefix.to_string()).unwrap_or_default(),
            Err(error) => return Some(Err(error)),
        };
        let listings = Arc::clone(&self.listings);
        let asked = tokio::task::spawn_blocking(move || ask(&listings, &root, &prefix)).await;
        Some(asked.unwrap_or_else(|error| {
            Err(StoreError::invalid(format!("the listing ended without an answer: {error}")))
        }))
    }

    /// Deletes the object; one that is not there is deleted already.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        match self.objects.delete(&parse(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::from_object_store(path, &error)),
        }
    }

    /// Makes the container where there is none yet; nothing to do for a folder or memory.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn prepare(&self) -> Result<(), StoreError> {
        match &self.azure {
            Some(config) => azure::create_container(config).await,
            None => Ok(()),
        }
    }
}

fn check_size(path: &str, size: u64) -> Result<(), StoreError> {
    if size <= LARGEST_OBJECT {
        return Ok(());
    }
    Err(StoreError::corrupt(path, format!("{size} bytes, more than anything stored here has")))
}

fn sort_and_cut(entries: &mut Vec<Entry>, limit: usize) {
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    entries.truncate(limit);
}

/// The empty prefix is the root.
fn parse_folder(prefix: &str) -> Result<Option<Path>, StoreError> {
    if prefix.is_empty() { Ok(None) } else { parse(prefix).map(Some) }
}

/// Object paths are ours, so one that a store would have to escape is a mistake of the caller.
fn parse(path: &str) -> Result<Path, StoreError> {
    let error = |cause: String| StoreError::invalid(format!("{path} is no valid object path ({cause})"));
    if path.is_empty() || path.starts_with('/') || path.ends_with('/') {
        return Err(error("it is empty, or starts or ends with /".to_owned()));
    }
    // Such names are the folder's own half-written files.
    if path.contains('#') {
        return Err(error("it contains #".to_owned()));
    }
    Path::parse(path).map_err(|cause| error(cause.to_string()))
}
