//! The port through which events of a hub's partitions arrive, and an in-memory one for tests and trials.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::sync::Mutex;
use tokio::sync::Notify;

/// Whatever the source of events says when it cannot be read.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// One event of a partition, as Event Hubs keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceEvent {
    /// Position in the partition; grows by one.
    pub sequence_number: i64,
    /// Opaque position text; usually a number.
    pub offset: String,
    /// When the hub took it, microseconds since 1970 UTC.
    pub enqueued_time_us: i64,
    /// The payload.
    pub body: Bytes,
    /// System properties under the names a function sees (`iothub-connection-device-id`, `x-opt-partition-key`, …).
    /// The host adds `x-opt-sequence-number` and its kin where they are missing.
    pub system_properties: Map<String, Value>,
    /// Application properties.
    pub properties: Map<String, Value>,
}

/// An Event Hub, or something with its guarantees: partitions that keep their order, read by position.
#[async_trait]
pub trait EventSource: Send + Sync + 'static {
    /// How many partitions; fixed for the life of the source.
    fn partition_count(&self) -> u32;

    /// Events with a sequence number of at least `from_sequence`, oldest first, at most `max`; empty when there are none yet.
    async fn read(
        &self,
        partition: u32,
        from_sequence: i64,
        max: usize,
    ) -> Result<Vec<SourceEvent>, SourceError>;

    /// Returns when an event at or after `from_sequence` may be there. May return early; must not miss one.
    async fn wait(&self, partition: u32, from_sequence: i64);

    /// The namespace shown in `PartitionContext`.
    fn fully_qualified_namespace(&self) -> String {
        "localhost".to_owned()
    }
}

/// An event source in memory.
#[derive(Debug)]
pub struct MemoryEventSource {
    partitions: Vec<Mutex<Vec<SourceEvent>>>,
    arrived: Notify,
}

impl MemoryEventSource {
    /// An empty source.
    pub fn new(partitions: u32) -> Self {
        Self { partitions: (0..partitions).map(|_| Mutex::default()).collect(), arrived: Notify::new() }
    }

    /// Appends an event; sequence number and offset follow from its place. Returns the sequence number, or none when there
    /// is no such partition.
    pub fn push(
        &self,
        partition: u32,
        body: impl Into<Bytes>,
        enqueued_time_us: i64,
        system_properties: Map<String, Value>,
        properties: Map<String, Value>,
    ) -> Option<i64> {
        let mut events = lock(self.partitions.get(partition as usize)?);
        let sequence_number = i64::try_from(events.len()).ok()?;
        events.push(SourceEvent {
            sequence_number,
            offset: (sequence_number * 512).to_string(),
            enqueued_time_us,
            body: body.into(),
            system_properties,
            properties,
        });
        drop(events);
        self.arrived.notify_waiters();
        Some(sequence_number)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[async_trait]
impl EventSource for MemoryEventSource {
    fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    async fn read(
        &self,
        partition: u32,
        from_sequence: i64,
        max: usize,
    ) -> Result<Vec<SourceEvent>, SourceError> {
        let events = self.partitions.get(partition as usize).ok_or("no such partition")?;
        let start = usize::try_from(from_sequence.max(0))?;
        Ok(lock(events).iter().skip(start).take(max).cloned().collect())
    }

    async fn wait(&self, partition: u32, from_sequence: i64) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // Registered before looking, so that an event between the look and the wait is not missed.
            arrived.as_mut().enable();
            let length = self.partitions.get(partition as usize).map_or(0, |events| lock(events).len());
            if i64::try_from(length).unwrap_or(i64::MAX) > from_sequence {
                return;
            }
            arrived.await;
        }
    }
}
