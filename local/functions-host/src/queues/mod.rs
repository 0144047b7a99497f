//! The port to storage queues, with a durable folder and Azure Storage behind it.

mod azure;
mod folder;
mod shared_key;
mod xml;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

pub use azure::AzureQueues;
pub use folder::FolderQueues;

use crate::QueueError;

/// Largest body: a storage queue holds 64 KiB of text, and the default encoding is base64.
pub const MAX_BODY: usize = 48 * 1024;
/// Days until a message that nobody took is dropped.
pub const TIME_TO_LIVE_DAYS: i64 = 7;

/// How bodies are written to Azure Storage (`extensions.queues.messageEncoding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageEncoding {
    /// Base64; the default of the host.
    Base64,
    /// As text; bodies must be valid UTF-8.
    None,
}

/// A message that was received and is hidden from others until `next_visible`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Stays the same.
    pub id: String,
    /// Needed to delete or release it; changes with every receive.
    pub pop_receipt: String,
    /// How often it was received, this time included.
    pub dequeue_count: i64,
    /// When it was sent.
    pub insertion_time: DateTime<Utc>,
    /// When it is dropped.
    pub expiration: DateTime<Utc>,
    /// When others see it again.
    pub next_visible: DateTime<Utc>,
    /// The body, decoded.
    pub body: Bytes,
}

/// Storage queues. At least once: a received message that is not deleted comes back.
#[async_trait]
pub trait QueueService: Send + Sync + 'static {
    /// Makes the queue; fine when it exists.
    async fn create(&self, queue: &str) -> Result<(), QueueError>;

    /// Adds a message, durable when this returns; the queue must exist.
    async fn send(&self, queue: &str, body: Bytes) -> Result<(), QueueError>;

    /// Up to `max` (1 to 32) visible messages, oldest first, hidden from others for `visibility`.
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<QueueMessage>, QueueError>;

    /// Removes a message for good. [`QueueError::Receipt`] when it is no longer held under this receipt.
    async fn delete(&self, queue: &str, message: &QueueMessage) -> Result<(), QueueError>;

    /// Changes how long a held message stays hidden, from now; gives the new pop receipt and time.
    async fn set_visibility(
        &self,
        queue: &str,
        message: &QueueMessage,
        visibility: Duration,
    ) -> Result<QueueMessage, QueueError>;

    /// Returns after `most`, or earlier when a message may have come.
    async fn wait(&self, _queue: &str, most: Duration) {
        tokio::time::sleep(most).await;
    }
}

/// Checks a queue name against the service's rules.
pub fn check_name(name: &str) -> Result<(), QueueError> {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let dashes = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    if (3..=63).contains(&name.len()) && letters && !dashes {
        Ok(())
    } else {
        Err(QueueError::Name(name.to_owned()))
    }
}

fn check_body(queue: &str, body: &[u8]) -> Result<(), QueueError> {
    if body.len() <= MAX_BODY {
        return Ok(());
    }
    Err(QueueError::TooLarge { queue: queue.to_owned(), length: body.len(), limit: MAX_BODY })
}
