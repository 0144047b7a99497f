//! From a request body to an [`EventHubBatch`].
//!
//! One pass over the body takes the outer encoding off the members that are wanted. The largest of them, the system
//! properties, is read on the way, in step with the arrays that the host writes before it.

use super::event::Record;
use super::many::{self, Arrays, SYSTEM_PROPERTIES, SystemSource};
use super::partition::Partitions;
use super::store::{Arena, MAX_BODY, Store};
use super::stream::Stream;
use super::walk::Walk;
use super::{BodyEncoding, DecodeOptions, EventHubBatch, single};
use crate::envelope::{self, RetryContext, Shadows, SystemMetadata, Visitor};
use crate::error::{DecodeError, Fault, Problem, shorten};
use crate::scan::Cursor;
use crate::spare;

/// First and last position (exclusive) in the text buffer.
pub(crate) type Range = (usize, usize);

pub(crate) fn decode(body: &[u8], options: &DecodeOptions<'_>) -> Result<EventHubBatch, DecodeError> {
    if body.len() > MAX_BODY {
        return Err(DecodeError::TooLarge { length: body.len(), limit: MAX_BODY });
    }
    let mut members = Members {
        encoding: options.encoding,
        arena: Arena::for_body(body.len()),
        bytes: spare::take(),
        records: None,
        data: None,
        data_field: String::new(),
        many: Facts::default(),
        one: Facts::default(),
        partitions: Partitions::default(),
        retry_context: None,
        system: SystemMetadata::default(),
    };
    members.bytes.clear();
    let binding = envelope::walk(body, options.binding, &mut members)?;
    let mut shadows = Shadows::default();
    let records = members.take_records(&mut shadows)?;
    let partition = members.partitions.choose(&shadows)?;
    let text = members.arena.into_string().map_err(|position| {
        Fault { position, problem: Problem::BadUtf8 }.in_field("the batch's decoded text")
    })?;
    Ok(EventHubBatch {
        binding,
        partition_id: partition.partition_id,
        fully_qualified_namespace: partition.fully_qualified_namespace,
        event_hub_name: partition.event_hub_name,
        consumer_group: partition.consumer_group,
        retry_context: members.retry_context.filter(|_| !shadows.covers("RetryContext")),
        system: if shadows.covers("sys") { SystemMetadata::default() } else { members.system },
        store: Store { text, bytes: members.bytes },
        records,
    })
}

/// Where the values of one cardinality's names lie in the text buffer.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) sequence_number: Option<Range>,
    pub(crate) enqueued_time: Option<Range>,
    pub(crate) offset_string: Option<Range>,
    pub(crate) offset: Option<Range>,
    pub(crate) partition_key: Option<Range>,
    pub(crate) properties: Option<Range>,
    pub(crate) system_properties: Option<Range>,
}

struct Members {
    encoding: BodyEncoding,
    arena: Arena,
    bytes: Vec<u8>,
    /// Set once the system properties have been read on the way.
    records: Option<Vec<Record>>,
    data: Option<Range>,
    data_field: String,
    many: Facts,
    one: Facts,
    partitions: Partitions,
    retry_context: Option<RetryContext>,
    system: SystemMetadata,
}

impl<'a> Visitor<'a> for Members {
    fn data(&mut self, binding: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        self.data_field = format!("Data.{}", shorten(binding));
        let (start, end) = self.arena.take_value(value).map_err(|fault| fault.in_field(&self.data_field))?;
        self.data = Some((start, end));
        self.bytes.reserve((end - start) / 4 * 3);
        Ok(())
    }

    fn metadata(&mut self, name: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        let slot = match name {
            "SequenceNumberArray" => &mut self.many.sequence_number,
            "EnqueuedTimeUtcArray" => &mut self.many.enqueued_time,
            "OffsetStringArray" => &mut self.many.offset_string,
            "OffsetArray" => &mut self.many.offset,
            "PartitionKeyArray" => &mut self.many.partition_key,
            "PropertiesArray" => &mut self.many.properties,
            "SystemPropertiesArray" if self.all_else_came() && value.peek() == Some(b'"') => {
                return self.stream(value);
            }
            "SystemPropertiesArray" => &mut self.many.system_properties,
            "SequenceNumber" => &mut self.one.sequence_number,
            "EnqueuedTimeUtc" => &mut self.one.enqueued_time,
            "OffsetString" => &mut self.one.offset_string,
            "Offset" => &mut self.one.offset,
            "PartitionKey" => &mut self.one.partition_key,
            "Properties" => &mut self.one.properties,
            "SystemProperties" => &mut self.one.system_properties,
            "sys" => {
                self.system = SystemMetadata::read(value)?;
                return Ok(());
            }
            "RetryContext" => {
                self.retry_context = RetryContext::read(value)?;
                return Ok(());
            }
            _ => {
                if !self.partitions.offer(name, value)? {
                    value
                        .skip_value()
                        .map_err(|fault| fault.in_field(&format!("Metadata.{}", shorten(name))))?;
                }
                return Ok(());
            }
        };
        let taken = self.arena.take_value(value);
        *slot = Some(taken.map_err(|fault| fault.in_field(&format!("Metadata.{name}")))?);
        Ok(())
    }
}

impl Members {
    /// Whether everything that the system properties are read in step with is there. Hosts write them last; in
    /// any other order they wait in the text buffer.
    fn all_else_came(&self) -> bool {
        let known = self.many.sequence_number.is_some()
            && self.many.enqueued_time.is_some()
            && (self.many.offset_string.is_some() || self.many.offset.is_some())
            && self.many.properties.is_some();
        known && self.records.is_none() && self.is_many()
    }

    /// Only an array begins with a bracket: a single text keeps its own quotes, and base64 has none.
    fn is_many(&self) -> bool {
        self.data.is_some_and(|(start, _)| self.arena.bytes().get(start) == Some(&b'['))
    }

    fn stream(&mut self, value: &mut Cursor<'_>) -> Result<(), DecodeError> {
        let in_field = |fault: Fault| fault.in_field(SYSTEM_PROPERTIES);
        let Some(data) = self.data else { return Ok(()) };
        let (text, free) = self.arena.split();
        let mut stream = Stream::enter(value, free, text.len()).map_err(in_field)?;
        let arrays =
            Arrays { text, data, data_field: &self.data_field, facts: &self.many, encoding: self.encoding };
        let records = many::records(&arrays, SystemSource::Stream(&mut stream), &mut self.bytes)?;
        let (position, written) = stream.finish().map_err(in_field)?;
        self.arena.keep(written);
        value.jump(position);
        self.records = Some(records);
        Ok(())
    }

    fn take_records(&mut self, shadows: &mut Shadows) -> Result<Vec<Record>, DecodeError> {
        if let Some(records) = self.records.take() {
            return Ok(records);
        }
        let data = self.data.ok_or_else(|| DecodeError::missing("Data"))?;
        let text = self.arena.bytes();
        if self.is_many() {
            let system = Walk::enter_if_there(text, self.many.system_properties, SYSTEM_PROPERTIES)?;
            let system = system.map_or(SystemSource::Absent, SystemSource::Walk);
            let arrays = Arrays {
                text,
                data,
                data_field: &self.data_field,
                facts: &self.many,
                encoding: self.encoding,
            };
            return many::records(&arrays, system, &mut self.bytes);
        }
        let mut record = Record::EMPTY;
        *shadows = single::body(text, data, &self.data_field, &mut self.bytes, &mut record)?;
        single::metadata(text, &self.one, shadows, &mut self.bytes, &mut record)?;
        Ok(vec![record])
    }
}
