//! Device twins.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::devices::{connection_state, if_match, last_activity, tagged};
use super::errors::ServiceError;
use crate::hub::Context;
use crate::registry::{Device, Twin};

pub(super) async fn read(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Response, ServiceError> {
    answer(&context, &id)
}

pub(super) async fn patch(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, ServiceError> {
    change(&context, &id, &headers, &body, false)
}

pub(super) async fn replace(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, ServiceError> {
    change(&context, &id, &headers, &body, true)
}

fn change(
    context: &Context,
    id: &str,
    headers: &HeaderMap,
    body: &str,
    whole: bool,
) -> Result<Response, ServiceError> {
    let body: Value = serde_json::from_str(body)
        .map_err(|error| ServiceError::bad_request(&format!("the body is not JSON: {error}")))?;
    let (_, told) = context.registry.change_twin(id, &body, whole, if_match(headers))?;
    if let Some(change) = told {
        let mut patch = change.patch;
        patch.insert("$version".to_owned(), change.version.into());
        context.connections.notify_desired(id, change.version, Value::Object(patch).to_string().into_bytes());
    }
    answer(context, id)
}

fn answer(context: &Context, id: &str) -> Result<Response, ServiceError> {
    let (device, twin) =
        context.registry.get(id).zip(context.registry.twin(id)).ok_or_else(|| ServiceError::no_device(id))?;
    Ok(tagged(document(context, &device, &twin), &twin.etag()))
}

/// The twin as the service shows it.
pub(super) fn document(context: &Context, device: &Device, twin: &Twin) -> Value {
    let mut document = json!({
        "deviceId": device.device_id,
        "etag": twin.etag(),
        "deviceEtag": device.etag,
        "status": device.status,
        "statusUpdateTime": device.status_updated_time,
        "connectionState": connection_state(context, &device.device_id),
        "lastActivityTime": last_activity(context, &device.device_id),
        "cloudToDeviceMessageCount": 0,
        "authenticationType": "sas",
        "x509Thumbprint": { "primaryThumbprint": null, "secondaryThumbprint": null },
        "version": twin.version,
        "tags": twin.tags,
        "properties": { "desired": twin.desired.for_service(), "reported": twin.reported.for_service() },
        "capabilities": { "iotEdge": false },
    });
    if let Some(model) = &twin.model_id {
        document["modelId"] = model.as_str().into();
    }
    document
}
