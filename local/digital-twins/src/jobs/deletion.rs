//! The work of a deletion: every relationship, then every twin, then every model.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::JobStatus;
use super::import::Outcome;
use crate::store::Store;

/// Deletes everything in chunks, each durable by itself; gives up after a time.
pub(crate) async fn run(store: &Arc<Store>, patience: Duration) -> Outcome {
    let start = Instant::now();
    loop {
        if start.elapsed() > patience {
            let message = "the time for the job was over before everything was deleted: start another";
            return (JobStatus::Failed, Some(json!({"code": "TimeoutError", "message": message})));
        }
        match store.delete_chunk().await {
            Ok(0) => return (JobStatus::Succeeded, None),
            Ok(_) => {}
            Err(refusal) => {
                let error = json!({"code": refusal.code, "message": refusal.message});
                return (JobStatus::Failed, Some(error));
            }
        }
    }
}
