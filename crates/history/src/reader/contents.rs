//! What there is, told without reading rows: from the manifest and from the names of segments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twinwright_core::time::Micros;

use super::History;
use crate::StoreError;
use crate::compact::day_start;
use crate::names::SegmentName;
use crate::segment::Kind;
use crate::segments::SegmentLog;

/// Waiting segments that are opened for columns which no manifest knows yet: the newest.
const OPENED: usize = 4;
/// 86,400 seconds.
const DAY: Micros = 86_400_000_000;

/// How much there is of each day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Number of the manifest; 0 before the first compaction.
    pub manifest: u64,
    /// Earliest and latest event time; times that only a hostile clock has are left out where the name cannot tell.
    pub bounds: Option<(Micros, Micros)>,
    /// Rows by the start of the day; those of waiting segments by their earliest event.
    pub days: BTreeMap<Micros, u64>,
    /// Segments that wait for compaction.
    pub waiting: usize,
    /// Rows in them, at the most.
    pub waiting_rows: u64,
}

impl History {
    /// How much there is of each day.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn contents(&self) -> Result<Contents, StoreError> {
        let snapshot = self.snapshot(Micros::MIN, Micros::MAX).await?;
        let mut contents = Contents {
            manifest: snapshot.manifest.number,
            waiting: snapshot.segments.len(),
            ..Contents::default()
        };
        let widen = |contents: &mut Contents, low: Micros, high: Micros| {
            let (min, max) = contents.bounds.unwrap_or((low, high));
            contents.bounds = Some((min.min(low), max.max(high)));
        };
        // Stray rows have a clock that is years away: they would stretch the bounds over centuries.
        for day in snapshot.manifest.days.iter().filter(|day| !day.key.stray && day.rows() > 0) {
            contents.days.insert(day_start(day.key.day), day.rows());
            for file in &day.files {
                widen(&mut contents, file.min_time, file.max_time);
            }
        }
        for name in &snapshot.segments {
            let rows = name.last.abs_diff(name.first).saturating_add(1);
            contents.waiting_rows += rows;
            let near = |time: Micros| time.saturating_sub(name.first_enqueued).saturating_abs() < 366 * DAY;
            if near(name.min_time) && near(name.max_time) {
                let day = name.min_time - name.min_time.rem_euclid(DAY);
                *contents.days.entry(day).or_default() += rows;
                widen(&mut contents, name.min_time, name.max_time);
            }
        }
        Ok(contents)
    }

    /// Whether rows of a span may come out of order: their event time is over a year away from the enqueued time.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn has_strays(&self, from: Micros, to: Micros) -> Result<bool, StoreError> {
        let snapshot = self.snapshot(from, to).await?;
        let days = snapshot.manifest.days.iter().filter(|day| day.key.stray);
        let in_days = days.flat_map(|day| &day.files).any(|file| file.overlaps(from, to));
        // A waiting segment is asked by its name: near means that no row of it can be stray.
        let far = |time: Micros, enqueued: Micros| time.saturating_sub(enqueued).saturating_abs() > 360 * DAY;
        let waiting = |name: &SegmentName| {
            far(name.min_time, name.first_enqueued) || far(name.max_time, name.first_enqueued)
        };
        Ok(in_days || snapshot.segments.iter().any(waiting))
    }

    /// Signals and states that any row has, by kind and name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn columns(&self) -> Result<BTreeSet<(Kind, Arc<str>)>, StoreError> {
        let snapshot = self.snapshot(Micros::MIN, Micros::MAX).await?;
        let known = snapshot.manifest.columns.iter();
        let mut columns: BTreeSet<(Kind, Arc<str>)> =
            known.map(|column| (column.kind, Arc::clone(&column.name))).collect();
        let mut waiting = snapshot.segments;
        waiting.sort_by_key(|name| std::cmp::Reverse(name.first_enqueued));
        let log = SegmentLog::new(self.store.clone(), self.hub.as_str());
        for name in waiting.iter().take(OPENED) {
            // One that is compacted meanwhile is in the next manifest; a damaged one is told by every read.
            let Ok((frame, _)) = log.load(name).await else { continue };
            columns.extend(frame.signals.iter().map(|column| (Kind::Signal, Arc::clone(&column.name))));
            columns.extend(frame.states.iter().map(|column| (Kind::State, Arc::clone(&column.name))));
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::{CompactOptions, Compactor};
    use crate::segment::SegmentMetadata;
    use crate::store::Store;
    use crate::testing::{START, frame};

    #[tokio::test]
    async fn rows_are_counted_by_day_before_and_after_compaction() {
        let store = Store::memory();
        let log = SegmentLog::new(store.clone(), "plant");
        log.commit(&frame(0, 0, 99), &SegmentMetadata::default()).await.unwrap();
        let history = History::new(store.clone(), "plant");
        let before = history.contents().await.unwrap();
        assert_eq!((before.waiting, before.waiting_rows, before.manifest), (1, 100, 0));
        let options = CompactOptions { keep_for_replay: false, ..CompactOptions::new(START + 9 * DAY) };
        Compactor::new(store, "plant").run(&options).await.unwrap();
        let after = history.contents().await.unwrap();
        assert_eq!((after.waiting, after.manifest), (0, 1));
        assert_eq!(before.days, after.days);
        assert_eq!(after.bounds, Some((START, START + 99 * 1_000_000)));
        let columns = history.columns().await.unwrap();
        assert_eq!(columns, BTreeSet::from([(Kind::Signal, "speed".into())]));
    }
}
