//! Cardinality many: all arrays walked in step, event by event.
//!
//! A record is made only after each array has given its entry, so a body cannot make the decoder allocate more
//! than a small multiple of its own length.

use super::BodyEncoding;
use super::decode::{Facts, Range};
use super::entry::{body_entry, object_span};
use super::event::{Field, Record};
use super::stream::Stream;
use super::system_properties::{self, Lacking, text as text_entry, text_or_scalar, time};
use super::walk::Walk;
use crate::error::{DecodeError, Fault};

/// The array of system properties.
pub(crate) const SYSTEM_PROPERTIES: &str = "Metadata.SystemPropertiesArray";

/// Where the system properties are read from.
pub(crate) enum SystemSource<'t, 's, 'a, 'o> {
    /// Nowhere: the host does not give them.
    Absent,
    /// The text buffer.
    Walk(Walk<'t>),
    /// The request body itself.
    Stream(&'s mut Stream<'a, 'o>),
}

impl SystemSource<'_, '_, '_, '_> {
    fn read(
        &mut self,
        data: &mut Walk<'_>,
        bytes: &mut Vec<u8>,
        lacking: &mut Lacking,
        record: &mut Record,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Absent => Ok(()),
            Self::Walk(walk) => {
                walk.entry(data, |cursor, base| system_properties::read(cursor, base, bytes, lacking, record))
            }
            Self::Stream(stream) => {
                let found = data.count() - 1;
                match stream.next(bytes, lacking, record) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(mismatch(data.count_all()?, found)),
                    Err(fault) => Err(fault.in_field(&format!("{SYSTEM_PROPERTIES}[{found}]"))),
                }
            }
        }
    }

    fn end(self, bytes: &mut Vec<u8>, expected: usize) -> Result<(), DecodeError> {
        match self {
            Self::Absent => Ok(()),
            Self::Walk(walk) => walk.end(expected),
            Self::Stream(stream) => {
                let mut found = expected;
                let mut surplus = Record::EMPTY;
                let in_field = |fault: Fault| fault.in_field(SYSTEM_PROPERTIES);
                let mut lacking = Lacking::NOTHING;
                while stream.next(bytes, &mut lacking, &mut surplus).map_err(in_field)? {
                    found += 1;
                }
                if found == expected { Ok(()) } else { Err(mismatch(expected, found)) }
            }
        }
    }
}

fn mismatch(expected: usize, found: usize) -> DecodeError {
    DecodeError::LengthMismatch { field: SYSTEM_PROPERTIES.to_owned(), expected, found }
}

/// The arrays that are in the text buffer already.
pub(crate) struct Arrays<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) data: Range,
    pub(crate) data_field: &'t str,
    pub(crate) facts: &'t Facts,
    pub(crate) encoding: BodyEncoding,
}

/// Reads all events.
pub(crate) fn records(
    arrays: &Arrays<'_>,
    mut system: SystemSource<'_, '_, '_, '_>,
    bytes: &mut Vec<u8>,
) -> Result<Vec<Record>, DecodeError> {
    let Arrays { text, data, data_field, facts, encoding } = *arrays;
    let mut data = Walk::enter(text, data, data_field)?;
    let mut numbers = Walk::enter_if_there(text, facts.sequence_number, "Metadata.SequenceNumberArray")?;
    let mut times = Walk::enter_if_there(text, facts.enqueued_time, "Metadata.EnqueuedTimeUtcArray")?;
    let mut offsets = match Walk::enter_if_there(text, facts.offset_string, "Metadata.OffsetStringArray")? {
        Some(walk) => Some(walk),
        None => Walk::enter_if_there(text, facts.offset, "Metadata.OffsetArray")?,
    };
    let mut keys = Walk::enter_if_there(text, facts.partition_key, "Metadata.PartitionKeyArray")?;
    let mut properties = Walk::enter_if_there(text, facts.properties, "Metadata.PropertiesArray")?;

    let mut records = Vec::new();
    while data.next()? {
        let mut record = Record::EMPTY;
        record.set(
            Field::Body,
            body_entry(&mut data.cursor, data.base, encoding, bytes).map_err(|fault| data.located(fault))?,
        );
        let mut lacking = Lacking {
            sequence_number: numbers.is_none(),
            enqueued_time: times.is_none(),
            offset: offsets.is_none(),
            partition_key: keys.is_none(),
        };
        if let Some(walk) = &mut numbers {
            record.sequence_number = walk.entry(&mut data, |cursor, _| cursor.integer())?;
        }
        if let Some(walk) = &mut times {
            record.enqueued_time_us = walk.entry(&mut data, |cursor, _| {
                let token = cursor.string()?;
                time(cursor, token)
            })?;
        }
        if let Some(walk) = &mut offsets {
            record.set(
                Field::Offset,
                walk.entry(&mut data, |cursor, base| text_or_scalar(cursor, base, bytes))?,
            );
        }
        if let Some(walk) = &mut keys {
            record.set(
                Field::PartitionKey,
                walk.entry(&mut data, |cursor, base| text_entry(cursor, base, bytes))?,
            );
        }
        if let Some(walk) = &mut properties {
            record.set(Field::Properties, walk.entry(&mut data, object_span)?);
        }
        system.read(&mut data, bytes, &mut lacking, &mut record)?;
        needed(&lacking, "Metadata.SequenceNumberArray", "Metadata.EnqueuedTimeUtcArray")?;
        records.push(record);
    }
    data.cursor.finish().map_err(|fault| fault.in_field(data_field))?;
    system.end(bytes, records.len())?;
    for walk in [numbers, times, offsets, keys, properties].into_iter().flatten() {
        walk.end(records.len())?;
    }
    Ok(records)
}

fn needed(lacking: &Lacking, number_field: &str, time_field: &str) -> Result<(), DecodeError> {
    if lacking.sequence_number {
        return Err(DecodeError::missing(number_field));
    }
    if lacking.enqueued_time {
        return Err(DecodeError::missing(time_field));
    }
    Ok(())
}
