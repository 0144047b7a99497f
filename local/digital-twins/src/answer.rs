//! Refusals: the errors of the service, as it puts them on the wire.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A request that is refused: status, code and message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) details: Vec<(&'static str, String)>,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Error,
    Throttled,
    Unauthorized,
    Problem,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into(), details: Vec::new(), shape: Shape::Error }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }

    /// A body that breaks its model: one detail for each fault.
    pub(crate) fn validation(message: impl Into<String>, faults: Vec<String>) -> Self {
        let details = faults.into_iter().map(|fault| ("ValidationFailed", fault)).collect();
        Self { details, ..Self::bad("ValidationFailed", message) }
    }

    pub(crate) fn throttled(code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            code,
            message: message.into(),
            details: Vec::new(),
            shape: Shape::Throttled,
        }
    }

    pub(crate) fn unauthorized() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: None,
            message: "Unauthorized".into(),
            details: Vec::new(),
            shape: Shape::Unauthorized,
        }
    }

    /// A body that does not even bind to the shape of the request.
    pub(crate) fn problem(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: None,
            message: message.into(),
            details: Vec::new(),
            shape: Shape::Problem,
        }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    pub(crate) fn body(&self) -> Value {
        match self.shape {
            Shape::Unauthorized => json!({"statusCode": 401, "message": "Unauthorized"}),
            Shape::Throttled => {
                let mut error = json!({"statusCode": 429, "message": self.message});
                if let Some(code) = self.code {
                    error["code"] = code.into();
                }
                json!({ "error": error })
            }
            Shape::Problem => json!({
                "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
                "title": "One or more validation errors occurred.",
                "status": 400,
                "errors": {"$": [self.message]},
            }),
            Shape::Error => {
                let mut error = json!({"code": self.code, "message": self.message});
                if !self.details.is_empty() {
                    let details =
                        self.details.iter().map(|(code, message)| json!({"code": code, "message": message}));
                    error["details"] = details.collect();
                }
                json!({ "error": error })
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let kind = if self.shape == Shape::Problem { "application/problem+json" } else { "application/json" };
        let mut response =
            (self.status, [(header::CONTENT_TYPE, kind)], self.body().to_string()).into_response();
        let headers = response.headers_mut();
        if let Some(code) = self.code {
            headers.insert("x-ms-error-code", HeaderValue::from_static(code));
        }
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
