//! Erasure of a device's data on request. The numbered documents `erasures/v=1/hub=<hub>/000000001.json` say whose rows
//! are history no longer, so a segment that comes back by a replay stays erased. Which sequence numbers went, without
//! anything that was in them, is kept in `erased/v=1/hub=<hub>/`, so that a later proof of completeness still holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use twinwright_core::frame::SequenceRange;
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::compact::{CompactOptions, Compactor, list_segments};
use crate::coverage::Coverage;
use crate::dead_letter::{DeadLetter, DeadLetters};
use crate::manifest::{Manifests, Source};
use crate::names::{SegmentName, hub_folder};
use crate::numbered::NumberedDocuments;
use crate::numbers;
use crate::progress::Stage;
use crate::reader::{History, RowQuery};
use crate::rows;
use crate::scores::ScoreLog;
use crate::segment;
use crate::segments::SegmentLog;
use crate::store::Store;

/// A device whose rows are erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Device id.
    pub device: String,
    /// Rows enqueued before this are erased; what the device sends later is kept.
    pub before: Micros,
}

/// All erasures of a hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasures {
    /// Number of the document, 0 where nothing was erased.
    #[serde(skip)]
    pub number: u64,
    /// By device.
    pub erased: Vec<Erased>,
}

impl Erasures {
    /// The erasures that rule.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn latest(store: &Store, hub: &str) -> Result<Self, StoreError> {
        let documents = documents(store, hub);
        let Some((number, bytes)) = documents.latest().await? else { return Ok(Self::default()) };
        let mut erasures: Self = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::corrupt(&documents.path(number), error))?;
        erasures.number = number;
        Ok(erasures)
    }

    /// Records that a device's rows enqueued before a time are erased, and says what rules then. Readers leave them out
    /// from now on; the next compaction writes the days without them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn record(store: &Store, hub: &str, device: &str, before: Micros) -> Result<Self, StoreError> {
        let documents = documents(store, hub);
        let mut broken = None;
        let decide = |latest: Option<(u64, &Bytes)>| {
            let parsed =
                latest.map_or_else(|| Ok(Self::default()), |(_, bytes)| serde_json::from_slice(bytes));
            let mut erasures: Self = match parsed {
                Ok(erasures) => erasures,
                Err(error) => {
                    broken = Some(error.to_string());
                    return None;
                }
            };
            match erasures.erased.iter_mut().find(|erased| erased.device == device) {
                Some(erased) if erased.before >= before => return None,
                Some(erased) => erased.before = before,
                None => erasures.erased.push(Erased { device: device.to_owned(), before }),
            }
            serde_json::to_vec(&erasures).ok().map(Bytes::from)
        };
        documents.append(decide).await?;
        match broken {
            Some(cause) => Err(StoreError::corrupt(&hub_folder("erasures", hub), cause)),
            None => Self::latest(store, hub).await,
        }
    }

    /// Before when a device's rows are erased.
    pub fn before(&self, device: &str) -> Option<Micros> {
        self.erased.iter().find(|erased| erased.device == device).map(|erased| erased.before)
    }
}

/// What an erasure did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EraseReport {
    /// Rows that are gone from history.
    pub rows: u64,
    /// Files of days and roll-ups that were replaced, and are deleted.
    pub files: usize,
    /// Segments written without the device's rows.
    pub segments: usize,
    /// Batches of dead letters written without the device's.
    pub dead_letters: usize,
    /// Files of scores written without the device's.
    pub scores: usize,
}

/// Erases a device's rows enqueued before a time, from days, roll-ups, segments, dead letters and scores, and does not
/// wait for a grace period: a reader that has a replaced file open begins again. Made again after a kill it completes
/// what is left. Snapshots of partitions hold no rows.
///
/// # Errors
/// [`StoreError`]
pub async fn erase(
    store: &Store,
    hub: &str,
    device: &str,
    before: Micros,
    options: &CompactOptions,
) -> Result<EraseReport, StoreError> {
    let mut report = EraseReport::default();
    let history = History::new(store.clone(), hub);
    let mut numbers: BTreeMap<Source, Coverage> = BTreeMap::new();
    let query = RowQuery {
        from: Micros::MIN,
        to: Micros::MAX,
        devices: Some(BTreeSet::from([device.to_owned()])),
        columns: Some(BTreeSet::new()),
    };
    history
        .visit(&query, |rows| {
            for row in (0..rows.len()).filter(|&row| rows.enqueued()[row] < before) {
                let number = rows.sequences()[row];
                numbers
                    .entry(rows.source(row))
                    .or_default()
                    .insert(SequenceRange { first: number, last: number });
                report.rows += 1;
            }
            ControlFlow::Continue(())
        })
        .await?;
    let letters = DeadLetters::new(store.clone(), hub);
    let theirs = |letter: &DeadLetter| letter.device.as_deref() == Some(device) && letter.enqueued < before;
    // Dead letters do not say their epoch; a number too many in one of them hides no hole, because the letter was there.
    let epochs = history.manifest().await?;
    let mut affected = Vec::new();
    for batch in letters.list(None).await? {
        let all = letters.read(&batch.path).await?;
        for letter in all.iter().filter(|letter| theirs(letter)) {
            let number = SequenceRange { first: letter.sequence, last: letter.sequence };
            let mut ours =
                epochs.covered.iter().filter(|covered| covered.source.partition == letter.partition);
            let source = ours.rfind(|covered| covered.since <= letter.enqueued).map(|covered| covered.source);
            let source = source.unwrap_or(Source { partition: letter.partition, epoch: 0 });
            numbers.entry(source).or_default().insert(number);
        }
        if all.iter().any(theirs) {
            affected.push((batch, all));
        }
    }
    keep_numbers(store, hub, &format!("{device} {before}"), &numbers).await?;
    Erasures::record(store, hub, device, before).await?;
    let compactor = Compactor::new(store.clone(), hub);
    let options = CompactOptions { min_age: Micros::MIN, ..options.clone() };
    compactor.run(&options).await?;
    let manifest = history.manifest().await?;
    Manifests::new(store.clone(), hub).forget().await?;
    for garbage in &manifest.garbage {
        store.delete(&garbage.path).await?;
        report.files += 1;
    }
    let listed = list_segments(store, hub).await?;
    options.progress.begin(Stage::Erasing, listed.len() as u64);
    for listed in listed {
        report.segments += usize::from(erase_segment(store, hub, &listed.name, device, before).await?);
        options.progress.add(1);
    }
    for (batch, mut all) in affected {
        all.retain(|letter| !theirs(letter));
        letters.replace(&batch, &all).await?;
        report.dead_letters += 1;
    }
    report.scores = ScoreLog::new(store.clone(), hub).erase(device, before).await?;
    Ok(report)
}

/// Writes a segment again without the device's rows. Its rows are in the days' files by now, so a kill between the
/// deletion and the write loses nothing of history.
async fn erase_segment(
    store: &Store,
    hub: &str,
    name: &SegmentName,
    device: &str,
    before: Micros,
) -> Result<bool, StoreError> {
    let log = SegmentLog::new(store.clone(), hub);
    let (frame, metadata) = match log.load(name).await {
        Ok(segment) => segment,
        Err(StoreError::Corrupt { path, cause }) => {
            tracing::error!(path, cause, "a damaged segment may still have rows of an erased device");
            return Ok(false);
        }
        // Deleted by a compactor meanwhile.
        Err(StoreError::Unavailable { .. }) if store.read(&name.path()).await?.is_none() => return Ok(false),
        Err(error) => return Err(error),
    };
    let keep: Vec<bool> = (0..frame.rows())
        .map(|row| **frame.device_id(row) != *device || frame.enqueued[row] >= before)
        .collect();
    if keep.iter().all(|&keep| keep) {
        return Ok(false);
    }
    let kept = without_unused(rows::select(frame, &keep));
    let bytes = segment::encode(hub, &kept, &metadata)?;
    store.delete(&name.path()).await?;
    store.create(&name.path(), bytes).await?;
    Ok(true)
}

/// Drops device names that no row has: the name itself is the device's data.
fn without_unused(mut frame: twinwright_core::frame::Frame) -> twinwright_core::frame::Frame {
    let mut moved = vec![None; frame.devices.len()];
    let mut devices = Vec::new();
    for code in &mut frame.device {
        let old = *code as usize;
        let new = *moved[old].get_or_insert_with(|| {
            devices.push(std::sync::Arc::clone(&frame.devices[old]));
            u32::try_from(devices.len() - 1).unwrap_or(0)
        });
        *code = new;
    }
    frame.devices = devices;
    frame
}

/// Keeps numbers that have no row any more, under a name that follows from the reason.
pub(crate) async fn keep_numbers(
    store: &Store,
    hub: &str,
    reason: &str,
    ranges: &BTreeMap<Source, Coverage>,
) -> Result<(), StoreError> {
    if ranges.is_empty() {
        return Ok(());
    }
    let bytes = numbers::encode(ranges)
        .map_err(|error| StoreError::invalid(format!("the erased numbers cannot be stored: {error}")))?;
    let mut hash = Sha256::new();
    hash.update(reason.as_bytes());
    // What is found after a kill may be less than what was found before it: both are kept.
    hash.update(&bytes);
    let hash: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    store.create(&format!("{}/{hash}.parquet", hub_folder("erased", hub)), bytes).await.map(drop)
}

/// Numbers whose rows were erased, or went with their day.
pub(crate) async fn erased_numbers(
    store: &Store,
    hub: &str,
) -> Result<BTreeMap<Source, Coverage>, StoreError> {
    let mut ranges = BTreeMap::new();
    let mut entries = store.entries(&hub_folder("erased", hub), None)?;
    while let Some(entry) = entries.next().await {
        let path = entry?.path;
        let Some(bytes) = store.read(&path).await? else { continue };
        numbers::decode(bytes, &mut ranges).map_err(|cause| StoreError::corrupt(&path, cause))?;
    }
    Ok(ranges)
}

fn documents(store: &Store, hub: &str) -> NumberedDocuments {
    NumberedDocuments::new(store.clone(), hub_folder("erasures", hub))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::SegmentMetadata;
    use crate::testing::{START, frame};

    async fn bytes_with(store: &Store, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in store.list("", None, 10_000).await.unwrap() {
            let bytes = store.read(&entry.path).await.unwrap().unwrap();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(entry.path);
            }
        }
        found
    }

    #[tokio::test]
    async fn an_erased_device_is_nowhere_and_stays_so_when_it_is_replayed() {
        let store = Store::memory();
        let log = SegmentLog::new(store.clone(), "plant");
        let metadata = SegmentMetadata::default();
        for first in [0, 100, 200] {
            log.commit(&frame(0, first, first + 99), &metadata).await.unwrap();
        }
        let options = CompactOptions::new(START + 90 * 86_400_000_000);
        Compactor::new(store.clone(), "plant").run(&options).await.unwrap();
        log.commit(&frame(0, 300, 399), &metadata).await.unwrap();
        let letters = DeadLetters::new(store.clone(), "plant");
        let letter = |sequence, device: &str| DeadLetter {
            partition: 0,
            sequence,
            enqueued: START,
            device: Some(device.into()),
            code: "broken-json".into(),
            reason: "x".into(),
            body: Bytes::new(),
            properties: serde_json::Map::new(),
        };
        let range = SequenceRange { first: 400, last: 401 };
        letters.write(0, range, START, &[letter(400, "arm-1"), letter(401, "arm-2")]).await.unwrap();
        let report = erase(&store, "plant", "arm-1", START + 1_000_000 * 86_400, &options).await.unwrap();
        assert_eq!((report.rows, report.segments, report.dead_letters), (200, 4, 1), "{report:?}");
        let told = options.progress.standing();
        assert_eq!((told.stage, told.done, told.of), (Stage::Erasing, 4, 4));
        let left = bytes_with(&store, "arm-1").await;
        assert_eq!(left, ["erasures/v=1/hub=plant/000000001.json"], "only the order itself names it");
        let rows = async || {
            let query = RowQuery { from: Micros::MIN, to: Micros::MAX, ..RowQuery::default() };
            let (all, _) = History::new(store.clone(), "plant").read(&query, 10_000).await.unwrap();
            let devices = all.iter().flat_map(|rows| (0..rows.len()).map(|row| rows.device(row).to_string()));
            devices.collect::<Vec<_>>()
        };
        assert_eq!(rows().await, vec!["arm-2"; 200]);
        // A replay cuts other batches, with the erased rows in them.
        log.commit(&frame(0, 50, 249), &metadata).await.unwrap();
        log.commit(&frame(0, 350, 449), &metadata).await.unwrap();
        assert_eq!(rows().await, vec!["arm-2"; 225]);
        Compactor::new(store.clone(), "plant").run(&options).await.unwrap();
        assert_eq!(rows().await, vec!["arm-2"; 225]);
        let again = erase(&store, "plant", "arm-1", START + 1_000_000 * 86_400, &options).await.unwrap();
        assert_eq!((again.rows, again.dead_letters), (0, 0));
        assert_eq!(bytes_with(&store, "arm-1").await.len(), 1);
    }
}
