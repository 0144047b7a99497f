//! Endpoints: what they are configured as, and the port behind which each kind stands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::CloudEvent;
use super::partition_log::PartitionLog;
use super::post::{EventGrid, StorageQueue};
use crate::config::TwinsError;

/// An endpoint of the instance. On Azure these are made through the control plane.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Name that routes refer to: letters, digits and hyphens.
    pub name: String,
    /// What stands behind it.
    pub kind: EndpointKind,
    /// How hard delivery is tried.
    pub delivery: Delivery,
}

impl EndpointConfig {
    /// An endpoint with the default delivery.
    pub fn new(name: impl Into<String>, kind: EndpointKind) -> Self {
        Self { name: name.into(), kind, delivery: Delivery::default() }
    }
}

/// What stands behind an endpoint.
#[derive(Debug, Clone)]
pub enum EndpointKind {
    /// An HTTP address that takes batches as an Event Grid topic or a webhook does.
    EventGrid {
        /// The address; its query may carry a key.
        url: String,
        /// The shape of the events.
        schema: EventGridSchema,
        /// Asks for permission with the OPTIONS request of "CloudEvents webhooks" before the first delivery.
        handshake: bool,
        /// Sent in the header `aeg-sas-key`, when given.
        key: Option<String>,
    },
    /// A queue of Azure Storage or Azurite: the address of the queue with a shared access signature.
    StorageQueue {
        /// As in `http://127.0.0.1:10001/devstoreaccount1/events?sv=…&sig=…`.
        url: String,
    },
    /// Files on this machine, one for each partition, with a line for each event.
    PartitionLog {
        /// Where the files are.
        folder: PathBuf,
        /// Number of partitions; events of one subject stay in one of them, in order.
        partitions: u32,
    },
    /// Anything else in this process.
    Sink(Arc<dyn EventSink>),
}

/// The shape of events that go to Event Grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventGridSchema {
    /// CloudEvents 1.0.
    #[default]
    CloudEvents,
    /// Event Grid's own.
    EventGrid,
}

/// How hard delivery is tried before an event becomes a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Attempts for a batch.
    pub attempts: u32,
    /// Pause after the first failed attempt; it doubles with each one.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// Events in one batch.
    pub batch: usize,
    /// Events that may wait; more become dead letters at once.
    pub waiting: u64,
}

impl Default for Delivery {
    /// 12 attempts, from 0.5 seconds to 60; 100 events a batch; 100,000 waiting.
    fn default() -> Self {
        Self {
            attempts: 12,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            batch: 100,
            waiting: 100_000,
        }
    }
}

/// Why a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may be taken later.
    #[error("{reason}")]
    Later {
        /// The cause.
        reason: String,
        /// How long the endpoint asks to wait.
        after: Option<Duration>,
    },
    /// It will never be taken.
    #[error("{0}")]
    Never(String),
}

impl SendError {
    pub(super) fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }
}

/// Takes events in order.
#[async_trait::async_trait]
pub trait EventSink: std::fmt::Debug + Send + Sync {
    /// Takes a batch. It comes again, whole, after an error or a restart: the ids of events tell doubles apart.
    ///
    /// # Errors
    /// Whether the batch should come again.
    async fn send(&self, events: &[CloudEvent]) -> Result<(), SendError>;
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = (2..=49).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(()) } else { Err("its name must have 2 to 49 letters, digits or hyphens".to_owned()) }
}

/// Makes the sink of an endpoint.
pub(crate) fn open_sink(
    endpoint: &EndpointConfig,
    client: &reqwest::Client,
) -> Result<Arc<dyn EventSink>, TwinsError> {
    let fault = |reason: String| TwinsError::Endpoint { name: endpoint.name.clone(), reason };
    check_name(&endpoint.name).map_err(fault)?;
    let address = |url: &str| {
        let parsed = url::Url::parse(url).map_err(|error| fault(format!("its address is none: {error}")))?;
        if matches!(parsed.scheme(), "http" | "https") {
            Ok(parsed)
        } else {
            Err(fault("its address must begin with http or https".to_owned()))
        }
    };
    if endpoint.delivery.attempts == 0 || endpoint.delivery.batch == 0 {
        return Err(fault("its delivery needs at least one attempt and one event a batch".to_owned()));
    }
    Ok(match &endpoint.kind {
        EndpointKind::EventGrid { url, schema, handshake, key } => {
            Arc::new(EventGrid::new(client.clone(), address(url)?, *schema, *handshake, key.clone()))
        }
        EndpointKind::StorageQueue { url } => Arc::new(StorageQueue::new(client.clone(), address(url)?)),
        EndpointKind::PartitionLog { folder, partitions } => {
            let log = PartitionLog::open(folder, *partitions).map_err(|error| fault(error.to_string()))?;
            Arc::new(log)
        }
        EndpointKind::Sink(sink) => Arc::clone(sink),
    })
}
