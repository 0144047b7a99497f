//! One event of a batch, as a view into the batch's buffers.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use super::store::{Span, Store};
use crate::error::DecodeError;
use crate::scan::Cursor;

/// The texts that are kept of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Body,
    Offset,
    PartitionKey,
    Properties,
    SystemProperties,
    DeviceId,
    ModuleId,
    AuthGenerationId,
    MessageSource,
    MessageId,
    CorrelationId,
    ContentType,
    ContentEncoding,
    Subject,
}

impl Field {
    const COUNT: usize = Self::Subject as usize + 1;

    /// Those that come from the system properties.
    pub(crate) const SYSTEM: [Self; 9] = [
        Self::DeviceId,
        Self::ModuleId,
        Self::AuthGenerationId,
        Self::MessageSource,
        Self::MessageId,
        Self::CorrelationId,
        Self::ContentType,
        Self::ContentEncoding,
        Self::Subject,
    ];
}

/// What the decoder keeps of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) sequence_number: i64,
    pub(crate) enqueued_time_us: i64,
    spans: [Span; Field::COUNT],
}

impl Record {
    pub(crate) const EMPTY: Self =
        Self { sequence_number: 0, enqueued_time_us: 0, spans: [Span::NONE; Field::COUNT] };

    #[inline]
    pub(crate) fn get(&self, field: Field) -> Span {
        self.spans[field as usize]
    }

    #[inline]
    pub(crate) fn set(&mut self, field: Field, span: Span) {
        self.spans[field as usize] = span;
    }
}

/// One event of an [`EventHubBatch`](super::EventHubBatch).
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub(crate) store: &'a Store,
    pub(crate) record: &'a Record,
}

impl<'a> Event<'a> {
    /// The message, byte for byte as it was sent (with [`BodyEncoding::Json`](super::BodyEncoding): as
    /// the host rewrote it).
    pub fn body(&self) -> &'a [u8] {
        self.store.slice(self.record.get(Field::Body))
    }

    /// Position in the partition; grows by one from event to event.
    pub fn sequence_number(&self) -> i64 {
        self.record.sequence_number
    }

    /// When the hub took the event in, in microseconds since 1970 UTC.
    pub fn enqueued_time_us(&self) -> i64 {
        self.record.enqueued_time_us
    }

    /// The hub's own offset in the partition, which newer hubs no longer write as a number.
    pub fn offset(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::Offset))
    }

    /// The partition key (IoT Hub: the device id), where the sender gave one.
    pub fn partition_key(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::PartitionKey))
    }

    /// `iothub-connection-device-id`: who sent this, as IoT Hub authenticated it.
    pub fn device_id(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::DeviceId))
    }

    /// `iothub-connection-module-id`.
    pub fn module_id(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::ModuleId))
    }

    /// `iothub-connection-auth-generation-id`: differs between devices of one name, one deleted and one
    /// created later.
    pub fn auth_generation_id(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::AuthGenerationId))
    }

    /// `iothub-message-source`: `Telemetry`, `twinChangeEvents` and so on.
    pub fn message_source(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::MessageSource))
    }

    /// `message-id`.
    pub fn message_id(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::MessageId))
    }

    /// `correlation-id`.
    pub fn correlation_id(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::CorrelationId))
    }

    /// `content-type`.
    pub fn content_type(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::ContentType))
    }

    /// `content-encoding`.
    pub fn content_encoding(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::ContentEncoding))
    }

    /// `dt-subject`: the component that a Plug and Play device names.
    pub fn subject(&self) -> Option<&'a str> {
        self.store.text(self.record.get(Field::Subject))
    }

    /// The application properties as JSON text, `{}` where there are none.
    pub fn properties_json(&self) -> &'a str {
        self.store.text(self.record.get(Field::Properties)).unwrap_or("{}")
    }

    /// The system properties as JSON text, `{}` where there are none.
    pub fn system_properties_json(&self) -> &'a str {
        self.store.text(self.record.get(Field::SystemProperties)).unwrap_or("{}")
    }

    /// The application properties, read now.
    ///
    /// # Errors
    /// [`DecodeError::Shape`] if the text is no JSON object; the decoder itself only checks balance.
    pub fn properties(&self) -> Result<Map<String, Value>, DecodeError> {
        serde_json::from_str(self.properties_json())
            .map_err(|cause| DecodeError::shape("Metadata.PropertiesArray", &cause))
    }

    /// One application property as text, found without reading the others.
    pub fn property(&self, name: &str) -> Option<Cow<'a, str>> {
        find_member(self.properties_json(), name)
    }

    /// One system property as text, for those without a method of their own.
    pub fn system_property(&self, name: &str) -> Option<Cow<'a, str>> {
        find_member(self.system_properties_json(), name)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Event")
            .field("sequence_number", &self.sequence_number())
            .field("enqueued_time_us", &self.enqueued_time_us())
            .field("device_id", &self.device_id())
            .field("body_length", &self.body().len())
            .finish_non_exhaustive()
    }
}

/// Text of a member: a string's content, a scalar's JSON text; nothing for `null`.
fn find_member<'a>(object: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut cursor = Cursor::new(object.as_bytes());
    cursor.expect(b'{', "`{`").ok()?;
    let mut first = true;
    while let Some(key) = cursor.next_member(&mut first).ok()? {
        let mut unescaped = Vec::new();
        let found = if key.escaped {
            cursor.unescape_token(key, &mut unescaped).ok()?;
            unescaped == name.as_bytes()
        } else {
            cursor.bytes(key) == name.as_bytes()
        };
        if !found {
            cursor.skip_value().ok()?;
            continue;
        }
        if cursor.peek() != Some(b'"') {
            let raw = std::str::from_utf8(cursor.raw_value().ok()?).ok()?;
            return (raw != "null").then_some(Cow::Borrowed(raw));
        }
        let token = cursor.string().ok()?;
        if !token.escaped {
            return object.get(token.start..token.end).map(Cow::Borrowed);
        }
        let mut text = Vec::new();
        cursor.unescape_token(token, &mut text).ok()?;
        return String::from_utf8(text).ok().map(Cow::Owned);
    }
    None
}
