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

use crate::partition::apply::RowScore;

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
    pub fn add(&self, frame: &Frame, scores: &[RowScore]) {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let name = SegmentName::of(&self.hub, frame);
        let waiting = all
            .entry(frame.partition)
            .or_insert_with(|| Waiting { name: name.clone(), rows: ScoreRows::default() });
        if waiting.rows.rows() + scores.len() > MAX_ROWS {
            return;
        }
        waiting.name.last = name.last;
        waiting.name.min_time = waiting.name.min_time.min(name.min_time);
        waiting.name.max_time = waiting.name.max_time.max(name.max_time);
        let rows = &mut waiting.rows;
        for score in scores {
            let row = score.row as usize;
            rows.device.push(Arc::clone(frame.device_id(row)));
            rows.time.push(frame.time[row]);
            rows.sequence.push(frame.sequence[row]);
            rows.partition.push(frame.partition);
            rows.score.push(score.score);
            rows.status.push(status::OK);
            rows.scorer.push(Arc::clone(&score.scorer));
            rows.baseline.push(Arc::clone(&score.baseline));
            rows.top_signal.push(score.top.clone());
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
