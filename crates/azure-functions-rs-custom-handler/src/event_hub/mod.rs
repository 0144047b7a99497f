//! The Event Hubs trigger (`eventHubTrigger`), which is also how IoT Hub's telemetry arrives.

mod decode;
mod entry;
mod event;
mod many;
mod partition;
mod pattern;
mod single;
mod store;
mod stream;
mod system_properties;
mod walk;

use std::fmt;

use self::event::Record;
use self::store::Store;
use crate::envelope::{RetryContext, SystemMetadata};
use crate::error::DecodeError;

pub use self::event::Event;

/// How the host was told to pass message bodies: `dataType` of the binding in function.json.
///
/// The request does not say which it is, and a short text can look like base64. With cardinality one
/// the decoder sees it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyEncoding {
    /// `"dataType": "binary"`: every byte arrives as it was sent. The right choice for devices, whose
    /// bodies need not be JSON and not even text.
    #[default]
    Binary,
    /// `"dataType": "string"`: invalid UTF-8 has become U+FFFD on the way.
    Text,
    /// No `dataType`: the host has parsed each body as JSON and written it anew (dates and numbers may
    /// look different), and drops a whole batch that holds one body that is not JSON.
    Json,
}

/// What the decoder has to be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct DecodeOptions<'a> {
    /// Name of the trigger's binding; may be left out where the function has no other `in` binding.
    pub binding: Option<&'a str>,
    /// How bodies are encoded.
    pub encoding: BodyEncoding,
}

/// The events of one invocation: all of one partition, in order.
///
/// Bodies and names are offsets into two buffers that the batch owns, so an event costs no allocation.
#[derive(Clone)]
pub struct EventHubBatch {
    /// The function's binding that the events came through.
    pub binding: String,
    /// The partition that all events are of.
    pub partition_id: String,
    /// Host name of the Event Hubs namespace; empty where the host's extension does not say.
    pub fully_qualified_namespace: String,
    /// Name of the event hub; empty where the host's extension does not say.
    pub event_hub_name: String,
    /// The consumer group that the host reads as; empty where the host's extension does not say.
    pub consumer_group: String,
    /// Present on every call of a function with a retry policy, also on the first.
    pub retry_context: Option<RetryContext>,
    /// What the host says about the invocation.
    pub system: SystemMetadata,
    store: Store,
    records: Vec<Record>,
}

impl EventHubBatch {
    /// Decodes the body of a call for `dataType` `binary`, whose trigger binding is named `binding`.
    ///
    /// # Errors
    /// [`DecodeError`] names the field and the place.
    pub fn parse(body: &[u8], binding: &str) -> Result<Self, DecodeError> {
        Self::parse_with(body, &DecodeOptions { binding: Some(binding), encoding: BodyEncoding::Binary })
    }

    /// Decodes the body of a call, cardinality one or many.
    ///
    /// # Errors
    /// [`DecodeError`] names the field and the place.
    pub fn parse_with(body: &[u8], options: &DecodeOptions<'_>) -> Result<Self, DecodeError> {
        decode::decode(body, options)
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The event at `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Event<'_>> {
        self.records.get(index).map(|record| Event { store: &self.store, record })
    }

    /// The events in the order of the partition.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'_>> + DoubleEndedIterator + Clone {
        self.records.iter().map(|record| Event { store: &self.store, record })
    }

    /// Sum of the bodies' lengths in bytes.
    pub fn body_bytes(&self) -> usize {
        self.events().map(|event| event.body().len()).sum()
    }
}

impl fmt::Debug for EventHubBatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventHubBatch")
            .field("partition_id", &self.partition_id)
            .field("event_hub_name", &self.event_hub_name)
            .field("events", &self.records.len())
            .finish_non_exhaustive()
    }
}
