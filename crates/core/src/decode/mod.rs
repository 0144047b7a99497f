//! Step 1: a device's payloads become a [`Frame`]; what cannot be read is rejected, with its reason.
//!
//! A payload is one JSON object. Numbers become signals, texts and booleans states, nested objects are joined with
//! `.`; arrays, long texts and fields beyond the column limit go to `extra`; `null` is the same as absent.

mod alike;
mod builder;
mod row;

use crate::frame::{Frame, SequenceRange};
use crate::time::{Micros, SECOND};

pub use builder::decode;

/// Columns of one frame at the most; further fields go to `extra`.
pub const MAX_COLUMNS: usize = 200;
/// Bytes of a field name at the most; longer ones go to `extra`.
pub const MAX_NAME: usize = 128;
/// Bytes of a state's text at the most; longer ones go to `extra`.
pub const MAX_TEXT: usize = 256;
/// Levels of nested objects.
pub const MAX_DEPTH: usize = 10;
/// IoT Hub's limit for a device-to-cloud message.
pub const MAX_BODY: usize = 262_144;
/// How far a device's clock may be ahead of the hub's before the enqueued time stands in.
pub const MAX_CLOCK_AHEAD: Micros = 300 * SECOND;

/// One event as it came from the partition.
#[derive(Clone, Copy, Debug)]
pub struct RawEvent<'a> {
    /// Sequence number.
    pub sequence: i64,
    /// Enqueued time.
    pub enqueued: Micros,
    /// The authenticated system property `iothub-connection-device-id`.
    pub device: Option<&'a str>,
    /// The system property `iothub-message-source`.
    pub source: Option<&'a str>,
    /// Payload bytes.
    pub body: &'a [u8],
    /// Application properties as a JSON object; empty when there are none.
    pub properties: &'a str,
}

/// Why an event became a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No authenticated device id: it did not come through IoT Hub.
    #[error("the event has no authenticated device id; only messages that came through IoT Hub are accepted")]
    NoDevice,
    /// Not telemetry (twin change, lifecycle, connection state).
    #[error("the event is {0}, not telemetry; route only device messages to this function")]
    NotTelemetry(String),
    /// The payload claims to be of another device.
    #[error("the payload says it is from device {claimed:?}, the hub authenticated {device:?}")]
    OtherDevice {
        /// What the payload says.
        claimed: String,
        /// What the hub authenticated.
        device: String,
    },
    /// Not JSON.
    #[error("the payload is not JSON: {0}")]
    NotJson(String),
    /// JSON, but not an object.
    #[error("the payload is {0}; send one JSON object a message")]
    NotAnObject(&'static str),
    /// Nested too deep.
    #[error("the payload is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Above the limit.
    #[error("the payload has {0} bytes; IoT Hub's limit is {MAX_BODY}")]
    TooLarge(usize),
    /// No field with a value.
    #[error("the payload has no telemetry field")]
    Empty,
}

impl Reason {
    /// A short name for counters and filters.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoDevice => "no-device",
            Self::NotTelemetry(_) => "not-telemetry",
            Self::OtherDevice { .. } => "other-device",
            Self::NotJson(_) => "not-json",
            Self::NotAnObject(_) => "not-an-object",
            Self::TooDeep => "too-deep",
            Self::TooLarge(_) => "too-large",
            Self::Empty => "empty",
        }
    }
}

/// An event that could not be read; everything needed to send it again once mended.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// Sequence number.
    pub sequence: i64,
    /// Enqueued time.
    pub enqueued: Micros,
    /// Device id, if the hub gave one.
    pub device: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Whole payload.
    pub body: Vec<u8>,
    /// Application properties as a JSON object, or empty.
    pub properties: String,
}

/// What decoding gave.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Events that could be read, a row each.
    pub frame: Frame,
    /// Those that could not.
    pub rejected: Vec<Rejected>,
}

/// Where the input came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Partition.
    pub partition: u32,
    /// Range of the input.
    pub range: SequenceRange,
    /// Enqueued time of the first event.
    pub first_enqueued: Micros,
    /// Enqueued time of the last event.
    pub last_enqueued: Micros,
}

#[cfg(test)]
mod tests;
