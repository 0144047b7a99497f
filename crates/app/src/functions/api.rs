//! `api`: what the dashboard and the command line ask, over HTTP, proxied by the host.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{dashboard, overview, timeseries, trend};
use crate::app::App;
use crate::clock::now;
use crate::documents::alerts::MAX_ALERTS;
use crate::documents::commands::CommandStatus;
use crate::scorers::report::report;

/// The API's routes.
pub(super) fn router() -> Router<Arc<App>> {
    let api = Router::new()
        .route("/overview", get(overview::overview))
        .route("/trend", get(trend::trend))
        .route("/alerts", get(alerts))
        .route("/alerts/{id}/acknowledge", post(acknowledge))
        .route("/commands", get(commands))
        .route("/commands/{id}/approve", post(approve))
        .route("/status", get(status))
        .layer(from_fn(no_forgery))
        // Its requests change nothing, and clients written for Time Series Insights send no header of ours.
        .merge(timeseries::router());
    Router::new().route("/", get(dashboard::dashboard)).nest("/api", api)
}

/// A page of another origin can make a browser post a form, but not with a header of its own.
async fn no_forgery(request: Request, next: Next) -> Response {
    if request.method() != Method::GET && !request.headers().contains_key("x-twinwright") {
        return ApiError(StatusCode::FORBIDDEN, "send the header x-twinwright: 1".to_owned()).into_response();
    }
    next.run(request).await
}

/// An error as the API answers it.
pub(super) struct ApiError(pub(super) StatusCode, pub(super) String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<twinwright_history::StoreError> for ApiError {
    fn from(error: twinwright_history::StoreError) -> Self {
        tracing::error!(%error, "storage failed");
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

pub(super) type Answer = Result<Json<Value>, ApiError>;

#[derive(Deserialize)]
struct AlertQuery {
    state: Option<String>,
    limit: Option<usize>,
}

async fn alerts(State(app): State<Arc<App>>, Query(query): Query<AlertQuery>) -> Answer {
    let open_only = match query.state.as_deref() {
        None | Some("all") => false,
        Some("open") => true,
        Some(other) => {
            let text = format!("state={other}: needs open or all");
            return Err(ApiError(StatusCode::BAD_REQUEST, text));
        }
    };
    let max = query.limit.unwrap_or(100).min(MAX_ALERTS);
    Ok(Json(json!({ "alerts": app.alerts.list(now(), open_only, max).await? })))
}

#[derive(Deserialize)]
struct By {
    by: Option<String>,
}

async fn acknowledge(State(app): State<Arc<App>>, Path(id): Path<String>, Json(by): Json<By>) -> Answer {
    let by = by.by.unwrap_or_else(|| "somebody".to_owned());
    match app.alerts.acknowledge(&id, &by, now()).await? {
        Some(view) => Ok(Json(json!(view))),
        None => {
            Err(ApiError(StatusCode::NOT_FOUND, format!("there is no alert {id}; list them with api/alerts")))
        }
    }
}

async fn commands(State(app): State<Arc<App>>, Query(query): Query<AlertQuery>) -> Answer {
    let mut commands = app.commands.list(now()).await?;
    if query.state.as_deref() == Some("pending") {
        commands.retain(|view| view.state == CommandStatus::Pending);
    }
    commands.truncate(query.limit.unwrap_or(100));
    Ok(Json(json!({ "commands": commands })))
}

async fn approve(State(app): State<Arc<App>>, Path(id): Path<String>, Json(by): Json<By>) -> Answer {
    let by = by.by.unwrap_or_else(|| "somebody".to_owned());
    let Some(view) = app.commands.approve(&id, &by, now()).await? else {
        let text = format!("there is no command {id}; list them with api/commands");
        return Err(ApiError(StatusCode::NOT_FOUND, text));
    };
    // The person who approved sees the outcome at once; should this process die here, `watch` goes on.
    app.responder().proceed(&view, now()).await?;
    let view = app.commands.find(&id, now()).await?;
    Ok(Json(json!(view)))
}

/// Counters, what is stuck and what each scorer did, for `twinwright doctor` and for the demo's report.
async fn status(State(app): State<Arc<App>>) -> Answer {
    let patches = app.patcher.as_ref().map(|patcher| {
        json!({ "waiting": patcher.waiting(), "refused": patcher.refusals(), "counts": patcher.counts() })
    });
    let scorers = report(app.catalog.loader(), &app.counters.scored());
    Ok(Json(json!({ "counters": app.counters.read(), "patches": patches, "scorers": scorers })))
}
