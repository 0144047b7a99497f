//! Direct methods.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::ServiceError;
use crate::hub::Context;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MethodBody {
    method_name: String,
    #[serde(default)]
    payload: Value,
    response_timeout_in_seconds: Option<u64>,
    connect_timeout_in_seconds: Option<u64>,
}

/// Calls the method; answers `{"status": …, "payload": …}` as the device gave them.
pub(super) async fn invoke(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    body: String,
) -> Result<Json<Value>, ServiceError> {
    let body: MethodBody = serde_json::from_str(&body)
        .map_err(|error| bad(&format!("the body must be a direct method request: {error}")))?;
    let response = body.response_timeout_in_seconds.unwrap_or(30);
    let connect = body.connect_timeout_in_seconds.unwrap_or(0);
    if !(5..=300).contains(&response) {
        return Err(bad("responseTimeoutInSeconds must be within [5; 300]"));
    }
    if connect > 300 {
        return Err(bad("connectTimeoutInSeconds must be within [0; 300]"));
    }
    if context.registry.get(&id).is_none() {
        return Err(ServiceError::no_device(&id));
    }
    let (response, connect) = (Duration::from_secs(response), Duration::from_secs(connect));
    let reply = context.connections.invoke(&id, &body.method_name, &body.payload, response, connect).await?;
    Ok(Json(json!({ "status": reply.status, "payload": reply.payload })))
}

fn bad(message: &str) -> ServiceError {
    ServiceError::method(StatusCode::BAD_REQUEST, 400_004, "ArgumentInvalid", message, &json!({}))
}
