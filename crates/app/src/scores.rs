//! Scores into side files beside the segments, some seconds' worth each. A cold start scores again what came after the
//! newest snapshot, so only a snapshot waits for them: what a kill takes away is written by the next start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::warn;
use twinwright_core::frame::Frame;
use twinwright_core::scoring::status;
use twinwright_history::names::SegmentName;
use twinwright_history::scores::{ScoreLog, ScoreRows};
use twinwright_history::store::Store;

use crate::partition::apply::ModelScores;

/// How often scores are written.
const INTERVAL: Duration = Duration::from_secs(2);
/// Rows of a partition kept in memory at the most, as where the store is away; beyond it they are dropped, since they can
/// be rebuilt.
const MAX_ROWS: usize = 500_000;

/// Scores waiting for their file.
pub struct ScoreBuffer {
    log: ScoreLog,
    hub: String,
    waiting: Mutex<HashMap<u32, Vec<Waiting>>>,
    /// Held while files are written: a snapshot must not pass what the timer has taken and not yet written.
    writing: tokio::sync::Mutex<()>,
}

/// Scores of events without a hole between them, and the name of their file: what they span. A reader takes a file for
/// all that its name spans.
struct Waiting {
    name: SegmentName,
    rows: ScoreRows,
}

impl std::fmt::Debug for ScoreBuffer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ScoreBuffer").finish_non_exhaustive()
    }
}

impl ScoreBuffer {
    /// Starts the task that writes; it ends with the buffer.
    pub fn start(store: Store, hub: &str) -> Arc<Self> {
        let buffer = Arc::new(Self {
            log: ScoreLog::new(store, hub),
            hub: hub.to_owned(),
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        });
        let weak = Arc::downgrade(&buffer);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                let Some(buffer) = weak.upgrade() else { return };
                buffer.flush().await;
            }
        });
        buffer
    }

    /// The files.
    pub fn log(&self) -> &ScoreLog {
        &self.log
    }

    /// Takes the scores of a frame's rows.
    pub fn add(&self, frame: &Frame, scores: &[ModelScores]) {
        let mut all = self.lock();
        let name = SegmentName::of(&self.hub, frame);
        let runs = all.entry(frame.partition).or_default();
        let new: usize = scores.iter().map(|scored| scored.rows.len()).sum();
        if runs.iter().map(|run| run.rows.rows()).sum::<usize>() + new > MAX_ROWS {
            return;
        }
        if runs.last().is_none_or(|run| run.name.last.checked_add(1) != Some(name.first)) {
            runs.push(Waiting { name: name.clone(), rows: ScoreRows::default() });
        }
        let Some(waiting) = runs.last_mut() else { return };
        waiting.name.last = name.last;
        waiting.name.min_time = waiting.name.min_time.min(name.min_time);
        waiting.name.max_time = waiting.name.max_time.max(name.max_time);
        let out = &mut waiting.rows;
        let mut devices = vec![None; frame.devices.len()];
        let mut order = Vec::new();
        let mut names = Vec::new();
        for (model, scored) in scores.iter().enumerate() {
            let tops: Vec<u32> = scored.signals.iter().map(|signal| out.top_signal.number(signal)).collect();
            names.push((out.scorer.number(&scored.scorer), out.baseline.number(&scored.baseline), tops));
            order.extend(scored.rows.iter().map(|row| (row, model)));
        }
        if scores.len() > 1 {
            order.sort_unstable_by_key(|(score, _)| score.row);
        }
        for (score, model) in order {
            let row = score.row as usize;
            let device = frame.device[row] as usize;
            let number = *devices[device].get_or_insert_with(|| out.device.number(&frame.devices[device]));
            let (scorer, baseline, tops) = &names[model];
            out.device.push_number(number);
            out.time.push(frame.time[row]);
            out.sequence.push(frame.sequence[row]);
            out.partition.push(frame.partition);
            out.score.push(score.score);
            out.status.push(status::OK);
            out.scorer.push_number(*scorer);
            out.baseline.push_number(*baseline);
            match score.top.and_then(|top| tops.get(top)) {
                Some(&top) => out.top_signal.push_number(top),
                None => out.top_signal.push(None),
            }
        }
    }

    /// Writes what waits.
    pub async fn flush(&self) {
        let partitions: Vec<u32> = self.lock().keys().copied().collect();
        for partition in partitions {
            self.flush_partition(partition).await;
        }
    }

    /// Writes what waits of one partition; what cannot be written goes on waiting. Answers whether all is written.
    pub async fn flush_partition(&self, partition: u32) -> bool {
        let _writing = self.writing.lock().await;
        let Some(runs) = self.lock().remove(&partition) else { return true };
        let mut kept = Vec::new();
        for run in runs {
            if run.rows.rows() == 0 {
                continue;
            }
            if let Err(error) = self.log.write(&run.name, &run.rows).await {
                warn!(partition, %error, "scores not written yet; the trend shows a hole until they are");
                kept.push(run);
            }
        }
        let all = kept.is_empty();
        if !all {
            self.lock().entry(partition).or_default().splice(..0, kept);
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use twinwright_core::frame::SequenceRange;

    use super::*;
    use crate::partition::apply::RowScore;

    /// A frame of one device and its scores.
    fn scored(first: i64, last: i64) -> (Frame, Vec<ModelScores>) {
        const START: i64 = 1_800_000_000_000_000;
        let mut frame = Frame::empty(0, SequenceRange { first, last }, START + first * 1_000_000);
        frame.devices.push("arm-1".into());
        for sequence in first..=last {
            frame.device.push(0);
            frame.time.push(START + sequence * 1_000_000);
            frame.enqueued.push(START + sequence * 1_000_000);
            frame.sequence.push(sequence);
        }
        let rows = (0..frame.rows() as u32).map(|row| RowScore { row, score: 0.5, top: None }).collect();
        let signals = Vec::new().into();
        (
            frame,
            vec![ModelScores {
                equipment: "arm".into(),
                scorer: "ewma-chart@1.0.0".into(),
                baseline: "arm@7".into(),
                signals,
                rows,
            }],
        )
    }

    #[tokio::test]
    async fn a_partition_that_went_away_and_came_back_hides_no_scores_of_another_instance() {
        let store = Store::memory();
        let (here, there) = (ScoreBuffer::start(store.clone(), "hub"), ScoreBuffer::start(store, "hub"));
        for (buffer, first, last) in [(&here, 1, 10), (&there, 11, 20), (&here, 21, 30), (&here, 31, 40)] {
            let (frame, scores) = scored(first, last);
            buffer.add(&frame, &scores);
        }
        here.flush().await;
        there.flush().await;
        let read = here.log().read(None, i64::MIN, i64::MAX).await.unwrap();
        assert_eq!(read.sequence, (1..=40).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn scores_wait_for_a_store_that_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let buffer = ScoreBuffer::start(store, "hub");
        let in_the_way = folder.path().join("scores");
        std::fs::write(&in_the_way, "no folder").unwrap();
        let (frame, scores) = scored(1, 10);
        buffer.add(&frame, &scores);
        buffer.flush().await;
        std::fs::remove_file(&in_the_way).unwrap();
        buffer.flush().await;
        assert_eq!(buffer.log().read(None, i64::MIN, i64::MAX).await.unwrap().rows(), 10);
    }
}
