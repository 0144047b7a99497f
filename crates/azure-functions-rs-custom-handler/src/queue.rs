//! The storage queue trigger (`queueTrigger`).

use base64_simd::STANDARD;

use crate::envelope::{
    self, RetryContext, Shadows, SystemMetadata, Visitor, scalar_integer, scalar_text, scalar_time,
    second_decoding, value_text,
};
use crate::error::{DecodeError, Fault, Problem};
use crate::scan::Cursor;

/// One message of a storage queue.
///
/// The host copies the top-level fields of a JSON message over its own metadata. A fact that the message
/// may have overwritten is `None` here: it would be the sender's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueInvocation {
    /// The function's binding that the message came through.
    pub binding: String,
    /// The message: its UTF-8 text, or its bytes with `dataType` `binary`.
    pub body: Vec<u8>,
    /// The queue's id of the message.
    pub id: Option<String>,
    /// How often the message was handed out, this time included.
    pub dequeue_count: Option<i64>,
    /// When the message came in, in microseconds since 1970 UTC, whole seconds.
    pub insertion_time_us: Option<i64>,
    /// When the message will be dropped, in microseconds since 1970 UTC, whole seconds.
    pub expiration_time_us: Option<i64>,
    /// When the message can be seen again if it is not deleted, in microseconds since 1970 UTC, whole seconds.
    pub next_visible_time_us: Option<i64>,
    /// What the queue needs to delete the message.
    pub pop_receipt: Option<String>,
    /// Present if the function has a retry policy.
    pub retry_context: Option<RetryContext>,
    /// What the host says about the invocation.
    pub system: SystemMetadata,
}

impl QueueInvocation {
    /// Decodes the body of a call; `binding` may be left out where the function has no other `in` binding.
    ///
    /// # Errors
    /// [`DecodeError`] names the field and the place.
    pub fn parse(body: &[u8], binding: Option<&str>) -> Result<Self, DecodeError> {
        // The message first, wherever it stands: it says which metadata names must not be read at all,
        // since a message may put anything under them.
        let mut message = Message::default();
        let binding = envelope::walk(body, binding, &mut message)?;
        let mut facts = Facts { shadows: &message.shadows, invocation: Self::empty(binding, message.body) };
        envelope::walk(body, Some(&facts.invocation.binding.clone()), &mut facts)?;
        Ok(facts.invocation)
    }

    /// The message as text.
    ///
    /// # Errors
    /// The message is not UTF-8, which only a binary one can be.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.body)
    }

    /// The message read as JSON.
    ///
    /// # Errors
    /// [`DecodeError::Shape`] if the message is not JSON of this type.
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, DecodeError> {
        serde_json::from_slice(&self.body)
            .map_err(|cause| DecodeError::shape(&format!("Data.{}", self.binding), &cause))
    }

    fn empty(binding: String, body: Vec<u8>) -> Self {
        Self {
            binding,
            body,
            id: None,
            dequeue_count: None,
            insertion_time_us: None,
            expiration_time_us: None,
            next_visible_time_us: None,
            pop_receipt: None,
            retry_context: None,
            system: SystemMetadata::default(),
        }
    }
}

#[derive(Default)]
struct Message {
    body: Vec<u8>,
    shadows: Shadows,
}

impl<'a> Visitor<'a> for Message {
    fn data(&mut self, binding: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        let field = format!("Data.{binding}");
        let text = value_text(value, &field)?;
        // Text keeps quotes of its own below the outer encoding, JSON its brackets; base64 has neither.
        if text.starts_with(['"', '{', '[']) {
            let message = second_decoding(text, &field)?;
            self.shadows = Shadows::of_message(&message);
            self.body = message.into_owned().into_bytes();
        } else {
            self.body = STANDARD
                .decode_to_vec(text.as_bytes())
                .map_err(|_| Fault { position: 0, problem: Problem::BadBase64 }.in_field(&field))?;
        }
        Ok(())
    }

    fn metadata(&mut self, name: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        value.skip_value().map_err(|fault| fault.in_field(&format!("Metadata.{name}")))
    }
}

struct Facts<'m> {
    shadows: &'m Shadows,
    invocation: QueueInvocation,
}

impl<'a> Visitor<'a> for Facts<'_> {
    fn data(&mut self, binding: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        value.skip_value().map_err(|fault| fault.in_field(&format!("Data.{binding}")))
    }

    fn metadata(&mut self, name: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        let field = format!("Metadata.{name}");
        let into = &mut self.invocation;
        if self.shadows.covers(name) {
            return value.skip_value().map_err(|fault| fault.in_field(&field));
        }
        match name {
            "Id" => into.id = Some(scalar_text(value, &field)?.into_owned()),
            "PopReceipt" => into.pop_receipt = Some(scalar_text(value, &field)?.into_owned()),
            "DequeueCount" => into.dequeue_count = Some(scalar_integer(value, &field)?),
            "InsertionTime" => into.insertion_time_us = Some(scalar_time(value, &field)?),
            "ExpirationTime" => into.expiration_time_us = Some(scalar_time(value, &field)?),
            "NextVisibleTime" => into.next_visible_time_us = Some(scalar_time(value, &field)?),
            "sys" => into.system = SystemMetadata::read(value)?,
            "RetryContext" => into.retry_context = RetryContext::read(value)?,
            _ => value.skip_value().map_err(|fault| fault.in_field(&field))?,
        }
        Ok(())
    }
}
