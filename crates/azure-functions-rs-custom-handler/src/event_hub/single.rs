//! Cardinality one: a single event, whose metadata its own message may have overwritten.

use super::decode::{Facts, Range};
use super::entry::{base64_span, object_span};
use super::event::{Field, Record};
use super::store::{Span, keep_string};
use super::system_properties::{self, Lacking, text as text_entry, text_or_scalar};
use crate::envelope::Shadows;
use crate::error::{DecodeError, Fault, Problem};
use crate::scan::Cursor;
use crate::time::parse_time;

/// The body of cardinality one, and the metadata names that it may have overwritten.
pub(crate) fn body(
    text: &[u8],
    data: Range,
    field: &str,
    bytes: &mut Vec<u8>,
    record: &mut Record,
) -> Result<Shadows, DecodeError> {
    let in_field = |fault: Fault| fault.in_field(field);
    let input = text.get(data.0..data.1).unwrap_or_default();
    let mut cursor = Cursor::new(input);
    match input.first() {
        Some(b'"') => {
            let token = cursor.string().map_err(in_field)?;
            record.set(Field::Body, keep_string(&cursor, token, data.0, bytes).map_err(in_field)?);
            cursor.finish().map_err(in_field)?;
            let message = if token.escaped { bytes.as_slice() } else { cursor.bytes(token) };
            Ok(Shadows::of_message(&String::from_utf8_lossy(message)))
        }
        Some(b'{') => {
            record.set(Field::Body, Span::in_text(data.0, data.1));
            Ok(Shadows::of_message(&String::from_utf8_lossy(input)))
        }
        _ => {
            record.set(Field::Body, base64_span(input, 0, bytes).map_err(in_field)?);
            Ok(Shadows::default())
        }
    }
}

pub(crate) fn metadata(
    text: &[u8],
    facts: &Facts,
    shadows: &Shadows,
    bytes: &mut Vec<u8>,
    record: &mut Record,
) -> Result<(), DecodeError> {
    let trusted = |range: Option<Range>, name: &str| range.filter(|_| !shadows.covers(name));
    let open = |(start, end): Range| Cursor::new(text.get(start..end).unwrap_or_default());
    let located = |name: &'static str| move |fault: Fault| fault.in_field(&format!("Metadata.{name}"));
    let mut lacking =
        Lacking { sequence_number: true, enqueued_time: true, offset: true, partition_key: true };

    // The system properties first: their time keeps its fraction, the one beside them lost it.
    if let Some(range) = trusted(facts.system_properties, "SystemProperties") {
        let mut cursor = open(range);
        system_properties::read(&mut cursor, range.0, bytes, &mut lacking, record)
            .map_err(located("SystemProperties"))?;
    }
    if let Some(range) = trusted(facts.properties, "Properties") {
        record.set(Field::Properties, object_span(&mut open(range), range.0).map_err(located("Properties"))?);
    }
    if let Some(range) = trusted(facts.sequence_number, "SequenceNumber").filter(|_| lacking.sequence_number)
    {
        record.sequence_number = open(range).integer().map_err(located("SequenceNumber"))?;
        lacking.sequence_number = false;
    }
    if let Some(range) = trusted(facts.enqueued_time, "EnqueuedTimeUtc").filter(|_| lacking.enqueued_time) {
        let fault = Fault { position: 0, problem: Problem::BadTime };
        record.enqueued_time_us = parse_time(text.get(range.0..range.1).unwrap_or_default())
            .ok_or_else(|| located("EnqueuedTimeUtc")(fault))?;
        lacking.enqueued_time = false;
    }
    for (range, name) in [(facts.offset_string, "OffsetString"), (facts.offset, "Offset")] {
        if let Some(range) = trusted(range, name).filter(|_| record.get(Field::Offset).is_none()) {
            record
                .set(Field::Offset, text_or_scalar(&mut open(range), range.0, bytes).map_err(located(name))?);
        }
    }
    if let Some(range) =
        trusted(facts.partition_key, "PartitionKey").filter(|_| record.get(Field::PartitionKey).is_none())
    {
        record.set(
            Field::PartitionKey,
            text_entry(&mut open(range), range.0, bytes).map_err(located("PartitionKey"))?,
        );
    }
    for (missing, name) in
        [(lacking.sequence_number, "SequenceNumber"), (lacking.enqueued_time, "EnqueuedTimeUtc")]
    {
        let field = format!("Metadata.{name}");
        if missing && shadows.covers(name) {
            return Err(DecodeError::Shadowed { field });
        }
        if missing {
            return Err(DecodeError::Missing { field });
        }
    }
    Ok(())
}
