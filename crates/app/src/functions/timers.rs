//! `retrain`, `watch` and `compact`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use azure_functions_rs_custom_handler::{Reply, TimerTrigger};
use tracing::error;

use super::retrain::retrain_all;
use crate::app::App;
use crate::clock::now;
use crate::history::Compacted;
use crate::watch::watch as watch_once;

/// Fits new baselines and promotes those that are no worse.
pub(super) async fn retrain(State(app): State<Arc<App>>, TimerTrigger(_): TimerTrigger) -> Reply {
    match retrain_all(&app, now()).await {
        Ok(verdicts) => verdicts.iter().fold(Reply::ok(), |reply, verdict| reply.log(verdict.to_string())),
        Err(cause) => {
            error!(%cause, "retrain failed; the next run tries again");
            Reply::failed(StatusCode::SERVICE_UNAVAILABLE, cause)
        }
    }
}

/// Looks for silent devices, patches that were not sent, and commands that wait.
pub(super) async fn watch(State(app): State<Arc<App>>, TimerTrigger(_): TimerTrigger) -> Reply {
    match watch_once(&app, now()).await {
        Ok(outputs) => super::reply(&outputs),
        Err(cause) => {
            error!(%cause, "watch failed; the next run tries again");
            Reply::failed(StatusCode::SERVICE_UNAVAILABLE, cause)
        }
    }
}

/// Makes history of segments. A run that is killed or overtaken by another leaves nothing that needs care.
pub(super) async fn compact(State(app): State<Arc<App>>, TimerTrigger(_): TimerTrigger) -> Reply {
    match app.history.compact(now()).await {
        Ok(Compacted::Done(report)) => Reply::ok().log(format!(
            "{} segments, {} rows, {} days, {} files written; {} segments and {} files deleted",
            report.segments,
            report.rows,
            report.days,
            report.files,
            report.deleted_segments,
            report.deleted_files
        )),
        Ok(Compacted::Budget) => Reply::ok().log("the time is up; the next run goes on where this one was"),
        Ok(Compacted::Running) => Reply::ok().log("another run is under way in this process"),
        Err(cause) => {
            error!(%cause, "compact failed; the next run tries again");
            Reply::failed(StatusCode::SERVICE_UNAVAILABLE, cause)
        }
    }
}
