//! The functions as routes of the custom handler. A trigger's route is its folder's name; everything else belongs to
//! `api`, which the host proxies unchanged.

pub mod api;
mod dashboard;
mod overview;
mod queues;
mod retrain;
mod timers;
mod timeseries;
mod trend;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use azure_functions_rs_custom_handler::{EventHubTrigger, InvocationContext, Reply};
use tracing::{error, info};

use crate::app::App;
use crate::clock::now;
use crate::messages::Outputs;
use crate::telemetry::continue_trace;

pub use retrain::{Retrained, retrain_all};

/// All routes of the handler.
pub fn router(app: Arc<App>) -> Router {
    let triggers = Router::new()
        .route("/ingest", post(ingest))
        .route("/notify", post(queues::notify))
        .route("/respond", post(queues::respond))
        .route("/retrain", post(timers::retrain))
        .route("/watch", post(timers::watch))
        .route("/compact", post(timers::compact))
        .layer(from_fn(only_the_host));
    Router::new().merge(triggers).merge(api::router()).with_state(app)
}

/// The host proxies what people request under the path they chose, also under a trigger's name; it marks those
/// requests with a header of its own. Nobody outside may invoke a trigger that way.
async fn only_the_host(request: Request, next: Next) -> Response {
    if request.headers().contains_key("x-ms-invocation-id") {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

async fn ingest(
    State(app): State<Arc<App>>,
    context: InvocationContext,
    headers: HeaderMap,
    EventHubTrigger(batch): EventHubTrigger,
) -> Reply {
    let span = continue_trace(&headers, "ingest");
    let started = std::time::Instant::now();
    let result = tracing::Instrument::instrument(app.ingest.batch(&batch, now()), span).await;
    match result {
        Ok((outputs, summary)) => {
            info!(
                partition = summary.partition,
                events = summary.events,
                committed = summary.committed,
                dead_lettered = summary.dead_lettered,
                duplicates = summary.duplicates,
                micros = started.elapsed().as_micros(),
                "batch"
            );
            app.counters.batch(&summary, &outputs);
            reply(&outputs)
        }
        Err(cause) => {
            error!(invocation = context.invocation_id, %cause, "the batch is not committed; the host brings it again");
            Reply::failed(StatusCode::SERVICE_UNAVAILABLE, cause)
        }
    }
}

/// Outputs as queue messages; a queue that gets nothing is left out.
fn reply(outputs: &Outputs) -> Reply {
    let reply = Reply::ok()
        .messages("alerts", &outputs.alerts)
        .and_then(|reply| reply.messages("commands", &outputs.commands));
    reply.unwrap_or_else(|cause| Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, cause))
}
