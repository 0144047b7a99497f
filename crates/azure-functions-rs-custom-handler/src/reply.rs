//! What a handler answers the host.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64_simd::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Why a reply could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// A value has no JSON form, for example a map whose keys are no strings.
    #[error("the output for binding `{binding}` has no JSON form")]
    NotJson {
        /// The output binding.
        binding: String,
        /// What the JSON writer said.
        #[source]
        cause: serde_json::Error,
    },
    /// [`Reply::message`] after [`Reply::output`] for the same binding.
    #[error("binding `{binding}` already has an output that is not a list of messages; use one of the two")]
    NotMessages {
        /// The output binding.
        binding: String,
    },
}

/// The answer to an invocation: `{"Outputs":{…},"Logs":[…],"ReturnValue":…}`.
///
/// As a response it always has a JSON body. That matters: the host waits until `functionTimeout` after a
/// 200 without a body or with the body `null`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    status: StatusCode,
    outputs: Map<String, Value>,
    logs: Vec<String>,
    return_value: Value,
    error: Option<String>,
}

/// The value of an `http` output binding.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpOutput {
    /// HTTP status for the client.
    pub status_code: u16,
    /// Headers for the client; `content-type` sets the type.
    pub headers: Map<String, Value>,
    /// Body for the client; objects are written as JSON text.
    pub body: Value,
}

impl HttpOutput {
    /// A response with a JSON body.
    pub fn json(status_code: u16, body: impl Into<Value>) -> Self {
        Self::new(status_code, "application/json", body.into())
    }

    /// A response with a text body.
    pub fn text(status_code: u16, body: impl Into<String>) -> Self {
        Self::new(status_code, "text/plain; charset=utf-8", Value::String(body.into()))
    }

    fn new(status_code: u16, content_type: &str, body: Value) -> Self {
        let mut headers = Map::new();
        headers.insert("content-type".to_owned(), Value::String(content_type.to_owned()));
        Self { status_code, headers, body }
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), Value::String(value.into()));
        self
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self::ok()
    }
}

impl Reply {
    /// Success with nothing to say.
    pub fn ok() -> Self {
        Self {
            status: StatusCode::OK,
            outputs: Map::new(),
            logs: Vec::new(),
            return_value: Value::Null,
            error: None,
        }
    }

    /// A failed invocation: a retry policy runs it again. The host ignores outputs and logs of a failure,
    /// so the cause is logged when the reply is sent. A status that the host would take for success or
    /// follow as a redirection becomes 500.
    pub fn failed(status: StatusCode, cause: impl std::fmt::Display) -> Self {
        let failure = status.is_client_error() || status.is_server_error();
        Self {
            status: if failure { status } else { StatusCode::INTERNAL_SERVER_ERROR },
            error: Some(cause.to_string()),
            ..Self::ok()
        }
    }

    /// Adds one message for a binding that collects them (queue, event hub). It may be called often.
    ///
    /// Messages travel as elements of an array, which the host never mistakes for base64.
    ///
    /// # Errors
    /// [`ReplyError`] if the message has no JSON form or the binding has another output already.
    pub fn message(mut self, binding: &str, message: &impl Serialize) -> Result<Self, ReplyError> {
        let message = serde_json::to_value(message)
            .map_err(|cause| ReplyError::NotJson { binding: binding.to_owned(), cause })?;
        let list = self.outputs.entry(binding).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(list) = list else {
            return Err(ReplyError::NotMessages { binding: binding.to_owned() });
        };
        list.push(message);
        Ok(self)
    }

    /// Adds the messages in order, as [`Reply::message`] does for each.
    ///
    /// # Errors
    /// As [`Reply::message`].
    pub fn messages<T: Serialize>(
        mut self,
        binding: &str,
        messages: impl IntoIterator<Item = T>,
    ) -> Result<Self, ReplyError> {
        for message in messages {
            self = self.message(binding, &message)?;
        }
        Ok(self)
    }

    /// Sets an output value. Of a list the host makes one message an element.
    ///
    /// A text that the host would take for base64 is encoded, so that the host's decoding gives it back; this
    /// holds for bindings without `dataType` `binary`.
    #[must_use]
    pub fn output(mut self, binding: impl Into<String>, value: impl Into<Value>) -> Self {
        self.outputs.insert(binding.into(), guarded(value.into()));
        self
    }

    /// Sets an output of bytes (blob, queue), for bindings without `dataType` `binary`.
    #[must_use]
    pub fn output_bytes(mut self, binding: impl Into<String>, bytes: &[u8]) -> Self {
        self.outputs.insert(binding.into(), Value::String(STANDARD.encode_to_string(bytes)));
        self
    }

    /// Sets the response of an `http` output binding.
    #[must_use]
    pub fn http(self, binding: impl Into<String>, response: HttpOutput) -> Self {
        let HttpOutput { status_code, headers, body } = response;
        self.output(binding, json!({ "statusCode": status_code, "headers": headers, "body": body }))
    }

    /// Adds a line that the host logs for this invocation.
    #[must_use]
    pub fn log(mut self, line: impl Into<String>) -> Self {
        self.logs.push(line.into());
        self
    }

    /// Sets the value for the binding named `$return`.
    #[must_use]
    pub fn return_value(mut self, value: impl Into<Value>) -> Self {
        self.return_value = guarded(value.into());
        self
    }

    /// The status that the host will see.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body as JSON.
    pub fn into_json(self) -> Value {
        match self.error {
            Some(error) => json!({ "error": error }),
            None => json!({ "Outputs": self.outputs, "Logs": self.logs, "ReturnValue": self.return_value }),
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = self.status;
        if let Some(cause) = &self.error {
            tracing::error!(status = status.as_u16(), "the invocation failed: {cause}");
        }
        (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], self.into_json().to_string())
            .into_response()
    }
}

/// A failure with its cause, for handlers that return `Result<Reply, ReplyError>`.
impl IntoResponse for ReplyError {
    fn into_response(self) -> Response {
        Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, self).into_response()
    }
}

fn guarded(value: Value) -> Value {
    match value {
        Value::String(text) if would_be_decoded(&text) => Value::String(STANDARD.encode_to_string(text)),
        value => value,
    }
}

/// Whether the host would take an output text for base64 and decode it (the rules of .NET's
/// `Convert.FromBase64String`: white space is skipped, the alphabet is the standard one, padding is needed).
pub fn would_be_decoded(text: &str) -> bool {
    let mut length = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        length += 1;
    }
    padding <= 2 && length.is_multiple_of(4)
}
