//! Rows into columns. A row is first read into a scratch list, so that a broken payload leaves no trace.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use super::alike::{Shape, Shapes};
use super::row::{Field, Flatten, Sink, TOO_DEEP};
use super::{Decoded, MAX_BODY, MAX_CLOCK_AHEAD, MAX_COLUMNS, MAX_NAME, Origin, RawEvent, Reason, Rejected};
use crate::frame::{ABSENT, Frame, NO_STATE, SignalColumn, StateColumn};
use crate::quality::RowFlags;
use crate::time::{Micros, parse_iso};

/// A name that was seen in this frame, and its columns once a row used them.
struct Slot {
    name: Arc<str>,
    signal: Option<u32>,
    state: Option<u32>,
    /// Whether it is known to be numeric, once that was asked.
    numeric: Option<bool>,
}

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    by_name: HashMap<Arc<str>, u32>,
}

/// The row being read.
struct Scratch<'a, 'p> {
    slots: &'p mut Slots,
    /// Slots of the row before, in order: devices send their fields in the same order every time.
    order: &'p [u32],
    position: usize,
    fields: &'p mut Vec<(u32, Field<'a>)>,
    extra: Map<String, Value>,
    claimed: Option<Cow<'a, str>>,
    time: Option<Micros>,
    /// What `time` was read from.
    time_source: Option<Field<'a>>,
    /// Names as they come, while the payload is flat.
    shape: Option<Shape>,
}

impl<'a> Sink<'a> for Scratch<'a, '_> {
    fn null(&mut self, name: &str, depth: usize) {
        self.note(name, depth == 0);
    }

    fn field(&mut self, name: &str, depth: usize, value: Field<'a>) {
        self.note(name, depth == 0 && !matches!(value, Field::Other(_)));
        if depth == 0 && self.special(name, &value) {
            return;
        }
        match value {
            Field::Other(value) => {
                self.extra.insert(name.to_owned(), value);
            }
            value => match self.slot(name) {
                Some(slot) => self.fields.push((slot, value)),
                None => {
                    self.extra.insert(name.to_owned(), plain(value));
                }
            },
        }
    }
}

fn plain(value: Field<'_>) -> Value {
    match value {
        Field::Number(number) => Value::from(number),
        Field::Text(text) => Value::from(text.into_owned()),
        Field::Other(value) => value,
    }
}

impl<'a> Scratch<'a, '_> {
    fn note(&mut self, name: &str, plain: bool) {
        match &mut self.shape {
            Some(shape) if plain => shape.push(name.into()),
            shape => *shape = None,
        }
    }

    /// Takes a field of a payload that is like one before; false where it is not.
    fn alike(&mut self, name: &str, value: Option<Field<'a>>) -> bool {
        let Some(value) = value else { return true };
        if !self.special(name, &value) {
            let Some(slot) = self.slot(name) else { return false };
            self.fields.push((slot, value));
        }
        true
    }

    /// Forgets what was read so far of the row.
    fn undo(&mut self) {
        self.position = 0;
        self.fields.clear();
        (self.claimed, self.time, self.time_source) = (None, None, None);
    }

    /// Device id and timestamp are not telemetry: they say whose and when.
    fn special(&mut self, name: &str, value: &Field<'a>) -> bool {
        // Every field of every row comes by here, and few begin like these.
        if !matches!(name.as_bytes().first(), Some(b'd' | b't')) {
            return false;
        }
        match (name, value) {
            ("deviceId" | "device_id" | "deviceid", Field::Text(text)) => {
                self.claimed = Some(text.clone());
                true
            }
            ("timestamp" | "ts" | "time", Field::Text(text)) => {
                self.time = parse_iso(text);
                if self.time.is_some() {
                    self.time_source = Some(Field::Text(text.clone()));
                }
                self.time.is_some()
            }
            ("timestamp" | "ts" | "time", Field::Number(number)) => {
                self.time = epoch(*number);
                if self.time.is_some() {
                    self.time_source = Some(Field::Number(*number));
                }
                self.time.is_some()
            }
            _ => false,
        }
    }

    fn slot(&mut self, name: &str) -> Option<u32> {
        if let Some(&expected) = self.order.get(self.position)
            && &*self.slots.all[expected as usize].name == name
        {
            self.position += 1;
            return Some(expected);
        }
        let found = self.slots.by_name.get(name).copied();
        let slot = found.or_else(|| {
            let next = u32::try_from(self.slots.all.len()).ok()?;
            if self.slots.all.len() >= MAX_COLUMNS || name.len() > MAX_NAME || name.is_empty() {
                return None;
            }
            let name: Arc<str> = Arc::from(name);
            self.slots.by_name.insert(Arc::clone(&name), next);
            self.slots.all.push(Slot { name, signal: None, state: None, numeric: None });
            Some(next)
        })?;
        if let Some(at) = self.order.iter().position(|&other| other == slot) {
            self.position = at + 1;
        }
        Some(slot)
    }
}

/// Seconds, milliseconds or microseconds since 1970, told apart by their size (until the year 5138).
#[expect(clippy::cast_possible_truncation, reason = "the ranges are checked before the cast")]
fn epoch(number: f64) -> Option<Micros> {
    match number {
        n if !(1e8..1e17).contains(&n) => None,
        n if n < 1e11 => Some((n * 1e6) as i64),
        n if n < 1e14 => Some((n * 1e3) as i64),
        n => Some(n as i64),
    }
}

/// Text that stands for a number that is none.
fn is_not_a_number(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['-', '+']);
    ["nan", "inf", "infinity"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Decodes events of one partition, in order. `is_signal` says which names are known to be numeric, so that a text
/// in their place is seen as the device's mistake and not as a state.
pub fn decode<'a>(
    origin: Origin,
    events: impl IntoIterator<Item = RawEvent<'a>>,
    is_signal: &dyn Fn(&str) -> bool,
) -> Decoded {
    let mut frame = Frame::empty(origin.partition, origin.range, origin.first_enqueued);
    frame.last_enqueued = origin.last_enqueued;
    let mut rejected = Vec::new();
    let (mut slots, mut shapes) = (Slots::default(), Shapes::default());
    let (mut fields, mut order, mut path) = (Vec::new(), Vec::new(), String::new());
    let mut devices: HashMap<&'a str, u32> = HashMap::new();
    for event in events {
        fields.clear();
        let mut scratch = Scratch {
            slots: &mut slots,
            order: &order,
            position: 0,
            fields: &mut fields,
            extra: Map::new(),
            claimed: None,
            time: None,
            time_source: None,
            shape: Some(Shape::new()),
        };
        let device = match read(&event, &mut scratch, &mut shapes, &mut path) {
            Ok(device) => device,
            Err(reason) => {
                rejected.push(Rejected {
                    sequence: event.sequence,
                    enqueued: event.enqueued,
                    device: event.device.map(str::to_owned),
                    reason,
                    body: event.body.to_vec(),
                    properties: event.properties.to_owned(),
                });
                continue;
            }
        };
        let (mut extra, time, time_source) = (scratch.extra, scratch.time, scratch.time_source);
        let mut flags = 0;
        let ahead = time.is_some_and(|time| time > event.enqueued.saturating_add(MAX_CLOCK_AHEAD));
        if ahead {
            flags |= RowFlags::CLOCK;
            extra.insert("timestamp".to_owned(), time_source.map_or(Value::Null, plain));
        }
        let row = frame.rows();
        let index = *devices.entry(device).or_insert_with(|| {
            frame.devices.push(Arc::from(device));
            u32::try_from(frame.devices.len() - 1).unwrap_or(u32::MAX)
        });
        frame.device.push(index);
        frame.time.push(time.filter(|_| !ahead).unwrap_or(event.enqueued));
        frame.enqueued.push(event.enqueued);
        frame.sequence.push(event.sequence);
        order.clear();
        for (slot, value) in fields.drain(..) {
            order.push(slot);
            let slot = &mut slots.all[slot as usize];
            match value {
                Field::Number(number) => write_signal(&mut frame, slot, row, number),
                Field::Text(text)
                    if slot.signal.is_some()
                        || is_not_a_number(&text)
                        || *slot.numeric.get_or_insert_with(|| is_signal(&slot.name)) =>
                {
                    flags |= RowFlags::TYPE;
                    extra.insert(slot.name.to_string(), Value::from(text.into_owned()));
                }
                Field::Text(text) => write_state(&mut frame, slot, row, &text),
                Field::Other(value) => {
                    extra.insert(slot.name.to_string(), value);
                }
            }
        }
        frame.row_flags.push(flags);
        let at = u32::try_from(row).unwrap_or(u32::MAX);
        if !extra.is_empty() {
            frame.extra.0.push((at, Value::Object(extra).to_string().into_boxed_str()));
        }
        if !event.properties.is_empty() && event.properties != "{}" {
            frame.properties.0.push((at, event.properties.into()));
        }
    }
    let rows = frame.rows();
    frame.signals.iter_mut().for_each(|column| column.values.resize(rows, ABSENT));
    frame.states.iter_mut().for_each(|column| column.codes.resize(rows, NO_STATE));
    Decoded { frame, rejected }
}

/// Reads a payload into the scratch row and says whose it is.
fn read<'a>(
    event: &RawEvent<'a>,
    scratch: &mut Scratch<'a, '_>,
    shapes: &mut Shapes,
    path: &mut String,
) -> Result<&'a str, Reason> {
    let device = event.device.filter(|id| !id.is_empty()).ok_or(Reason::NoDevice)?;
    if let Some(source) = event.source.filter(|source| !source.eq_ignore_ascii_case("telemetry")) {
        return Err(Reason::NotTelemetry(source.to_owned()));
    }
    if event.body.len() > MAX_BODY {
        return Err(Reason::TooLarge(event.body.len()));
    }
    let first = event.body.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{') => {}
        Some(b'[') => return Err(Reason::NotAnObject("an array")),
        Some(b'"') => return Err(Reason::NotAnObject("a text")),
        Some(b'0'..=b'9' | b'-') => return Err(Reason::NotAnObject("a number")),
        Some(_) => return Err(Reason::NotJson("it does not begin with {".to_owned())),
        None => return Err(Reason::NotJson("it is empty".to_owned())),
    }
    if !shapes.read(event.body, scratch, Scratch::alike, Scratch::undo) {
        path.clear();
        let mut parser = serde_json::Deserializer::from_slice(event.body);
        let flatten = Flatten { sink: &mut *scratch, path, depth: 0 };
        if let Err(error) = flatten.deserialize(&mut parser).and_then(|()| parser.end()) {
            let text = error.to_string();
            return Err(if text.contains(TOO_DEEP) { Reason::TooDeep } else { Reason::NotJson(text) });
        }
        if let Some(shape) = scratch.shape.take() {
            shapes.learn(shape);
        }
    }
    match &scratch.claimed {
        Some(claimed) if claimed != device => {
            return Err(Reason::OtherDevice { claimed: claimed.to_string(), device: device.to_owned() });
        }
        _ => {}
    }
    if scratch.fields.is_empty() && scratch.extra.is_empty() { Err(Reason::Empty) } else { Ok(device) }
}

fn write_signal(frame: &mut Frame, slot: &mut Slot, row: usize, value: f64) {
    let index = *slot.signal.get_or_insert_with(|| {
        let column = SignalColumn { name: Arc::clone(&slot.name), values: Vec::new(), flags: Vec::new() };
        frame.signals.push(column);
        u32::try_from(frame.signals.len() - 1).unwrap_or(u32::MAX)
    });
    let values = &mut frame.signals[index as usize].values;
    if values.len() != row {
        // Rows before may lack the name; one that stands twice in this object counts as it comes last.
        values.resize(row, ABSENT);
    }
    values.push(value);
}

fn write_state(frame: &mut Frame, slot: &mut Slot, row: usize, text: &str) {
    let index = *slot.state.get_or_insert_with(|| {
        let name = Arc::clone(&slot.name);
        frame.states.push(StateColumn { name, dictionary: Vec::new(), codes: Vec::new() });
        u32::try_from(frame.states.len() - 1).unwrap_or(u32::MAX)
    });
    let column = &mut frame.states[index as usize];
    let known = column.dictionary.iter().position(|known| &**known == text).unwrap_or_else(|| {
        column.dictionary.push(Arc::from(text));
        column.dictionary.len() - 1
    });
    if column.codes.len() != row {
        column.codes.resize(row, NO_STATE);
    }
    column.codes.push(u32::try_from(known).unwrap_or(NO_STATE));
}
