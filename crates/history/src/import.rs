//! History from elsewhere: CSV, Parquet, and the cold store of Time Series Insights Gen2 (`V=1/PT=Time/Y=…/M=…/*.parquet`).
//!
//! A file becomes segments of a partition of its own, whose number follows from the file's name, with the row's place in the
//! file as sequence number. So a file that is imported twice, or by a run that is killed and made again, is there once.
//! Rows are enqueued, as far as history is concerned, when they happened.

mod csv;
mod parquet;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use twinwright_core::frame::{ABSENT, Frame, NO_STATE, SequenceRange, SignalColumn, SparseText, StateColumn};
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::segment::SegmentMetadata;
use crate::segments::{Outcome, SegmentLog};

pub use csv::import_csv;
pub use parquet::import_parquet;

/// Rows of a segment.
const ROWS: usize = 50_000;
/// Partitions from here on are imported files; no hub has so many of its own.
pub(crate) const FIRST_PARTITION: u32 = 1 << 30;
/// Texts that are longer go into `extra`.
const LONGEST_STATE: usize = 256;
/// Different texts of a state in one segment; a column with more is no state.
const MOST_STATES: usize = 4_096;

/// Which columns say when and who.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Column of the event time: ISO 8601 text (UTC where it has no offset), or a timestamp. Time Series Insights has
    /// `timestamp`.
    pub time: String,
    /// Column of the device id. Time Series Insights has the environment's TS ID property with `_string` behind it.
    pub device: String,
    /// Whether columns are named as Time Series Insights does, `<name>_<type>`: `x_long` and `x_double` are one signal then.
    pub typed_names: bool,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Partition that stands for the file.
    pub partition: u32,
    /// Rows that are stored.
    pub rows: u64,
    /// Rows without a time or device; the first few are named.
    pub refused: u64,
    /// Why rows were refused: line or row number and reason.
    pub reasons: Vec<(u64, String)>,
    /// Segments written.
    pub segments: usize,
    /// Segments that an earlier import of the file had written.
    pub known: usize,
}

/// The partition that stands for a file.
pub fn partition_of(file: &str) -> u32 {
    let hash = Sha256::digest(file.as_bytes());
    FIRST_PARTITION | (u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) & (FIRST_PARTITION - 1))
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Number(f64),
    Text(String),
    /// What fits no column.
    Other(Value),
}

/// Rows on their way into segments.
pub(crate) struct Importer<'a> {
    log: &'a SegmentLog,
    rows: Vec<Row>,
    next: i64,
    report: ImportReport,
}

struct Row {
    sequence: i64,
    time: Micros,
    device: Arc<str>,
    cells: Vec<(Arc<str>, Cell)>,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(log: &'a SegmentLog, file: &str) -> Self {
        let report = ImportReport { partition: partition_of(file), ..ImportReport::default() };
        Self { log, rows: Vec::new(), next: 0, report }
    }

    /// Takes the next row of the file.
    pub(crate) async fn row(
        &mut self,
        time: Micros,
        device: Arc<str>,
        cells: Vec<(Arc<str>, Cell)>,
    ) -> Result<(), StoreError> {
        self.rows.push(Row { sequence: self.next, time, device, cells });
        self.next += 1;
        if self.rows.len() >= ROWS { self.flush().await } else { Ok(()) }
    }

    /// A row that cannot be taken keeps its number, so that the numbers of the others do not depend on it.
    pub(crate) fn refuse(&mut self, reason: String) {
        self.report.refused += 1;
        let number = self.next.cast_unsigned() + 1;
        self.next += 1;
        if self.report.reasons.len() < 20 {
            self.report.reasons.push((number, reason));
        }
    }

    pub(crate) async fn finish(mut self) -> Result<ImportReport, StoreError> {
        self.flush().await?;
        Ok(self.report)
    }

    /// Writes the rows as segments of at most an hour of events: a reader knows how far back to look by that.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let rows = std::mem::take(&mut self.rows);
        let (mut start, mut span) = (0, None);
        for at in 0..=rows.len() {
            let ends = match (rows.get(at), span) {
                (None, _) => true,
                (Some(row), Some((low, high))) => {
                    let (low, high) = (row.time.min(low), row.time.max(high));
                    span = Some((low, high));
                    high.saturating_sub(low) >= crate::rows::LONGEST_SPAN
                }
                (Some(row), None) => {
                    span = Some((row.time, row.time));
                    false
                }
            };
            if ends && at > start {
                self.segment(&rows[start..at]).await?;
                start = at;
                span = rows.get(at).map(|row| (row.time, row.time));
            }
        }
        Ok(())
    }

    async fn segment(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let frame = frame(self.report.partition, rows);
        let commit = self.log.commit(&frame, &SegmentMetadata::default()).await?;
        self.report.rows += rows.len() as u64;
        if commit.outcome == Outcome::Stored {
            self.report.segments += commit.segments;
        } else {
            self.report.known += commit.segments;
        }
        Ok(())
    }
}

fn frame(partition: u32, rows: &[Row]) -> Frame {
    let (first, last) = (rows[0].sequence, rows[rows.len() - 1].sequence);
    let earliest = rows.iter().map(|row| row.time).min().unwrap_or(0);
    let mut frame = Frame::empty(partition, SequenceRange { first, last }, earliest);
    frame.last_enqueued = rows.iter().map(|row| row.time).max().unwrap_or(earliest);
    let mut devices: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    let mut signals: BTreeMap<Arc<str>, Vec<f64>> = BTreeMap::new();
    let mut states: BTreeMap<Arc<str>, State> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let code = *devices.entry(Arc::clone(&row.device)).or_insert_with(|| {
            frame.devices.push(Arc::clone(&row.device));
            u32::try_from(frame.devices.len() - 1).unwrap_or(0)
        });
        frame.device.push(code);
        frame.time.push(row.time);
        frame.enqueued.push(row.time);
        frame.sequence.push(row.sequence);
        let mut extra = Map::new();
        for (name, cell) in &row.cells {
            match cell {
                Cell::Number(value) => {
                    let values = signals.entry(Arc::clone(name)).or_insert_with(|| vec![ABSENT; rows.len()]);
                    // `x_long` and `x_double` of one row: one of them has the value.
                    values[at] = *value;
                }
                Cell::Text(text) => {
                    let state = states.entry(Arc::clone(name)).or_insert_with(|| State::new(rows.len()));
                    if !state.set(at, text) {
                        extra.insert(name.to_string(), Value::from(text.as_str()));
                    }
                }
                Cell::Other(value) => {
                    extra.insert(name.to_string(), value.clone());
                }
            }
        }
        if !extra.is_empty() {
            let text = Value::Object(extra).to_string();
            frame.extra.0.push((u32::try_from(at).unwrap_or(u32::MAX), text.into()));
        }
    }
    let signals = signals.into_iter().map(|(name, values)| SignalColumn { name, values, flags: Vec::new() });
    frame.signals = signals.collect();
    let states = states.into_iter().map(|(name, state)| StateColumn {
        name,
        dictionary: state.texts,
        codes: state.codes,
    });
    frame.states = states.collect();
    if frame.extra.0.is_empty() {
        frame.extra = SparseText::default();
    }
    frame
}

struct State {
    texts: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, u32>,
    codes: Vec<u32>,
}

impl State {
    fn new(rows: usize) -> Self {
        Self { texts: Vec::new(), numbers: BTreeMap::new(), codes: vec![NO_STATE; rows] }
    }

    fn set(&mut self, row: usize, text: &str) -> bool {
        if let Some(code) = self.numbers.get(text) {
            self.codes[row] = *code;
            return true;
        }
        if text.len() > LONGEST_STATE || self.texts.len() >= MOST_STATES {
            return false;
        }
        let code = u32::try_from(self.texts.len()).unwrap_or(0);
        let shared: Arc<str> = text.into();
        self.texts.push(Arc::clone(&shared));
        self.numbers.insert(shared, code);
        self.codes[row] = code;
        true
    }
}
