//! The columnar batch that every step after decoding works on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Micros;

/// A signal's value where the row has none. Devices cannot send it: JSON has no NaN.
pub const ABSENT: f64 = f64::NAN;
/// A state's code where the row has none.
pub const NO_STATE: u32 = u32::MAX;

/// First and last sequence number of an input, both inclusive, gapless in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceRange {
    /// First sequence number.
    pub first: i64,
    /// Last sequence number.
    pub last: i64,
}

/// One numeric telemetry field: a value a row, [`ABSENT`] where there is none.
#[derive(Clone, Debug)]
pub struct SignalColumn {
    /// Field name as the device sent it; nested objects are joined with `.`.
    pub name: Arc<str>,
    /// One value a row, in the unit the device sends.
    pub values: Vec<f64>,
    /// One byte a row of [`crate::quality::SignalFlags`] bits; empty before the check.
    pub flags: Vec<u8>,
}

impl SignalColumn {
    /// The value of a row where it is there and no check spoke against it, else [`ABSENT`].
    pub fn trusted(&self, row: usize) -> f64 {
        let flagged = self.flags.get(row).is_some_and(|flags| *flags != 0);
        if flagged { ABSENT } else { self.values[row] }
    }
}

/// One text telemetry field, dictionary-encoded.
#[derive(Clone, Debug)]
pub struct StateColumn {
    /// Field name as the device sent it.
    pub name: Arc<str>,
    /// Distinct texts.
    pub dictionary: Vec<Arc<str>>,
    /// Index into the dictionary a row, [`NO_STATE`] where there is none.
    pub codes: Vec<u32>,
}

/// Text that few rows have: pairs of row and text, ascending by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseText(pub Vec<(u32, Box<str>)>);

impl SparseText {
    /// Drops the first rows and counts the others anew.
    fn drop_rows(&mut self, rows: usize) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.0.retain(|(row, _)| *row >= rows);
        self.0.iter_mut().for_each(|(row, _)| *row -= rows);
    }

    /// The row's text.
    pub fn get(&self, row: usize) -> Option<&str> {
        let row = u32::try_from(row).ok()?;
        self.0.binary_search_by_key(&row, |(at, _)| *at).ok().map(|at| &*self.0[at].1)
    }
}

/// Events of one partition as columns; all columns have one entry a row, rows ascend by sequence number.
///
/// `range` covers the whole input, also the events that became dead letters and have no row.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Partition of the hub.
    pub partition: u32,
    /// What the input covered.
    pub range: SequenceRange,
    /// Enqueued time of the input's first event (it may have no row).
    pub first_enqueued: Micros,
    /// Enqueued time of the input's last event (it may have no row): what comes later is newer.
    pub last_enqueued: Micros,
    /// Distinct device ids (IoT Hub's authenticated system property).
    pub devices: Vec<Arc<str>>,
    /// Index into `devices` a row.
    pub device: Vec<u32>,
    /// Event time a row: the payload's timestamp, or the enqueued time.
    pub time: Vec<Micros>,
    /// Enqueued time a row.
    pub enqueued: Vec<Micros>,
    /// Sequence number a row.
    pub sequence: Vec<i64>,
    /// Numeric fields, each name once.
    pub signals: Vec<SignalColumn>,
    /// Text fields, each name once.
    pub states: Vec<StateColumn>,
    /// Application properties of the message as a JSON object, where it had any.
    pub properties: SparseText,
    /// What fits no column (arrays, booleans, nulls, over-long texts), as a JSON object.
    pub extra: SparseText,
    /// [`crate::quality::RowFlags`] bits a row; empty before the check.
    pub row_flags: Vec<u8>,
}

impl Frame {
    /// A frame without rows.
    pub fn empty(partition: u32, range: SequenceRange, first_enqueued: Micros) -> Self {
        Self {
            partition,
            range,
            first_enqueued,
            last_enqueued: first_enqueued,
            devices: Vec::new(),
            device: Vec::new(),
            time: Vec::new(),
            enqueued: Vec::new(),
            sequence: Vec::new(),
            signals: Vec::new(),
            states: Vec::new(),
            properties: SparseText::default(),
            extra: SparseText::default(),
            row_flags: Vec::new(),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.sequence.len()
    }

    /// The device id of a row.
    pub fn device_id(&self, row: usize) -> &Arc<str> {
        &self.devices[self.device[row] as usize]
    }

    /// The column of a signal.
    pub fn signal(&self, name: &str) -> Option<&SignalColumn> {
        self.signals.iter().find(|column| &*column.name == name)
    }

    /// Earliest and latest event time, or the first enqueued time where there are no rows.
    pub fn time_bounds(&self) -> (Micros, Micros) {
        let bounds = self.time.iter().fold(None, |bounds: Option<(Micros, Micros)>, &time| {
            Some(bounds.map_or((time, time), |(low, high)| (low.min(time), high.max(time))))
        });
        bounds.unwrap_or((self.first_enqueued, self.first_enqueued))
    }

    /// Drops the rows before a sequence number, which then begins the range: they were seen before.
    pub fn start_at(&mut self, sequence: i64) {
        let seen = self.sequence.partition_point(|&known| known < sequence);
        self.range.first = self.range.first.max(sequence);
        if seen == 0 {
            return;
        }
        self.device.drain(..seen);
        self.time.drain(..seen);
        self.enqueued.drain(..seen);
        self.sequence.drain(..seen);
        self.row_flags.drain(..seen.min(self.row_flags.len()));
        for column in &mut self.signals {
            column.values.drain(..seen);
            column.flags.drain(..seen.min(column.flags.len()));
        }
        for column in &mut self.states {
            column.codes.drain(..seen);
        }
        self.first_enqueued = self.enqueued.first().copied().unwrap_or(self.first_enqueued);
        self.properties.drop_rows(seen);
        self.extra.drop_rows(seen);
    }
}
