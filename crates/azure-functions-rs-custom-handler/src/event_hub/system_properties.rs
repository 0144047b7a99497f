//! One entry of `Metadata.SystemPropertiesArray`: the few keys that are wanted, picked in one pass.

use super::event::{Field, Record};
use super::store::{Span, keep_string};
use crate::error::{Fault, Problem};
use crate::scan::{Cursor, Token};
use crate::time::parse_time;

/// Facts that the entry is asked for only because the array of their own is absent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lacking {
    pub(crate) sequence_number: bool,
    pub(crate) enqueued_time: bool,
    pub(crate) offset: bool,
    pub(crate) partition_key: bool,
}

impl Lacking {
    pub(crate) const NOTHING: Self =
        Self { sequence_number: false, enqueued_time: false, offset: false, partition_key: false };

    pub(crate) fn anything(&self) -> bool {
        self.sequence_number || self.enqueued_time || self.offset || self.partition_key
    }
}

/// Reads an entry into `record`. `base` is where the cursor's input begins in the text buffer.
pub(crate) fn read(
    cursor: &mut Cursor<'_>,
    base: usize,
    bytes: &mut Vec<u8>,
    lacking: &mut Lacking,
    record: &mut Record,
) -> Result<(), Fault> {
    if cursor.peek() == Some(b'n') {
        return cursor.skip_value();
    }
    cursor.expect(b'{', "`{` or null")?;
    let start = cursor.position() - 1;
    let mut first = true;
    while let Some(key) = cursor.next_member(&mut first)? {
        match cursor.bytes(key) {
            b"iothub-connection-device-id" => record.set(Field::DeviceId, text(cursor, base, bytes)?),
            b"iothub-connection-module-id" => record.set(Field::ModuleId, text(cursor, base, bytes)?),
            b"iothub-connection-auth-generation-id" => {
                record.set(Field::AuthGenerationId, text(cursor, base, bytes)?)
            }
            b"iothub-message-source" => record.set(Field::MessageSource, text(cursor, base, bytes)?),
            b"message-id" => record.set(Field::MessageId, text_or_scalar(cursor, base, bytes)?),
            b"correlation-id" => record.set(Field::CorrelationId, text_or_scalar(cursor, base, bytes)?),
            b"content-type" => record.set(Field::ContentType, text(cursor, base, bytes)?),
            b"content-encoding" => record.set(Field::ContentEncoding, text(cursor, base, bytes)?),
            b"dt-subject" => record.set(Field::Subject, text(cursor, base, bytes)?),
            b"SequenceNumber" if lacking.sequence_number => {
                record.sequence_number = cursor.integer()?;
                lacking.sequence_number = false;
            }
            b"EnqueuedTimeUtc" if lacking.enqueued_time => {
                let token = cursor.string()?;
                record.enqueued_time_us = time(cursor, token)?;
                lacking.enqueued_time = false;
            }
            b"OffsetString" if lacking.offset => {
                record.set(Field::Offset, text(cursor, base, bytes)?);
                lacking.offset = record.get(Field::Offset).is_none();
            }
            b"Offset" if lacking.offset => record.set(Field::Offset, text_or_scalar(cursor, base, bytes)?),
            b"PartitionKey" if lacking.partition_key => {
                record.set(Field::PartitionKey, text(cursor, base, bytes)?)
            }
            _ => cursor.skip_value()?,
        }
    }
    record.set(Field::SystemProperties, Span::in_text(base + start, base + cursor.position()));
    Ok(())
}

/// The time that a string holds.
pub(crate) fn time(cursor: &Cursor<'_>, token: Token) -> Result<i64, Fault> {
    parse_time(cursor.bytes(token)).ok_or(Fault { position: token.start, problem: Problem::BadTime })
}

pub(crate) fn text(cursor: &mut Cursor<'_>, base: usize, bytes: &mut Vec<u8>) -> Result<Span, Fault> {
    match cursor.string_or_null()? {
        Some(token) => keep_string(cursor, token, base, bytes),
        None => Ok(Span::NONE),
    }
}

/// AMQP identifiers may be numbers, and older hosts write offsets so.
pub(crate) fn text_or_scalar(
    cursor: &mut Cursor<'_>,
    base: usize,
    bytes: &mut Vec<u8>,
) -> Result<Span, Fault> {
    match cursor.peek() {
        Some(b'"' | b'n') => text(cursor, base, bytes),
        Some(b'{' | b'[') | None => Err(cursor.fault(Problem::Expected("a string, a number or null"))),
        Some(_) => {
            let start = cursor.position();
            cursor.skip_value()?;
            Ok(Span::in_text(base + start, base + cursor.position()))
        }
    }
}
