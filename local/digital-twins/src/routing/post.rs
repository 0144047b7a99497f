//! Endpoints behind HTTP: Event Grid topics or webhooks, and storage queues.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use url::Url;

use super::CloudEvent;
use super::endpoint::{EventGridSchema, EventSink, SendError};

/// Longest time that one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest message of a storage queue, after base64 ("Scalability targets for queue storage").
const LARGEST_MESSAGE: usize = 64 * 1024;

/// An address that takes batches of events.
#[derive(Debug)]
pub(super) struct EventGrid {
    client: Client,
    url: Url,
    schema: EventGridSchema,
    key: Option<String>,
    /// Still to be asked for permission.
    handshake: AtomicBool,
}

/// What an answer means for the batch.
fn verdict(response: &Response) -> Result<(), SendError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("the endpoint answered {status}");
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    match status.as_u16() {
        // What is wrong with the request stays wrong; a missing resource or right may be put right.
        400 | 413 | 415 | 422 => Err(SendError::Never(reason)),
        _ => Err(SendError::Later { reason, after: after.map(Duration::from_secs) }),
    }
}

fn unreachable(error: &reqwest::Error) -> SendError {
    // The address may carry a key: it must not reach a log.
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    SendError::later(format!("the endpoint could not be reached: {cause}"))
}

impl EventGrid {
    pub(super) fn new(
        client: Client,
        url: Url,
        schema: EventGridSchema,
        handshake: bool,
        key: Option<String>,
    ) -> Self {
        Self { client, url, schema, key, handshake: AtomicBool::new(handshake) }
    }

    async fn ask(&self) -> Result<(), SendError> {
        let request = self.client.request(Method::OPTIONS, self.url.clone()).timeout(PATIENCE);
        let origin = "digitaltwins.local";
        let response = request
            .header("webhook-request-origin", origin)
            .send()
            .await
            .map_err(|error| unreachable(&error))?;
        verdict(&response)?;
        let allowed = response.headers().get("webhook-allowed-origin").and_then(|value| value.to_str().ok());
        if allowed.is_some_and(|allowed| allowed == "*" || allowed == origin) {
            self.handshake.store(false, Ordering::Relaxed);
            return Ok(());
        }
        Err(SendError::later("the endpoint did not answer WebHook-Allowed-Origin to the handshake"))
    }

    fn shape(&self, event: &CloudEvent) -> Value {
        match self.schema {
            EventGridSchema::CloudEvents => {
                let mut shaped = json!({"specversion": event.specversion, "id": event.id, "type": event.kind, "source": event.source,
                    "time": event.time, "datacontenttype": event.datacontenttype, "traceparent": event.traceparent, "data": event.wrapped()});
                if let Some(subject) = &event.subject {
                    shaped["subject"] = subject.as_str().into();
                }
                shaped
            }
            EventGridSchema::EventGrid => {
                json!({"id": event.id, "topic": event.source, "subject": event.subject.as_deref().unwrap_or_default(),
                "eventType": event.kind, "eventTime": event.time, "data": event.wrapped(), "dataVersion": "1.0", "metadataVersion": "1"})
            }
        }
    }
}

#[async_trait::async_trait]
impl EventSink for EventGrid {
    async fn send(&self, events: &[CloudEvent]) -> Result<(), SendError> {
        if self.handshake.load(Ordering::Relaxed) {
            self.ask().await?;
        }
        let kind = match self.schema {
            EventGridSchema::CloudEvents => "application/cloudevents-batch+json; charset=utf-8",
            EventGridSchema::EventGrid => "application/json; charset=utf-8",
        };
        let body: Value = events.iter().map(|event| self.shape(event)).collect();
        let mut request = self.client.post(self.url.clone()).timeout(PATIENCE).header("content-type", kind);
        request = request.header("aeg-event-type", "Notification");
        if let Some(key) = &self.key {
            request = request.header("aeg-sas-key", key);
        }
        let response = request.body(body.to_string()).send().await.map_err(|error| unreachable(&error))?;
        verdict(&response)
    }
}

/// A queue of Azure Storage: one message for each event, in base64 as functions expect it.
#[derive(Debug)]
pub(super) struct StorageQueue {
    client: Client,
    messages: Url,
}

impl StorageQueue {
    pub(super) fn new(client: Client, mut queue: Url) -> Self {
        let path = format!("{}/messages", queue.path().trim_end_matches('/'));
        queue.set_path(&path);
        Self { client, messages: queue }
    }
}

#[async_trait::async_trait]
impl EventSink for StorageQueue {
    async fn send(&self, events: &[CloudEvent]) -> Result<(), SendError> {
        for event in events {
            let text = serde_json::to_vec(event).map_err(|error| SendError::Never(error.to_string()))?;
            let message = STANDARD.encode(text);
            if message.len() > LARGEST_MESSAGE {
                return Err(SendError::Never(format!(
                    "the event has {} bytes in base64 and a queue takes {LARGEST_MESSAGE}",
                    message.len()
                )));
            }
            let body = format!("<QueueMessage><MessageText>{message}</MessageText></QueueMessage>");
            let request = self.client.post(self.messages.clone()).timeout(PATIENCE);
            let request =
                request.header("content-type", "application/xml").header("x-ms-version", "2021-12-02");
            let response = request.body(body).send().await.map_err(|error| unreachable(&error))?;
            verdict(&response)?;
        }
        Ok(())
    }
}
