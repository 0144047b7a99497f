//! `/digitaltwins/{id}`, its components and its telemetry.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::gate::ApiVersion;
use super::{Shared, any_json, conditions, document_response, no_content, object, origin, small_json};
use crate::answer::Refusal;
use crate::limits::Class;
use crate::store::Telemetry;
use crate::{clock, twin};

pub(super) async fn get(
    State(store): Shared,
    Path(id): Path<String>,
    Extension(version): Extension<ApiVersion>,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Read)?;
    let document = store.twin(&id)?;
    Ok(document_response(&document, twin::present(&document, version.0)))
}

pub(super) async fn put(
    State(store): Shared,
    Path(id): Path<String>,
    Extension(version): Extension<ApiVersion>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body = object(small_json(&body)?)?;
    let document = store.put_twin(id, body, conditions(&headers)?, origin(&headers)).await?;
    Ok(document_response(&document, twin::present(&document, version.0)))
}

pub(super) async fn patch(
    State(store): Shared,
    Path(id): Path<String>,
    Extension(version): Extension<ApiVersion>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body = patch_body(&body, &version)?;
    let etag = store.patch_twin(id, None, &body, conditions(&headers)?, origin(&headers)).await?;
    Ok(no_content(Some(&etag)))
}

pub(super) async fn delete(
    State(store): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    store.delete_twin(id, conditions(&headers)?, origin(&headers)).await?;
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
    Ok(document_response(&document, component))
}

pub(super) async fn patch_component(
    State(store): Shared,
    Path((id, name)): Path<(String, String)>,
    Extension(version): Extension<ApiVersion>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body = patch_body(&body, &version)?;
    let etag = store.patch_twin(id, Some(name), &body, conditions(&headers)?, origin(&headers)).await?;
    Ok(no_content(Some(&etag)))
}

/// A patch that this API version may send.
fn patch_body(body: &Bytes, version: &ApiVersion) -> Result<Value, Refusal> {
    let body = small_json(body)?;
    if version.0 < "2022-05-31" && twin::sets_source_time(&body) {
        return Err(Refusal::bad(
            "JsonPatchInvalid",
            "this api-version cannot write sourceTime: use 2022-05-31 or newer",
        ));
    }
    Ok(body)
}

pub(super) async fn telemetry(
    State(store): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Patch)?;
    let telemetry = read_telemetry(&headers, &body, None)?;
    store.telemetry(id, telemetry, origin(&headers)).await?;
    Ok(no_content(None))
}

pub(super) async fn component_telemetry(
    State(store): Shared,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Patch)?;
    let telemetry = read_telemetry(&headers, &body, Some(name))?;
    store.telemetry(id, telemetry, origin(&headers)).await?;
    Ok(no_content(None))
}

fn read_telemetry(
    headers: &HeaderMap,
    body: &Bytes,
    component: Option<String>,
) -> Result<Telemetry, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(message_id) = text("message-id").filter(|id| !id.is_empty()) else {
        return Err(Refusal::bad(
            "MissingArgument",
            "the header Message-Id is missing: add one, unique for each message",
        ));
    };
    let source_time = match headers.get("telemetry-source-time") {
        None => None,
        Some(_) => {
            let time = text("telemetry-source-time").and_then(clock::normalise);
            let message = "Telemetry-Source-Time must be a time such as 2026-01-31T12:00:00Z";
            Some(time.ok_or_else(|| Refusal::bad("InvalidArgument", message))?)
        }
    };
    let payload = any_json(body)?;
    if body.len() > twin::LARGEST_TWIN {
        return Err(Refusal::bad(
            "InvalidArgument",
            format!("the payload is larger than {} bytes", twin::LARGEST_TWIN),
        ));
    }
    Ok(Telemetry { message_id: message_id.to_owned(), component, source_time, payload })
}
