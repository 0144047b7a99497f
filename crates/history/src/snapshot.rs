//! State of a partition up to a sequence number. It is only a shortcut: what it holds can be had again from the segments,
//! so a snapshot that cannot be trusted is passed over and an older one, or none, is taken.
//!
//! `snapshots/v=1/hub=<hub>/p<partition>/<epoch, 10 digits>_<last sequence number, 20 digits>.bin`: one byte of format,
//! eight bytes of length (little-endian), 32 bytes of SHA-256 of the content, the content.

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use sha2::{Digest, Sha256};

use crate::StoreError;
use crate::names::hub_folder;
use crate::store::{Created, Store};

const FORMAT: u8 = 1;
const HEAD: usize = 1 + 8 + 32;
/// Snapshots of a partition that a save leaves in place.
const KEPT: usize = 3;

/// A partition's state and the event up to which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Epoch of the hub.
    pub epoch: u32,
    /// Sequence number of the last event that is in it.
    pub last_sequence: i64,
    /// The content as it was saved.
    pub bytes: Bytes,
}

/// The snapshots of one hub; clones share the store.
#[derive(Clone, Debug)]
pub struct SnapshotStore {
    store: Store,
    hub: String,
}

impl SnapshotStore {
    /// The snapshots of a hub.
    pub fn new(store: Store, hub: impl Into<String>) -> Self {
        Self { store, hub: hub.into() }
    }

    fn folder(&self, partition: u32) -> String {
        format!("{}/p{partition}", hub_folder("snapshots", &self.hub))
    }

    /// Saves a snapshot and sweeps the partition's old ones, all but the newest three. One of the same event that is
    /// there already stays, unless it is damaged.
    ///
    /// # Errors
    /// [`StoreError`]; a failed sweep is only logged.
    pub async fn save(
        &self,
        partition: u32,
        epoch: u32,
        last_sequence: i64,
        content: &[u8],
    ) -> Result<Created, StoreError> {
        let path = format!("{}/{epoch:010}_{last_sequence:020}.bin", self.folder(partition));
        let framed = frame(content);
        let mut created = self.store.create(&path, framed.clone()).await?;
        if created == Created::AlreadyThere
            && self.store.read(&path).await?.as_ref().and_then(unframe).is_none()
        {
            tracing::warn!(path, "a damaged snapshot is replaced");
            self.store.delete(&path).await?;
            created = self.store.create(&path, framed).await?;
        }
        if let Err(error) = self.sweep(partition).await {
            tracing::warn!(%error, partition, "old snapshots stay until the next save");
        }
        Ok(created)
    }

    /// The newest snapshot that is whole.
    ///
    /// # Errors
    /// [`StoreError`] where the store does not answer.
    pub async fn latest(&self, partition: u32) -> Result<Option<Snapshot>, StoreError> {
        for (epoch, last_sequence, path) in self.list(partition).await?.into_iter().rev() {
            // None: another instance has swept it since, so a newer one is whole and this one is not missed.
            let Some(framed) = self.store.read(&path).await? else { continue };
            if let Some(bytes) = unframe(&framed) {
                return Ok(Some(Snapshot { epoch, last_sequence, bytes }));
            }
            tracing::warn!(path, "a damaged snapshot is passed over");
        }
        Ok(None)
    }

    /// Epoch and sequence number of the oldest snapshot that is kept: a cold start that has to fall back on it replays
    /// what is behind it.
    pub(crate) async fn oldest_kept(&self, partition: u32) -> Result<Option<(u32, i64)>, StoreError> {
        let all = self.list(partition).await?;
        let kept = &all[all.len().saturating_sub(KEPT)..];
        Ok(kept.first().map(|(epoch, last, _)| (*epoch, *last)))
    }

    /// Deletes all but the newest three snapshots of a partition; says how many went.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn sweep(&self, partition: u32) -> Result<usize, StoreError> {
        let all = self.list(partition).await?;
        let old = &all[..all.len().saturating_sub(KEPT)];
        for (_, _, path) in old {
            self.store.delete(path).await?;
        }
        Ok(old.len())
    }

    /// Epoch, sequence number and path, oldest first.
    async fn list(&self, partition: u32) -> Result<Vec<(u32, i64, String)>, StoreError> {
        let folder = self.folder(partition);
        let mut entries = self.store.entries(&folder, None)?;
        let mut found = Vec::new();
        while let Some(entry) = entries.next().await {
            let path = entry?.path;
            let stem =
                path.strip_prefix(&folder).and_then(|name| name.strip_prefix('/')?.strip_suffix(".bin"));
            let parts = stem.and_then(|stem| stem.split_once('_'));
            if let Some((Ok(epoch), Ok(last))) = parts.map(|(epoch, last)| (epoch.parse(), last.parse())) {
                found.push((epoch, last, path));
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

fn frame(content: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(HEAD + content.len());
    framed.put_u8(FORMAT);
    framed.put_u64_le(content.len() as u64);
    framed.put_slice(&Sha256::digest(content));
    framed.put_slice(content);
    framed.freeze()
}

/// The content, if every byte of it is as it was written.
fn unframe(framed: &Bytes) -> Option<Bytes> {
    let head = framed.get(..HEAD)?;
    let length = u64::from_le_bytes(head[1..9].try_into().ok()?);
    let content = framed.slice(HEAD..);
    let whole = head[0] == FORMAT
        && length == content.len() as u64
        && Sha256::digest(&content).as_slice() == &head[9..];
    whole.then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_whole_snapshot_is_taken() {
        let store = Store::memory();
        let snapshots = SnapshotStore::new(store.clone(), "plant");
        assert_eq!(snapshots.latest(0).await.unwrap(), None);
        for last in [9, 10, 100, 1_000] {
            assert_eq!(snapshots.save(0, 0, last, &last.to_le_bytes()).await.unwrap(), Created::New);
        }
        snapshots.save(1, 0, 5_000, b"other").await.unwrap();
        assert_eq!(snapshots.list(0).await.unwrap().len(), KEPT);
        assert_eq!(snapshots.save(0, 0, 1_000, b"again").await.unwrap(), Created::AlreadyThere);
        let latest = snapshots.latest(0).await.unwrap().unwrap();
        assert_eq!((latest.last_sequence, &latest.bytes[..]), (1_000, &1_000_i64.to_le_bytes()[..]));

        // A new epoch begins to count again and still is newer.
        snapshots.save(0, 1, 3, b"epoch 1").await.unwrap();
        assert_eq!(snapshots.latest(0).await.unwrap().unwrap().epoch, 1);

        let torn = format!("{}/0000000001_{:020}.bin", snapshots.folder(0), 50);
        store.create(&torn, frame(b"torn").slice(..20)).await.unwrap();
        let foreign = format!("{}/readme.bin", snapshots.folder(0));
        store.create(&foreign, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(snapshots.latest(0).await.unwrap().unwrap().bytes, "epoch 1");
        assert_eq!(
            snapshots.save(0, 1, 50, b"whole").await.unwrap(),
            Created::New,
            "a damaged one makes room"
        );
        assert_eq!(snapshots.latest(0).await.unwrap().unwrap().bytes, "whole");
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let whole = frame(b"state of a partition");
        assert_eq!(unframe(&whole).unwrap(), "state of a partition");
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1;
            assert_eq!(unframe(&damaged.into()), None, "byte {at}");
            assert_eq!(unframe(&whole.slice(..at)), None, "cut at {at}");
        }
    }
}
