//! Scores beside the segments: `scores/…` under the segment's own name, so that a reader finds one from the other and
//! chooses by time without opening files. They can be rebuilt by scoring the segments again.
//!
//! Columns: `device_id`, `ts` (µs UTC), `seq`, `partition`, `score` (null where the row has none), `status` (the byte of
//! [`twinwright_core::scoring::status`]), `scorer`, `baseline`, `top_signal` (null where there is none).

mod file;
mod rows;

use futures::StreamExt;
use twinwright_core::frame::SequenceRange;
use twinwright_core::time::Micros;

use self::file::{decode, encode};
pub use self::rows::{ScoreRows, TextColumn};
use crate::StoreError;
use crate::coverage::Coverage;
use crate::names::SegmentName;
use crate::rows::LONGEST_SPAN;
use crate::segments::list_names;
use crate::store::{Created, Store};

const FETCHES: usize = 8;

/// The scores of one hub; clones share the store.
#[derive(Clone, Debug)]
pub struct ScoreLog {
    store: Store,
    hub: String,
}

impl ScoreLog {
    /// The scores of a hub.
    pub fn new(store: Store, hub: impl Into<String>) -> Self {
        Self { store, hub: hub.into() }
    }

    /// Stores the scores of a segment's rows.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn write(&self, segment: &SegmentName, rows: &ScoreRows) -> Result<Created, StoreError> {
        self.store.create(&segment.scores_path(), encode(rows)?).await
    }

    /// Scores with `from <= time < to` of a device, or of all, in the order in which the events were enqueued; a row that
    /// several files have counts once. Damaged files are logged and passed over: scores can be rebuilt.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn read(
        &self,
        device: Option<&str>,
        from: Micros,
        to: Micros,
    ) -> Result<ScoreRows, StoreError> {
        // As for segments: an hour of span, and an hour for clocks that are ahead.
        let first_folder = from.saturating_sub(2 * LONGEST_SPAN);
        let overlaps = |name: &SegmentName| name.overlaps(from, to);
        let names = list_names(&self.store, "scores", &self.hub, Some(first_folder), overlaps).await?;
        let mut files = futures::stream::iter(names)
            .map(|name| async move { (self.store.read(&name.scores_path()).await, name) })
            .buffered(FETCHES);
        let mut out = ScoreRows::default();
        let mut seen: std::collections::HashMap<u32, Coverage> = std::collections::HashMap::new();
        // A hub that was made anew counts from the start, later: its rows are other rows.
        let mut newest: std::collections::HashMap<u32, (i64, Micros)> = std::collections::HashMap::new();
        while let Some((bytes, name)) = files.next().await {
            let Some(bytes) = bytes? else { continue };
            let rows = match decode(bytes) {
                Ok(rows) => rows,
                Err(cause) => {
                    tracing::warn!(path = name.scores_path(), cause, "damaged scores are passed over");
                    continue;
                }
            };
            let coverage = seen.entry(name.partition).or_default();
            let last = newest.entry(name.partition).or_insert((name.last, name.first_enqueued));
            if name.last < last.0 && name.first_enqueued > last.1.saturating_add(LONGEST_SPAN) {
                *coverage = Coverage::default();
            }
            *last = (name.last, name.first_enqueued);
            for row in 0..rows.rows() {
                let wanted =
                    device.is_none_or(|device| rows.device.get(row).is_some_and(|of| **of == *device));
                if wanted && (from..to).contains(&rows.time[row]) && !coverage.contains(rows.sequence[row]) {
                    out.push(&rows, row);
                }
            }
            coverage.insert(SequenceRange { first: name.first, last: name.last });
        }
        Ok(out)
    }
}

impl ScoreLog {
    /// Writes files again without a device's scores of events before a time; says how many. Scores can be rebuilt, so a
    /// kill in between loses nothing for good.
    pub(crate) async fn erase(&self, device: &str, before: Micros) -> Result<usize, StoreError> {
        let mut changed = 0;
        for name in list_names(&self.store, "scores", &self.hub, None, |_| true).await? {
            let path = name.scores_path();
            let Some(bytes) = self.store.read(&path).await? else { continue };
            let rows = match decode(bytes) {
                Ok(rows) => rows,
                Err(cause) => {
                    tracing::warn!(path, cause, "damaged scores may still name an erased device");
                    continue;
                }
            };
            let mut kept = ScoreRows::default();
            for row in 0..rows.rows() {
                if rows.device.get(row).is_none_or(|of| **of != *device) || rows.time[row] >= before {
                    kept.push(&rows, row);
                }
            }
            if kept.rows() < rows.rows() {
                self.store.delete(&path).await?;
                self.store.create(&path, encode(&kept)?).await?;
                changed += 1;
            }
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::testing::{START, frame};
    use twinwright_core::frame::Frame;

    fn column(rows: usize, text: impl Fn(usize) -> Option<Arc<str>>) -> TextColumn {
        let mut column = TextColumn::default();
        (0..rows).for_each(|row| column.push(text(row).as_ref()));
        column
    }

    fn scored(frame: &Frame) -> ScoreRows {
        let rows = frame.rows();
        let score = |row: usize| if row == 0 { f64::NAN } else { 0.5 };
        ScoreRows {
            device: column(rows, |row| Some(Arc::clone(frame.device_id(row)))),
            time: frame.time.clone(),
            sequence: frame.sequence.clone(),
            partition: vec![frame.partition; rows],
            score: (0..rows).map(score).collect(),
            status: (0..rows).map(|row| u8::from(row == 0)).collect(),
            scorer: TextColumn::filled(&"ewma-chart@1.0.0".into(), rows),
            baseline: TextColumn::filled(&"arm@7".into(), rows),
            top_signal: column(rows, |row| (row > 0).then(|| "speed".into())),
        }
    }

    #[tokio::test]
    async fn scores_are_read_back_once_by_device_and_time() {
        let store = Store::memory();
        let log = ScoreLog::new(store.clone(), "plant");
        for (first, last) in [(1, 20), (15, 40), (41, 60)] {
            let frame = frame(0, first, last);
            let name = SegmentName::of("plant", &frame);
            assert_eq!(log.write(&name, &scored(&frame)).await.unwrap(), Created::New);
            assert_eq!(log.write(&name, &scored(&frame)).await.unwrap(), Created::AlreadyThere);
        }
        let damaged = SegmentName::of("plant", &frame(0, 61, 80)).scores_path();
        store.create(&damaged, Bytes::from_static(b"PAR1 torn")).await.unwrap();
        let all = log.read(None, Micros::MIN, Micros::MAX).await.unwrap();
        assert_eq!(all.sequence, (1..=60).collect::<Vec<_>>());
        assert!(all.score[0].is_nan() && all.status[0] == 1 && all.top_signal.get(0).is_none());
        assert_eq!((all.score[1], all.top_signal.get(1).map(|top| &**top)), (0.5, Some("speed")));
        assert_eq!(
            (&**all.scorer.get(5).unwrap(), &**all.baseline.get(5).unwrap()),
            ("ewma-chart@1.0.0", "arm@7")
        );
        let second = 1_000_000;
        let some = log.read(Some("arm-1"), START + 18 * second, START + 23 * second).await.unwrap();
        assert_eq!(some.sequence, [19, 21]);
    }

    #[test]
    fn columns_of_different_length_are_refused() {
        let mut rows = scored(&frame(0, 0, 3));
        rows.status.pop();
        assert!(matches!(encode(&rows), Err(StoreError::Invalid { .. })));
    }
}
