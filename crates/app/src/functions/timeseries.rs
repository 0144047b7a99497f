//! `api/timeseries/…`: the query API of Time Series Insights Gen2 (2020-07-31) over stored history. The addresses behind
//! `api/timeseries` are the service's own, so a client is pointed here and asks as before.

mod data;
mod model;
mod query;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, extract::DefaultBodyLimit};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use twinwright_history::StoreError;
use twinwright_timeseries::QueryError;

use crate::app::App;
use crate::history::StoreType;

/// Bytes of a request, as the service had it for the model.
const LARGEST_BODY: usize = 8 << 20;

/// The routes, below `/api`.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/timeseries/availability", get(data::availability))
        .route("/timeseries/eventSchema", post(data::event_schema))
        .route("/timeseries/timeseries/query", post(query::query))
        .route("/timeseries/timeseries/modelSettings", get(model::settings))
        .route("/timeseries/timeseries/modelSettings/", get(model::settings))
        .route("/timeseries/timeseries/instances", get(model::instances))
        .route("/timeseries/timeseries/instances/", get(model::instances))
        .route("/timeseries/timeseries/instances/$batch", post(model::instances_batch))
        .route("/timeseries/timeseries/instances/search", post(model::search))
        .route("/timeseries/timeseries/instances/suggest", post(model::suggest))
        .route("/timeseries/timeseries/types", get(model::types))
        .route("/timeseries/timeseries/types/", get(model::types))
        .route("/timeseries/timeseries/types/$batch", post(model::types_batch))
        .route("/timeseries/timeseries/hierarchies", get(model::hierarchies))
        .route("/timeseries/timeseries/hierarchies/", get(model::hierarchies))
        .route("/timeseries/timeseries/hierarchies/$batch", post(model::hierarchies_batch))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

/// What the address says beside the path.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    #[serde(rename = "api-version")]
    api_version: Option<String>,
    #[serde(rename = "storeType")]
    store_type: Option<String>,
}

impl Parameters {
    /// The store that is asked; everything, where none is named.
    fn store(&self) -> Result<StoreType, ApiError> {
        if let Some(version) =
            self.api_version.as_deref().filter(|version| !version.starts_with("2020-07-31"))
        {
            let text = format!("api-version {version} is not answered: ask with api-version=2020-07-31");
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "InvalidApiVersion", text));
        }
        match self.store_type.as_deref() {
            None => Ok(StoreType::Cold),
            Some(text) if text.eq_ignore_ascii_case("ColdStore") => Ok(StoreType::Cold),
            Some(text) if text.eq_ignore_ascii_case("WarmStore") => Ok(StoreType::Warm),
            Some(text) => {
                let text = format!("storeType {text} is none: use WarmStore or ColdStore");
                Err(ApiError::new(StatusCode::BAD_REQUEST, "InvalidInput", text))
            }
        }
    }
}

/// An error with the body that clients of the service know.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Value,
}

impl ApiError {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let body = json!({ "error": { "code": code, "message": message, "innerError": { "code": code } } });
        Self { status, body }
    }

    fn busy() -> Self {
        let text = "too many queries are under way: ask again in a moment";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", text)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: error.body() }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid { what } => Self::new(StatusCode::BAD_REQUEST, "InvalidInput", what),
            error => {
                tracing::error!(%error, "history cannot be read");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", error.to_string())
            }
        }
    }
}

type Answer = Result<Json<Value>, ApiError>;

/// A body, or what is wrong with it.
fn body<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|error| {
        ApiError::new(StatusCode::BAD_REQUEST, "InvalidInput", format!("the body cannot be read: {error}"))
    })
}

/// Where an answer goes on.
fn continuation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-ms-continuation").and_then(|value| value.to_str().ok()).filter(|token| !token.is_empty())
}
