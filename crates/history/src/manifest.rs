//! What compaction has published: the numbered document that says which files are the history, and which sequence
//! numbers are in them. Readers take these files and the segments that no manifest covers, nothing else.
//!
//! `manifests/v=1/hub=<hub>/000000123.json`. The highest number rules; a file that no manifest names does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twinwright_core::frame::SequenceRange;
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::coverage::Coverage;
use crate::names::{SegmentName, hub_folder};
use crate::numbered::NumberedDocuments;
use crate::registry::ColumnName;
use crate::store::{Created, Store};

/// Newest format that this version reads, and the one it writes.
pub const FORMAT: u32 = 1;
/// Manifests that a sweep leaves in place.
const KEPT: usize = 100;

/// A partition of the hub, as often as the hub was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Partition of the hub.
    pub partition: u32,
    /// Counts how often the hub was made anew.
    pub epoch: u32,
}

/// A calendar day (UTC) of event time; stray rows, whose event time is over a year away from the enqueued time, are
/// kept apart under the day on which they were enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DayKey {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Whether these are the stray rows.
    pub stray: bool,
}

/// One Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Full path.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Earliest event time.
    pub min_time: Micros,
    /// Latest event time.
    pub max_time: Micros,
    /// First device id, files are sorted by it.
    pub first_device: String,
    /// Last device id.
    pub last_device: String,
}

impl FileEntry {
    /// Whether it may have rows with `from <= time < to`.
    pub(crate) fn overlaps(&self, from: Micros, to: Micros) -> bool {
        self.rows > 0 && self.max_time >= from && self.min_time < to
    }

    /// Whether it may have rows of a device.
    pub(crate) fn may_have(&self, device: &str) -> bool {
        *self.first_device <= *device && *device <= *self.last_device
    }
}

/// The roll-ups of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollUps {
    /// Of one minute.
    pub minute: Vec<FileEntry>,
    /// Of one hour.
    pub hour: Vec<FileEntry>,
}

/// The files of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayEntry {
    /// Which day.
    #[serde(flatten)]
    pub key: DayKey,
    /// Values of signals in it.
    pub values: u64,
    /// Whether it was written whole after its end; until then it is appended to.
    #[serde(default)]
    pub sealed: bool,
    /// Files of rows; no row is in two.
    pub files: Vec<FileEntry>,
    /// Roll-ups of all its rows; none while the day is still appended to, and none for stray rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_ups: Option<RollUps>,
}

impl DayEntry {
    /// Rows of the day.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Every file, roll-ups too.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &String> {
        let rolled = self.roll_ups.iter().flat_map(|rolled| rolled.minute.iter().chain(&rolled.hour));
        self.files.iter().chain(rolled).map(|file| &file.path)
    }
}

/// Which sequence numbers of a source are in the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Whose.
    #[serde(flatten)]
    pub source: Source,
    /// Earliest enqueued time.
    pub since: Micros,
    /// Latest enqueued time.
    pub until: Micros,
    /// First and last numbers, ascending, apart.
    pub ranges: Vec<(i64, i64)>,
}

/// What was covered at a time, so that inputs are deleted a grace period later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoveredAt {
    /// When it was published.
    pub at: Micros,
    /// What.
    pub covered: Vec<Covered>,
}

/// A file that is history no longer; readers may still have it open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garbage {
    /// Full path.
    pub path: String,
    /// When the manifest without it was published.
    pub since: Micros,
}

/// An input that cannot be read: left where it is, tried again by each compaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// Full path.
    pub path: String,
    /// What is wrong.
    pub cause: String,
}

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its number, from its name.
    #[serde(skip)]
    pub number: u64,
    /// [`FORMAT`].
    pub format: u32,
    /// When it was published, by the compactor's clock.
    pub published: Micros,
    /// Number of the erasure document that its files obey.
    #[serde(default)]
    pub erasures: u64,
    /// Columns of all files, in their order; names are never given twice.
    pub columns: Vec<ColumnName>,
    /// What is in the files.
    pub covered: Vec<Covered>,
    /// What may be deleted among the segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<CoveredAt>,
    /// What may be deleted next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling: Option<CoveredAt>,
    /// The history, by day.
    pub days: Vec<DayEntry>,
    /// Files to delete.
    #[serde(default)]
    pub garbage: Vec<Garbage>,
    /// Segments that could not be read.
    #[serde(default)]
    pub damaged: Vec<Damaged>,
}

impl Manifest {
    /// The manifest before the first.
    pub(crate) fn empty() -> Self {
        Self {
            number: 0,
            format: FORMAT,
            published: 0,
            erasures: 0,
            columns: Vec::new(),
            covered: Vec::new(),
            settled: None,
            settling: None,
            days: Vec::new(),
            garbage: Vec::new(),
            damaged: Vec::new(),
        }
    }

    /// Coverage by source.
    pub(crate) fn coverage(&self) -> BTreeMap<Source, Coverage> {
        coverage(&self.covered)
    }

    /// The day's entry.
    pub(crate) fn day(&self, key: DayKey) -> Option<&DayEntry> {
        self.days.binary_search_by_key(&key, |day| day.key).ok().map(|at| &self.days[at])
    }

    /// Rows in all days.
    pub fn rows(&self) -> u64 {
        self.days.iter().map(DayEntry::rows).sum()
    }

    /// Paths of all files.
    pub(crate) fn paths(&self) -> BTreeSet<&str> {
        self.days.iter().flat_map(DayEntry::paths).map(String::as_str).collect()
    }
}

/// Whether a segment's name alone proves that all its events are covered. The name does not tell the epoch, so it
/// counts only where its enqueued time lies within one epoch's.
pub(crate) fn covers_name(covered: &[Covered], name: &SegmentName) -> bool {
    let mut ours = covered.iter().filter(|covered| {
        covered.source.partition == name.partition
            && covered.since <= name.first_enqueued.saturating_add(1_000)
            && name.first_enqueued <= covered.until
    });
    match (ours.next(), ours.next()) {
        (Some(one), None) => one.ranges.iter().any(|&(first, last)| first <= name.first && name.last <= last),
        _ => false,
    }
}

fn coverage(covered: &[Covered]) -> BTreeMap<Source, Coverage> {
    let each = covered.iter().map(|covered| {
        let mut coverage = Coverage::default();
        for &(first, last) in &covered.ranges {
            coverage.insert(SequenceRange { first, last });
        }
        (covered.source, coverage)
    });
    each.collect()
}

/// The manifests of a hub; clones share what they read last.
#[derive(Clone, Debug)]
pub struct Manifests {
    documents: NumberedDocuments,
    latest: Arc<Mutex<Option<Arc<Manifest>>>>,
}

impl Manifests {
    /// The manifests of a hub.
    pub fn new(store: Store, hub: &str) -> Self {
        let documents = NumberedDocuments::new(store, hub_folder("manifests", hub));
        Self { documents, latest: Arc::default() }
    }

    /// The manifest that rules; an empty one with number 0 before the first compaction.
    ///
    /// # Errors
    /// [`StoreError::Newer`] where a later version wrote it, [`StoreError::Corrupt`] where nobody did.
    pub async fn latest(&self) -> Result<Arc<Manifest>, StoreError> {
        let Some(number) = self.documents.highest_number().await? else {
            return Ok(Arc::new(Manifest::empty()));
        };
        let known = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.number == number) {
            return Ok(known);
        }
        let Some((number, bytes)) = self.documents.latest().await? else {
            return Ok(Arc::new(Manifest::empty()));
        };
        let manifest = Arc::new(parse(&self.documents.path(number), number, &bytes)?);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&manifest));
        Ok(manifest)
    }

    /// One manifest, `None` where it was swept.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn read(&self, number: u64) -> Result<Option<Manifest>, StoreError> {
        let Some(bytes) = self.documents.read(number).await? else { return Ok(None) };
        parse(&self.documents.path(number), number, &bytes).map(Some)
    }

    /// Takes the number behind the parent's; `false` where another compactor has taken it.
    pub(crate) async fn publish(&self, manifest: &Manifest) -> Result<bool, StoreError> {
        let bytes = serde_json::to_vec(manifest)
            .map_err(|error| StoreError::invalid(format!("the manifest cannot be stored: {error}")))?;
        let bytes = Bytes::from(bytes);
        if self.documents.create(manifest.number, bytes.clone()).await? == Created::New {
            return Ok(true);
        }
        // A write whose answer was lost may have landed.
        Ok(self.documents.read(manifest.number).await?.as_ref() == Some(&bytes))
    }

    /// Deletes all but the newest: old ones name the devices at the borders of files.
    pub(crate) async fn forget(&self) -> Result<usize, StoreError> {
        self.documents.sweep(1).await
    }

    /// Deletes old manifests.
    pub(crate) async fn sweep(&self) -> Result<usize, StoreError> {
        self.documents.sweep(KEPT).await
    }
}

fn parse(path: &str, number: u64, bytes: &Bytes) -> Result<Manifest, StoreError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let corrupt = |error: serde_json::Error| StoreError::corrupt(path, error);
    let head: Head = serde_json::from_slice(bytes).map_err(corrupt)?;
    if head.format > FORMAT {
        return Err(StoreError::Newer { path: path.to_owned(), format: head.format, known: FORMAT });
    }
    let mut manifest: Manifest = serde_json::from_slice(bytes).map_err(corrupt)?;
    manifest.number = number;
    manifest.days.sort_by_key(|day| day.key);
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::START;

    fn covered(epoch: u32, since: Micros, until: Micros, first: i64, last: i64) -> Covered {
        Covered { source: Source { partition: 0, epoch }, since, until, ranges: vec![(first, last)] }
    }

    #[test]
    fn a_name_counts_as_covered_only_within_one_epoch() {
        let name = |first, last, enqueued| SegmentName {
            hub: "plant".into(),
            partition: 0,
            first,
            last,
            first_enqueued: enqueued,
            min_time: 0,
            max_time: 0,
        };
        let old = covered(0, START, START + 1_000_000, 0, 100);
        let new = covered(1, START + 2_000_000, START + 3_000_000, 0, 50);
        let both = [old.clone(), new];
        assert!(covers_name(&both, &name(10, 100, START + 500_000)));
        assert!(!covers_name(&both, &name(10, 100, START + 2_500_000)), "the new hub's numbers end at 50");
        assert!(!covers_name(&both[..1], &name(10, 20, START + 2_500_000)), "it may be of a new hub");
        assert!(!covers_name(&both, &name(90, 101, START + 500_000)));
        let unclear = [old, covered(1, START, START + 1_000_000, 0, 100)];
        assert!(!covers_name(&unclear, &name(10, 20, START + 500_000)), "only the file can tell");
    }

    #[tokio::test]
    async fn a_manifest_of_a_later_version_is_refused() {
        let store = Store::memory();
        let manifests = Manifests::new(store.clone(), "plant");
        assert_eq!(manifests.latest().await.unwrap().number, 0);
        let mut first = Manifest { number: 1, ..Manifest::empty() };
        assert!(manifests.publish(&first).await.unwrap());
        assert!(manifests.publish(&first).await.unwrap(), "our own lost answer");
        first.published = 7;
        assert!(!manifests.publish(&first).await.unwrap(), "another compactor's");
        assert_eq!(manifests.latest().await.unwrap().published, 0);
        let newer = Bytes::from_static(b"{\"format\": 2, \"unknown\": []}");
        store.create("manifests/v=1/hub=plant/000000002.json", newer).await.unwrap();
        let error = manifests.latest().await.unwrap_err();
        assert!(matches!(error, StoreError::Newer { format: 2, known: 1, .. }), "{error}");
    }
}
