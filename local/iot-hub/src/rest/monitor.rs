//! A stream of events as they are stored, one JSON document a line. Not part of the service's API: it stands in for
//! tools that read the built-in endpoint over AMQP.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::errors::ServiceError;
use crate::events::{EventLog, HubEvent};
use crate::hub::Context;

/// Lines waiting for a slow reader; the log waits with it, and loses nothing.
const WAITING: usize = 64;
/// Events taken from the log at a time.
const TAKE: usize = 64;

#[derive(Debug, Deserialize)]
pub(super) struct EventsQuery {
    /// `latest` (the default) or `earliest`.
    from: Option<String>,
    /// Only this device's events.
    device: Option<String>,
}

pub(super) async fn events(
    State(context): State<Arc<Context>>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, ServiceError> {
    let earliest = match query.from.as_deref() {
        None | Some("latest") => false,
        Some("earliest") => true,
        Some(_) => return Err(ServiceError::bad_request("from must be latest or earliest")),
    };
    // Given back when the stream ends.
    let permit = Arc::clone(&context.monitors)
        .try_acquire_owned()
        .map_err(|_| ServiceError::throttled("too many readers of the event stream"))?;
    let (lines, received) = mpsc::channel::<String>(WAITING);
    for partition in 0..context.events.partition_count() {
        let next = context.events.last_sequence(partition).map_or(0, |last| last + 1);
        let from = if earliest { 0 } else { next };
        let follow = follow(context.events.clone(), partition, from, query.device.clone(), lines.clone());
        let stop = context.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(follow).await });
    }
    let body = stream::unfold((received, permit), |(mut received, permit)| async {
        let line = received.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), (received, permit)))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response())
}

/// Sends a partition's events until the reader goes.
async fn follow(
    events: EventLog,
    partition: u32,
    mut from: i64,
    device: Option<String>,
    lines: mpsc::Sender<String>,
) {
    loop {
        let ready = tokio::select! {
            ready = events.wait(partition, from) => ready,
            () = lines.closed() => return,
        };
        let Ok(()) = ready else { return };
        let batch = match events.read(partition, from, TAKE).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(partition, %error, "cannot read events for a monitor");
                return;
            }
        };
        for event in batch {
            from = event.sequence + 1;
            let wanted = device.as_ref().is_none_or(|device| *device == event.device_id);
            if wanted && lines.send(line(&event)).await.is_err() {
                return;
            }
        }
    }
}

fn line(event: &HubEvent) -> String {
    let mut document = json!({
        "partition": event.partition,
        "sequenceNumber": event.sequence,
        "offset": event.offset.to_string(),
        "enqueuedTimeUtc": event.enqueued_time(),
        "deviceId": event.device_id,
        "systemProperties": event.system_properties,
        "properties": event.properties,
    });
    // JSON as JSON, text as text, anything else as base64 under another name.
    match (serde_json::from_slice::<Value>(&event.body), std::str::from_utf8(&event.body)) {
        (Ok(value), _) => document["body"] = value,
        (Err(_), Ok(text)) => document["body"] = text.into(),
        (Err(_), Err(_)) => document["bodyBase64"] = STANDARD.encode(&event.body).into(),
    }
    format!("{document}\n")
}
