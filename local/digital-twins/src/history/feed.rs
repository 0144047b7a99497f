//! Hands waiting rows to the sink, in order.

use std::sync::Arc;
use std::time::Duration;

use super::{HistoryBatch, HistoryRow, HistorySink};
use crate::routing::Queue;
use crate::store::Store;

/// Name of the queue that rows wait in; no endpoint can have it.
pub(crate) const HISTORY_QUEUE: &str = "$history";

/// Changes in one batch.
const BATCH: usize = 1000;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Feeds the sink until the task is aborted.
pub(crate) async fn run(store: Arc<Store>, sink: Arc<dyn HistorySink>, queue: Arc<Queue>) {
    let mut after = 0;
    let mut pause = FIRST_PAUSE;
    let linger = sink.linger();
    let mut waited = linger.is_zero();
    loop {
        let arrived = queue.arrived.notified();
        let outcome = match store.waiting(HISTORY_QUEUE, after, BATCH).await {
            Ok(waiting) => {
                let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else {
                    arrived.await;
                    continue;
                };
                if waiting.len() < BATCH && !waited {
                    tokio::time::sleep(linger).await;
                    waited = true;
                    continue;
                }
                waited = linger.is_zero();
                let (first, last) = (first.number, last.number);
                let mut rows = Vec::new();
                for change in &waiting {
                    match serde_json::from_slice::<Vec<HistoryRow>>(&change.bytes) {
                        Ok(list) => rows.extend(list.into_iter().map(|row| (change.number, row))),
                        Err(error) => {
                            tracing::error!(number = change.number, %error, "dropped history rows that cannot be read");
                        }
                    }
                }
                sink.store(HistoryBatch { first, last, rows }).await.map(|()| (last, waiting.len() as u64))
            }
            Err(reason) => Err(reason),
        };
        match outcome {
            Ok((last, count)) => {
                queue.remove(count);
                (after, pause) = (last, FIRST_PAUSE);
                if let Err(refusal) = store.delivered(HISTORY_QUEUE, last).await {
                    tracing::warn!(reason = refusal.message, "stored history rows could not be let go of");
                }
            }
            Err(reason) => {
                tracing::warn!(reason, "history rows could not be stored, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
