//! Identities: create, read, update, remove, list, count.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::ServiceError;
use crate::events::iso_time;
use crate::hub::Context;
use crate::registry::{Device, DeviceSpec, Status};

/// Most devices one answer holds.
pub(super) const MAX_PAGE: usize = 1000;

#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    top: Option<usize>,
}

pub(super) async fn list(State(context): State<Arc<Context>>, Query(query): Query<ListQuery>) -> Json<Value> {
    let top = query.top.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let devices = context.registry.page(None, top);
    Json(devices.iter().map(|(device, _)| document(&context, device)).collect())
}

pub(super) async fn read(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Response, ServiceError> {
    let device = context.registry.get(&id).ok_or_else(|| ServiceError::no_device(&id))?;
    Ok(answer(&context, &device))
}

pub(super) async fn put(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, ServiceError> {
    let body: Value = serde_json::from_str(&body)
        .map_err(|error| ServiceError::bad_request(&format!("the body is not JSON: {error}")))?;
    if body.get("deviceId").and_then(Value::as_str).is_some_and(|named| named != id) {
        return Err(ServiceError::bad_request("the deviceId of the body is not the one of the path"));
    }
    let device = context.registry.put(&id, spec(&body)?, if_match(&headers))?;
    if device.status == Status::Disabled {
        context.connections.kick(&id);
    }
    Ok(answer(&context, &device))
}

pub(super) async fn delete(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ServiceError> {
    context.registry.delete(&id, if_match(&headers))?;
    context.connections.kick(&id);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn statistics(State(context): State<Arc<Context>>) -> Json<Value> {
    let devices = context.registry.list();
    let enabled = devices.iter().filter(|device| device.status == Status::Enabled).count();
    Json(json!({
        "totalDeviceCount": devices.len(),
        "enabledDeviceCount": enabled,
        "disabledDeviceCount": devices.len() - enabled,
    }))
}

pub(super) async fn service_statistics(State(context): State<Arc<Context>>) -> Json<Value> {
    Json(json!({ "connectedDeviceCount": context.connections.count() }))
}

/// The `If-Match` header as text.
pub(super) fn if_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok())
}

/// An answer with its entity tag, quoted as HTTP wants it.
pub(super) fn tagged(body: Value, etag: &str) -> Response {
    let mut response = Json(body).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{etag}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

pub(super) fn connection_state(context: &Context, device_id: &str) -> &'static str {
    if context.connections.is_online(device_id) { "Connected" } else { "Disconnected" }
}

pub(super) fn last_activity(context: &Context, device_id: &str) -> String {
    time(context.registry.activity(device_id).map_or(0, |activity| activity.last_us()))
}

fn time(micros: i64) -> String {
    if micros == 0 { "0001-01-01T00:00:00Z".to_owned() } else { iso_time(micros) }
}

fn answer(context: &Context, device: &Device) -> Response {
    tagged(document(context, device), &device.etag)
}

fn document(context: &Context, device: &Device) -> Value {
    let changed =
        context.registry.activity(&device.device_id).map_or(0, |activity| activity.state_changed_us());
    json!({
        "deviceId": device.device_id,
        "generationId": device.generation_id,
        "etag": device.etag,
        "connectionState": connection_state(context, &device.device_id),
        "status": device.status,
        "statusReason": device.status_reason,
        "connectionStateUpdatedTime": time(changed),
        "statusUpdatedTime": device.status_updated_time,
        "lastActivityTime": last_activity(context, &device.device_id),
        "cloudToDeviceMessageCount": 0,
        "authentication": {
            "symmetricKey": device.authentication.symmetric_key,
            "x509Thumbprint": { "primaryThumbprint": null, "secondaryThumbprint": null },
            "type": "sas",
        },
        "capabilities": { "iotEdge": false },
    })
}

fn spec(body: &Value) -> Result<DeviceSpec, ServiceError> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if text("/authentication/type").is_some_and(|kind| kind != "sas") {
        return Err(ServiceError::bad_request("the local hub knows authentication of type sas only"));
    }
    let status = match body.get("status").and_then(Value::as_str) {
        None => None,
        Some("enabled") => Some(Status::Enabled),
        Some("disabled") => Some(Status::Disabled),
        Some(_) => return Err(ServiceError::bad_request("status must be enabled or disabled")),
    };
    Ok(DeviceSpec {
        status,
        status_reason: text("/statusReason"),
        primary_key: text("/authentication/symmetricKey/primaryKey"),
        secondary_key: text("/authentication/symmetricKey/secondaryKey"),
    })
}
