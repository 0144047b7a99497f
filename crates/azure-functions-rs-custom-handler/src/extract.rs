//! The triggers as axum extractors.

use std::future::poll_fn;
use std::pin::Pin;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::context::InvocationContext;
use crate::error::DecodeError;
use crate::event_hub::{BodyEncoding, DecodeOptions, EventHubBatch};
use crate::http::HttpInvocation;
use crate::queue::QueueInvocation;
use crate::spare;
use crate::timer::TimerInvocation;

/// What is reserved at most on the word of a Content-Length header, before any byte has come.
const LARGEST_RESERVE: usize = 4 << 20;

/// The largest body that the extractors read, in bytes; by default the host's own limit of 100 MiB.
/// Lower it with `router.layer(axum::Extension(BodyLimit(…)))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(104_857_600)
    }
}

/// Name of the trigger's binding for functions that have further `in` bindings:
/// `post(handler).layer(axum::Extension(BindingName("events")))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingName(pub &'static str);

/// Extracts a batch of the Event Hubs trigger with `dataType` `binary`.
#[derive(Debug, Clone)]
pub struct EventHubTrigger(pub EventHubBatch);

/// Extracts a batch of the Event Hubs trigger with `dataType` `string`.
#[derive(Debug, Clone)]
pub struct EventHubTextTrigger(pub EventHubBatch);

/// Extracts a batch of the Event Hubs trigger without `dataType`, whose bodies the host read as JSON.
#[derive(Debug, Clone)]
pub struct EventHubJsonTrigger(pub EventHubBatch);

/// Extracts a run of the timer trigger.
#[derive(Debug, Clone)]
pub struct TimerTrigger(pub TimerInvocation);

/// Extracts a message of the storage queue trigger.
#[derive(Debug, Clone)]
pub struct QueueTrigger(pub QueueInvocation);

/// Extracts a request of the HTTP trigger without proxying.
#[derive(Debug, Clone)]
pub struct HttpTrigger(pub HttpInvocation);

/// Why an extractor gave up. As a response it is never 2xx, so that the host counts the invocation as
/// failed, and it is logged, since the host throws the text of failed calls away.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TriggerRejection {
    /// The body is not what the trigger sends.
    #[error("cannot decode the invocation: {0}")]
    Decode(#[from] DecodeError),
    /// The body is larger than the handler allows.
    #[error(
        "the body is larger than {limit} bytes; raise `BodyLimit` or lower `maxEventBatchSize` in host.json"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection broke off.
    #[error("the body could not be read to its end")]
    Interrupted(#[source] axum::Error),
}

impl TriggerRejection {
    /// The status that the host is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Decode(_) | Self::Interrupted(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for TriggerRejection {
    fn into_response(self) -> Response {
        (self.status(), Json(serde_json::json!({ "error": self.to_string() }))).into_response()
    }
}

async fn extract<T>(
    request: Request,
    decode: impl FnOnce(&[u8], Option<&str>) -> Result<T, DecodeError>,
) -> Result<T, TriggerRejection> {
    let (parts, body) = request.into_parts();
    let binding = parts.extensions.get::<BindingName>().map(|name| name.0);
    let outcome = match read(&parts, body).await {
        Ok(body) => {
            let decoded = decode(&body, binding).map_err(TriggerRejection::from);
            spare::give(body);
            decoded
        }
        Err(rejection) => Err(rejection),
    };
    if let Err(rejection) = &outcome {
        let context = InvocationContext::from_headers(&parts.headers);
        tracing::error!(
            function = parts.uri.path(),
            invocation_id = context.invocation_id.as_deref().unwrap_or("none"),
            cause = std::error::Error::source(rejection).map(tracing::field::display),
            "{rejection}"
        );
    }
    outcome
}

/// Reads a body of either framing: the host sends chunks, and under Core Tools a length.
async fn read(parts: &Parts, mut body: Body) -> Result<Vec<u8>, TriggerRejection> {
    let BodyLimit(limit) = parts.extensions.get::<BodyLimit>().copied().unwrap_or_default();
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(TriggerRejection::TooLarge { limit });
    }
    let mut bytes = spare::take();
    bytes.clear();
    bytes.reserve(announced.unwrap_or(0).min(LARGEST_RESERVE));
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(chunk) = frame.map_err(TriggerRejection::Interrupted)?.into_data() {
            if chunk.len() > limit - bytes.len() {
                return Err(TriggerRejection::TooLarge { limit });
            }
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(bytes)
}

macro_rules! event_hub_extractor {
    ($name:ident, $encoding:ident) => {
        impl<S: Send + Sync> FromRequest<S> for $name {
            type Rejection = TriggerRejection;

            async fn from_request(request: Request, _: &S) -> Result<Self, TriggerRejection> {
                let decode = |body: &[u8], binding: Option<&str>| {
                    EventHubBatch::parse_with(
                        body,
                        &DecodeOptions { binding, encoding: BodyEncoding::$encoding },
                    )
                };
                extract(request, decode).await.map(Self)
            }
        }
    };
}

event_hub_extractor!(EventHubTrigger, Binary);
event_hub_extractor!(EventHubTextTrigger, Text);
event_hub_extractor!(EventHubJsonTrigger, Json);

macro_rules! extractor {
    ($name:ident, $invocation:ident) => {
        impl<S: Send + Sync> FromRequest<S> for $name {
            type Rejection = TriggerRejection;

            async fn from_request(request: Request, _: &S) -> Result<Self, TriggerRejection> {
                extract(request, $invocation::parse).await.map(Self)
            }
        }
    };
}

extractor!(TimerTrigger, TimerInvocation);
extractor!(QueueTrigger, QueueInvocation);
extractor!(HttpTrigger, HttpInvocation);
