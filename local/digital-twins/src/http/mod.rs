//! Requests to calls of the store, and back.

mod gate;
mod jobs;
mod models;
mod paging;
mod query;
mod relationships;
mod routes;
mod twins;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::Value;

pub(crate) use gate::{Guard, new_trace};

use crate::answer::Refusal;
use crate::jobs::Runner;
use crate::store::{Conditions, Origin, Store};
use crate::twin::{Document, LARGEST_TWIN};

/// Largest body of any request, in bytes; only uploads of models come near it.
const LARGEST_BODY: usize = 32 * 1024 * 1024;

type Shared = axum::extract::State<Arc<Store>>;

/// The whole API, behind outage, authorisation and version checks.
pub(crate) fn router(store: Arc<Store>, jobs: Arc<Runner>, guard: Arc<Guard>) -> Router {
    let routes = Router::new()
        .route("/models", get(models::list).post(models::add))
        .route("/models/{id}", get(models::get).patch(models::decommission).delete(models::delete))
        .route(
            "/digitaltwins/{id}",
            get(twins::get).put(twins::put).patch(twins::patch).delete(twins::delete),
        )
        .route("/digitaltwins/{id}/telemetry", post(twins::telemetry))
        .route(
            "/digitaltwins/{id}/components/{component}",
            get(twins::component).patch(twins::patch_component),
        )
        .route("/digitaltwins/{id}/components/{component}/telemetry", post(twins::component_telemetry))
        .route("/digitaltwins/{id}/relationships", get(relationships::list))
        .route(
            "/digitaltwins/{id}/relationships/{relationship}",
            get(relationships::get)
                .put(relationships::put)
                .patch(relationships::patch)
                .delete(relationships::delete),
        )
        .route("/digitaltwins/{id}/incomingrelationships", get(relationships::incoming))
        .route("/query", post(query::run))
        .route("/eventroutes", get(routes::list))
        .route("/eventroutes/{id}", get(routes::get).put(routes::put).delete(routes::delete))
        .merge(job_routes(jobs))
        .fallback(|| async {
            Refusal::missing("ResourceNotFound", "there is no such resource: check the path of the request")
        })
        .method_not_allowed_fallback(|| async {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "this resource does not take this method",
            )
        });
    routes
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(gate::versions))
        .layer(from_fn_with_state(guard, gate::guard))
        .with_state(store)
        .merge(crate::explorer::router())
}

/// The jobs API, which only the newer versions have.
fn job_routes(jobs: Arc<Runner>) -> Router<Arc<Store>> {
    Router::new()
        .route("/jobs/imports", get(jobs::list_imports))
        .route("/jobs/imports/{id}", get(jobs::get_import).put(jobs::put_import).delete(jobs::delete_import))
        .route("/jobs/imports/{id}/cancel", post(jobs::cancel_import))
        .route("/jobs/deletions", get(jobs::list_deletions).post(jobs::add_deletion))
        .route("/jobs/deletions/{id}", get(jobs::get_deletion))
        .route_layer(from_fn(gate::has_jobs))
        .layer(Extension(jobs))
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    text_response(status, body.to_string())
}

fn text_response(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// When the request came, and the trace it belongs to.
fn origin(headers: &HeaderMap) -> Origin {
    Origin::new(gate::trace(headers).map(str::to_owned))
}

fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

fn no_content(etag: Option<&str>) -> Response {
    let response = StatusCode::NO_CONTENT.into_response();
    match etag {
        Some(etag) => with_etag(response, etag),
        None => response,
    }
}

/// A document with its etag in the header too.
fn document_response(document: &Document, body: String) -> Response {
    let etag = document.get("$etag").and_then(Value::as_str).unwrap_or_default();
    with_etag(text_response(StatusCode::OK, body), etag)
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn conditions(headers: &HeaderMap) -> Result<Conditions, Refusal> {
    let if_none_match = match header(headers, &axum::http::header::IF_NONE_MATCH) {
        None => false,
        Some("*") => true,
        Some(_) => return Err(Refusal::bad("InvalidArgument", "If-None-Match takes only *")),
    };
    Ok(Conditions {
        if_match: header(headers, &axum::http::header::IF_MATCH).map(str::to_owned),
        if_none_match,
    })
}

/// A JSON body within the size that twins may have.
fn small_json(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.len() > LARGEST_TWIN {
        let message = format!("the body has {} bytes: {LARGEST_TWIN} are the most", bytes.len());
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message));
    }
    any_json(bytes)
}

fn any_json(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::problem(format!("the body is no JSON: {error}")))
}

fn object(value: Value) -> Result<Document, Refusal> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Refusal::bad("InvalidArgument", "the payload is invalid: it must be a JSON object")),
    }
}
