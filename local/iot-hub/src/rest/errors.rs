//! Error answers in the service's two shapes.
//!
//! Registry: `{"Message":"ErrorCode:DeviceNotFound;…","ExceptionMessage":"Tracking ID:…"}`. Direct methods: the
//! message is itself JSON text with `errorCode`, `trackingId`, `message`, `info` and `timestampUtc`. SDKs read both.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::connections::MethodError;
use crate::error::HubError;

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct ServiceError {
    status: StatusCode,
    /// Name of the code, for the header `iothub-errorcode`.
    name: &'static str,
    body: Value,
}

impl ServiceError {
    /// The registry's shape.
    pub(super) fn registry(status: StatusCode, name: &'static str, message: &str) -> Self {
        let body = json!({
            "Message": format!("ErrorCode:{name};{message}"),
            "ExceptionMessage": format!("Tracking ID:{}-TimeStamp:{}", tracking(), now()),
        });
        Self { status, name, body }
    }

    /// The shape of direct methods, with a numeric code.
    pub(super) fn method(
        status: StatusCode,
        code: u32,
        name: &'static str,
        message: &str,
        info: &Value,
    ) -> Self {
        let inner = json!({
            "errorCode": code,
            "trackingId": tracking(),
            "message": message,
            "info": info,
            "timestampUtc": now(),
        });
        Self { status, name, body: json!({ "Message": inner.to_string(), "ExceptionMessage": "" }) }
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::registry(StatusCode::BAD_REQUEST, "ArgumentInvalid", message)
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::registry(StatusCode::UNAUTHORIZED, "IotHubUnauthorizedAccess", message)
    }

    pub(super) fn throttled(message: &str) -> Self {
        Self::registry(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", message)
    }

    pub(super) fn no_device(device_id: &str) -> Self {
        Self::registry(StatusCode::NOT_FOUND, "DeviceNotFound", device_id)
    }

    pub(super) fn no_route() -> Self {
        Self::registry(
            StatusCode::NOT_FOUND,
            "GenericNotFound",
            "the local hub does not offer this operation",
        )
    }
}

impl From<HubError> for ServiceError {
    fn from(error: HubError) -> Self {
        let message = error.to_string();
        match error {
            HubError::DeviceNotFound(id) => Self::no_device(&id),
            HubError::DeviceExists(_) => {
                Self::registry(StatusCode::CONFLICT, "DeviceAlreadyExists", &message)
            }
            HubError::EntityTag => {
                Self::registry(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", &message)
            }
            HubError::DeviceId(_) | HubError::Setting(_) | HubError::Twin(_) => Self::bad_request(&message),
            _ => {
                tracing::error!(error = %message, "request failed");
                Self::registry(StatusCode::INTERNAL_SERVER_ERROR, "ServerError", &message)
            }
        }
    }
}

impl From<MethodError> for ServiceError {
    fn from(error: MethodError) -> Self {
        let message = error.to_string();
        let info = |timeout: &std::time::Duration| json!({ "timeout": format_timeout(*timeout) });
        match &error {
            MethodError::NotOnline(timeout) => {
                let message = "Timed out waiting for device to connect.";
                Self::method(StatusCode::NOT_FOUND, 404_103, "DeviceNotOnline", message, &info(timeout))
            }
            MethodError::Disconnected => Self::method(
                StatusCode::NOT_FOUND,
                404_103,
                "DeviceNotOnline",
                "Device unavailable",
                &json!({}),
            ),
            MethodError::NoReply(timeout) => {
                let message = "Timed out waiting for the response from device.";
                Self::method(StatusCode::GATEWAY_TIMEOUT, 504_101, "GatewayTimeout", message, &info(timeout))
            }
            MethodError::TooMany => Self::method(
                StatusCode::TOO_MANY_REQUESTS,
                429_001,
                "ThrottlingException",
                &message,
                &json!({}),
            ),
            MethodError::Request(_) => {
                Self::method(StatusCode::BAD_REQUEST, 400_004, "ArgumentInvalid", &message, &json!({}))
            }
            MethodError::Reply => Self::method(
                StatusCode::BAD_GATEWAY,
                502_001,
                "InvalidResponseWhileProxying",
                &message,
                &json!({}),
            ),
        }
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        response.headers_mut().insert("iothub-errorcode", HeaderValue::from_static(self.name));
        response
    }
}

fn tracking() -> String {
    uuid::Uuid::new_v4().simple().to_string().to_uppercase()
}

fn now() -> String {
    crate::events::iso_time(chrono::Utc::now().timestamp_micros())
}

/// `hh:mm:ss`, as the service writes it.
fn format_timeout(timeout: std::time::Duration) -> String {
    let seconds = timeout.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
