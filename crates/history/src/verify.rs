//! Proof that nothing is missing and nothing is there twice: every sequence number of every partition and epoch is in a
//! day file, a segment or a dead letter, or was erased, or is a recorded gap.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use twinwright_core::frame::SequenceRange;
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::coverage::Coverage;
use crate::dead_letter::DeadLetters;
use crate::erase;
use crate::import::FIRST_PARTITION;
use crate::manifest::Source;
use crate::numbers::Numbers;
use crate::reader::{History, RowQuery};
use crate::store::Store;

/// Doubles that are named; there are none, or something is very wrong.
const NAMED: usize = 100;

/// What is known to be missing, by the keeper of the partition's state.
#[derive(Clone, Debug, Default)]
pub struct KnownGaps {
    /// Ranges that no instance ever received.
    pub gaps: BTreeMap<Source, Vec<SequenceRange>>,
}

/// What was found of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceReport {
    /// Lowest and highest number that anything has.
    pub bounds: Option<SequenceRange>,
    /// Numbers with rows.
    pub rows: u64,
    /// Numbers with a dead letter.
    pub dead_letters: u64,
    /// Numbers that were erased.
    pub erased: u64,
    /// Numbers in recorded gaps.
    pub gaps: u64,
    /// Numbers that nothing has, as ranges.
    pub holes: Vec<SequenceRange>,
    /// Numbers whose row is there twice, the first hundred.
    pub doubles: Vec<i64>,
    /// How many numbers are there twice.
    pub double_count: u64,
}

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// By partition and epoch.
    pub sources: BTreeMap<Source, SourceReport>,
    /// Files and segments that could not be read: holes may be in them.
    pub damaged: Vec<String>,
}

impl VerifyReport {
    /// Whether every number is there once.
    pub fn is_whole(&self) -> bool {
        self.damaged.is_empty()
            && self.sources.values().all(|source| source.holes.is_empty() && source.double_count == 0)
    }
}

/// Reads every row's number. Memory is bounded by the disorder: blocks of numbers that are complete become ranges.
///
/// # Errors
/// [`StoreError`]
pub async fn verify(store: &Store, hub: &str, known: &KnownGaps) -> Result<VerifyReport, StoreError> {
    let history = History::new(store.clone(), hub);
    let mut report = VerifyReport::default();
    let mut numbers: BTreeMap<Source, Numbers> = BTreeMap::new();
    let mut again: BTreeMap<Source, BTreeSet<i64>> = BTreeMap::new();
    let query = RowQuery {
        from: Micros::MIN,
        to: Micros::MAX,
        columns: Some(BTreeSet::new()),
        ..RowQuery::default()
    };
    let visited = history
        .visit(&query, |rows| {
            for (row, &sequence) in rows.sequences().iter().enumerate() {
                let source = rows.source(row);
                if !numbers.entry(source).or_default().insert(sequence) {
                    again.entry(source).or_default().insert(sequence);
                }
            }
            ControlFlow::Continue(())
        })
        .await?;
    report.damaged = visited.damaged;
    let doubles = if again.is_empty() { BTreeMap::new() } else { doubles(&history, &query, &again).await? };
    let letters = dead_letters(store, hub, &mut report.damaged).await?;
    let erased = erase::erased_numbers(store, hub).await?;
    let epochs = Epochs::of(&history).await?;
    let mut known_of: BTreeMap<Source, Coverage> = BTreeMap::new();
    for (source, numbers) in numbers {
        let entry = report.sources.entry(source).or_default();
        entry.rows = numbers.count();
        known_of.insert(source, numbers.into_coverage());
    }
    for (partition, sequence, enqueued) in letters {
        let source = epochs.source(partition, enqueued);
        report.sources.entry(source).or_default().dead_letters += 1;
        known_of.entry(source).or_default().insert(SequenceRange { first: sequence, last: sequence });
    }
    for (source, ranges) in erased {
        let entry = report.sources.entry(source).or_default();
        entry.erased = ranges.ranges().map(length).sum();
        known_of.entry(source).or_default().extend(&ranges);
    }
    for (source, known) in &mut known_of {
        let entry = report.sources.entry(*source).or_default();
        entry.bounds = bounds(known);
        entry.holes = known.holes();
    }
    for (source, gaps) in &known.gaps {
        let Some(coverage) = known_of.get_mut(source) else { continue };
        let entry = report.sources.entry(*source).or_default();
        for &gap in gaps {
            entry.gaps += length(gap);
            coverage.insert(gap);
        }
        entry.holes = coverage.holes();
    }
    // The numbers of an imported file count its rows, also those that were refused and named then.
    for (source, entry) in &mut report.sources {
        if source.partition >= FIRST_PARTITION {
            entry.holes.clear();
        }
    }
    for (source, found) in doubles {
        let entry = report.sources.entry(source).or_default();
        entry.double_count = found.len() as u64;
        entry.doubles = found.into_iter().take(NAMED).collect();
    }
    Ok(report)
}

/// Which of these numbers have a row twice. An array that was unrolled gives several rows of one number; they differ in
/// time or device.
async fn doubles(
    history: &History,
    query: &RowQuery,
    again: &BTreeMap<Source, BTreeSet<i64>>,
) -> Result<BTreeMap<Source, Vec<i64>>, StoreError> {
    let mut seen = BTreeSet::new();
    let mut doubles: BTreeMap<Source, Vec<i64>> = BTreeMap::new();
    let look = |rows: crate::Rows| {
        for (row, &sequence) in rows.sequences().iter().enumerate() {
            let source = rows.source(row);
            if again.get(&source).is_some_and(|numbers| numbers.contains(&sequence))
                && !seen.insert((source, sequence, rows.times()[row], Arc::clone(rows.device(row))))
            {
                doubles.entry(source).or_default().push(sequence);
            }
        }
        ControlFlow::Continue(())
    };
    history.visit(query, look).await?;
    Ok(doubles)
}

fn length(range: SequenceRange) -> u64 {
    range.last.abs_diff(range.first).saturating_add(1)
}

fn bounds(coverage: &Coverage) -> Option<SequenceRange> {
    let first = coverage.ranges().next()?.first;
    let last = coverage.ranges().last()?.last;
    Some(SequenceRange { first, last })
}

async fn dead_letters(
    store: &Store,
    hub: &str,
    damaged: &mut Vec<String>,
) -> Result<Vec<(u32, i64, Micros)>, StoreError> {
    let letters = DeadLetters::new(store.clone(), hub);
    let mut found = Vec::new();
    for batch in letters.list(None).await? {
        match letters.read(&batch.path).await {
            Ok(batch) => {
                found.extend(batch.iter().map(|letter| (letter.partition, letter.sequence, letter.enqueued)))
            }
            Err(StoreError::Corrupt { path, .. }) => damaged.push(path),
            Err(error) => return Err(error),
        }
    }
    // A replay writes the same letters under another name.
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Which epoch an enqueued time belongs to: dead letters do not say.
struct Epochs(Vec<(Source, Micros)>);

impl Epochs {
    async fn of(history: &History) -> Result<Self, StoreError> {
        let manifest = history.manifest().await?;
        let mut starts: Vec<(Source, Micros)> =
            manifest.covered.iter().map(|covered| (covered.source, covered.since)).collect();
        starts.sort_by_key(|(source, since)| (source.partition, *since));
        Ok(Self(starts))
    }

    fn source(&self, partition: u32, enqueued: Micros) -> Source {
        let ours = self.0.iter().filter(|(source, _)| source.partition == partition);
        let started = ours.clone().rfind(|(_, since)| *since <= enqueued.saturating_add(1_000));
        let first = || self.0.iter().find(|(source, _)| source.partition == partition);
        started.or_else(first).map_or(Source { partition, epoch: 0 }, |(source, _)| *source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::{CompactOptions, Compactor};
    use crate::dead_letter::DeadLetter;
    use crate::segment::SegmentMetadata;
    use crate::segments::SegmentLog;
    use crate::testing::{START, frame};

    #[tokio::test]
    async fn holes_dead_letters_gaps_and_erased_numbers_are_told_apart() {
        let store = Store::memory();
        let log = SegmentLog::new(store.clone(), "plant");
        for (first, last) in [(1, 50), (40, 80), (91, 100)] {
            log.commit(&frame(0, first, last), &SegmentMetadata::default()).await.unwrap();
        }
        let mut with_letters = frame(0, 101, 110);
        with_letters.range = SequenceRange { first: 101, last: 112 };
        log.commit(&with_letters, &SegmentMetadata::default()).await.unwrap();
        let letter = |sequence| DeadLetter {
            partition: 0,
            sequence,
            enqueued: START + sequence * 1_000_000,
            device: None,
            code: "broken-json".into(),
            reason: "x".into(),
            body: bytes::Bytes::new(),
            properties: serde_json::Map::new(),
        };
        let letters = DeadLetters::new(store.clone(), "plant");
        let range = SequenceRange { first: 101, last: 112 };
        letters.write(0, range, START, &[letter(111), letter(112)]).await.unwrap();
        let source = Source { partition: 0, epoch: 0 };
        let check = async |known: &KnownGaps| verify(&store, "plant", known).await.unwrap();
        let before = check(&KnownGaps::default()).await;
        let options =
            CompactOptions { keep_for_replay: false, ..CompactOptions::new(START + 90 * 86_400_000_000) };
        Compactor::new(store.clone(), "plant").run(&options).await.unwrap();
        let after = check(&KnownGaps::default()).await;
        assert_eq!(before, after);
        let found = &after.sources[&source];
        assert_eq!((found.rows, found.dead_letters, found.double_count), (100, 2, 0));
        assert_eq!(found.bounds, Some(SequenceRange { first: 1, last: 112 }));
        assert_eq!(found.holes, [SequenceRange { first: 81, last: 90 }]);
        assert!(!after.is_whole());
        let gaps = BTreeMap::from([(source, vec![SequenceRange { first: 81, last: 90 }])]);
        let known = KnownGaps { gaps };
        assert!(check(&known).await.is_whole());
        let erased = erase::erase(&store, "plant", "arm-1", Micros::MAX, &options).await.unwrap();
        assert_eq!(erased.rows, 50);
        let report = check(&known).await;
        assert!(report.is_whole(), "{report:?}");
        assert_eq!((report.sources[&source].rows, report.sources[&source].erased), (50, 50));
    }
}
