//! The event log: what devices sent, in partitions with gapless sequence numbers.
//!
//! A device's events always go to the same partition, so they keep their order. An append returns when the event is
//! in its file; a read finds new events in memory and older ones on disk.

mod partition;
mod record;
mod segments;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::HubConfig;
use crate::error::HubError;
use crate::files;
use partition::Partition;

/// One stored event, as a reader of the built-in endpoint sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubEvent {
    /// Partition, counted from 0.
    pub partition: u32,
    /// Number within the partition: begins at 0, no holes.
    pub sequence: i64,
    /// Position within the partition in bytes; grows with every event, across retention.
    pub offset: i64,
    /// When the hub stored it: microseconds since 1970, UTC; never runs backwards within a partition.
    pub enqueued_us: i64,
    /// The device that sent it, as authenticated by the hub.
    pub device_id: String,
    /// `iothub-connection-device-id`, `iothub-enqueuedtime`, `content-type` and so on.
    pub system_properties: BTreeMap<String, String>,
    /// What the device attached.
    pub properties: BTreeMap<String, String>,
    /// The payload, byte for byte.
    pub body: Bytes,
}

impl HubEvent {
    /// [`Self::enqueued_us`] as ISO 8601 text with milliseconds, the form of `iothub-enqueuedtime`.
    pub fn enqueued_time(&self) -> String {
        iso_time(self.enqueued_us)
    }

    fn footprint(&self) -> usize {
        let map =
            |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| k.len() + v.len() + 64).sum::<usize>();
        256 + self.body.len() + self.device_id.len() + map(&self.system_properties) + map(&self.properties)
    }
}

/// An event before the log gave it its place. The log adds `iothub-enqueuedtime`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEvent {
    /// Chooses the partition.
    pub device_id: String,
    /// System properties.
    pub system_properties: BTreeMap<String, String>,
    /// Application properties.
    pub properties: BTreeMap<String, String>,
    /// Payload.
    pub body: Bytes,
}

/// The partitions of a hub; cheap to clone.
#[derive(Debug, Clone)]
pub struct EventLog {
    partitions: Arc<[Partition]>,
}

impl EventLog {
    /// Opens the log of a folder: a tail that a crash tore is cut off, files beyond the retention size go.
    pub(crate) fn open(folder: &Path, config: &HubConfig) -> Result<Self, HubError> {
        let count = config.partitions;
        if !(1..=32).contains(&count) {
            return Err(HubError::Setting(format!("a hub has 1 to 32 partitions, not {count}")));
        }
        files::create_folder(folder).map_err(HubError::file("create", folder))?;
        check_count(folder, count)?;
        let partitions: Result<Vec<Partition>, HubError> =
            (0..count).map(|partition| Partition::open(folder, partition, config)).collect();
        Ok(Self { partitions: partitions?.into() })
    }

    /// How many partitions there are.
    pub fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// The partition of a device's events: the same for ever, as long as the number of partitions is.
    pub fn partition_of(&self, device_id: &str) -> u32 {
        // FNV-1a, because its result depends on neither this program's version nor the machine.
        let hash = device_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        u32::try_from((hash ^ (hash >> 32)) % u64::from(self.partition_count())).unwrap_or(0)
    }

    /// Number of the newest event; `None` while the partition is empty or if it does not exist.
    pub fn last_sequence(&self, partition: u32) -> Option<i64> {
        let next = self.partitions.get(usize::try_from(partition).ok()?)?.next_sequence();
        (next > 0).then(|| next - 1)
    }

    /// Number of the oldest event still kept (the next number if none is).
    pub fn first_sequence(&self, partition: u32) -> Option<i64> {
        Some(self.partitions.get(usize::try_from(partition).ok()?)?.first_sequence())
    }

    /// Up to `max` events with numbers from `from_sequence` on, in order; empty if there are none yet. Begins at the
    /// oldest event if retention has removed the one asked for. At most 16 MB of events come at a time (always one).
    pub async fn read(
        &self,
        partition: u32,
        from_sequence: i64,
        max: usize,
    ) -> Result<Vec<Arc<HubEvent>>, HubError> {
        self.partition(partition)?.read(from_sequence, max).await
    }

    /// Resolves when an event with this number or a higher one exists; fails when the hub stops first.
    pub async fn wait(&self, partition: u32, from_sequence: i64) -> Result<(), HubError> {
        self.partition(partition)?.wait(from_sequence).await
    }

    /// Stores one event and returns it with its place.
    pub async fn append(&self, event: NewEvent) -> Result<Arc<HubEvent>, HubError> {
        let mut stored = self.append_batch(vec![event]).await?;
        stored.pop().ok_or(HubError::LogClosed)
    }

    /// Stores events of one device, in order and in one write. All of them go to the first one's partition.
    pub async fn append_batch(&self, events: Vec<NewEvent>) -> Result<Vec<Arc<HubEvent>>, HubError> {
        let Some(first) = events.first() else { return Ok(Vec::new()) };
        self.partition(self.partition_of(&first.device_id))?.append(events).await
    }

    /// Stops the writers after what they hold is stored and on the disk.
    pub(crate) async fn close(&self) {
        for partition in self.partitions.iter() {
            partition.close().await;
        }
    }

    fn partition(&self, partition: u32) -> Result<&Partition, HubError> {
        usize::try_from(partition)
            .ok()
            .and_then(|index| self.partitions.get(index))
            .ok_or_else(|| HubError::NoPartition { partition, count: self.partition_count() })
    }
}

/// Remembers the number of partitions: with another one, a device's events would continue elsewhere and lose order.
fn check_count(folder: &Path, asked: u32) -> Result<(), HubError> {
    let path = folder.join("partitions");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let stored = text
                .trim()
                .parse()
                .map_err(|_| HubError::Corrupt { path, reason: "it should hold one number".to_owned() })?;
            if stored == asked { Ok(()) } else { Err(HubError::Partitions { stored, asked }) }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            files::write_private(&path, asked.to_string().as_bytes()).map_err(HubError::file("write", path))
        }
        Err(error) => Err(HubError::file("read", path)(error)),
    }
}

/// Microseconds since 1970 as `2026-01-02T03:04:05.678Z`.
pub(crate) fn iso_time(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
