//! `/digitaltwins/{id}`, its components and its telemetry.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::gate::ApiVersion;
use super::{Shared, any_json, conditions, document_response, no_content, object, small_json};
use crate::answer::Refusal;
use crate::limits::Class;
use crate::{clock, twin};

pub(super) async fn get(
    State(store): Shared,
    Path(id): Path<String>,
    Extension(version): Extension<ApiVersion>,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Read)?;
    let document = store.twin(&id)?;
    Ok(document_response(&document, &twin::present(&document, version.0)))
}

pub(super) async fn put(
    State(store): Shared,
    Path(id): Path<String>,
    Extension(version): Extension<ApiVersion>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let document = store.put_twin(&id, object(small_json(&body)?)?, &conditions(&headers)?)?;
    Ok(document_response(&document, &twin::present(&document, version.0)))
}

pub(super) async fn patch(
    State(store): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let etag = store.patch_twin(&id, None, &small_json(&body)?, &conditions(&headers)?)?;
    Ok(no_content(Some(&etag)))
}

pub(super) async fn delete(
    State(store): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    store.delete_twin(&id, &conditions(&headers)?)?;
    Ok(no_content(None))
}

pub(super) async fn component(
    State(store): Shared,
    Path((id, name)): Path<(String, String)>,
    Extension(version): Extension<ApiVersion>,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Read)?;
    let document = store.twin(&id)?;
    let component = twin::present(store.graph().component_of(&document, &name)?, version.0);
    // A component has no etag of its own: the twin's stands for it.
    Ok(document_response(&document, &component))
}

pub(super) async fn patch_component(
    State(store): Shared,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let etag = store.patch_twin(&id, Some(&name), &small_json(&body)?, &conditions(&headers)?)?;
    Ok(no_content(Some(&etag)))
}

pub(super) async fn telemetry(
    State(store): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let payload = telemetry_payload(&headers, &body)?;
    store.telemetry(&id, None, payload)?;
    Ok(no_content(None))
}

pub(super) async fn component_telemetry(
    State(store): Shared,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let payload = telemetry_payload(&headers, &body)?;
    store.telemetry(&id, Some(&name), payload)?;
    Ok(no_content(None))
}

fn telemetry_payload(headers: &HeaderMap, body: &Bytes) -> Result<Value, Refusal> {
    if headers.get("message-id").is_none_or(|id| id.is_empty()) {
        return Err(Refusal::bad(
            "MissingArgument",
            "the header Message-Id is missing: add one, unique for each message",
        ));
    }
    let time = headers.get("telemetry-source-time");
    if time.is_some_and(|time| time.to_str().ok().and_then(clock::normalise).is_none()) {
        return Err(Refusal::bad(
            "InvalidArgument",
            "Telemetry-Source-Time must be a time such as 2026-01-31T12:00:00Z",
        ));
    }
    let payload = any_json(body)?;
    if body.len() > twin::LARGEST_TWIN {
        return Err(Refusal::bad(
            "InvalidArgument",
            format!("the payload is larger than {} bytes", twin::LARGEST_TWIN),
        ));
    }
    Ok(payload)
}
