//! Scores into side files beside the segments, some seconds' worth each. They can be rebuilt from the segments, so
//! nothing waits for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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
/// Rows kept in memory at the most; beyond it they are dropped, since they can be rebuilt.
const MAX_ROWS: usize = 500_000;

/// Scores waiting for their file.
pub struct ScoreBuffer {
    log: ScoreLog,
    hub: String,
    waiting: Mutex<HashMap<u32, Waiting>>,
}

/// Scores of one partition, and the name of their file: what they span.
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
        let buffer =
            Arc::new(Self { log: ScoreLog::new(store, hub), hub: hub.to_owned(), waiting: Mutex::default() });
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
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let name = SegmentName::of(&self.hub, frame);
        let waiting = all
            .entry(frame.partition)
            .or_insert_with(|| Waiting { name: name.clone(), rows: ScoreRows::default() });
        let new: usize = scores.iter().map(|scored| scored.rows.len()).sum();
        if waiting.rows.rows() + new > MAX_ROWS {
            return;
        }
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
        let all = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for (partition, waiting) in all.into_iter().filter(|(_, waiting)| waiting.rows.rows() > 0) {
            if let Err(error) = self.log.write(&waiting.name, &waiting.rows).await {
                warn!(partition, %error, "scores not written; the trend shows a hole until they are rebuilt");
            }
        }
    }
}
