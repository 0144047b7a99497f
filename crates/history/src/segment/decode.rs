//! Bytes to frame. A torn or foreign file is an error; single damaged bytes are the store's to notice.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::FileMetaData;
use twinwright_core::frame::{ABSENT, Frame, NO_STATE, SequenceRange, SignalColumn, StateColumn};

use super::columns::{Columns, DEVICE_ID, ENQUEUED, EXTRA, Kind, PROPERTIES, QUALITY, SEQUENCE, TIME};
use super::{FORMAT, SegmentMetadata};
use crate::rows::{self, Dictionary};
use crate::{StoreError, quality};

/// Bounds of what is read; segments stay far below.
const MOST_ROWS: i64 = 4_000_000;
const MOST_COLUMNS: usize = 2_000;
const MOST_BYTES: i64 = 1 << 30;

/// Reads a segment. Absent signals are [`ABSENT`]; dictionaries come in the order in which the rows use their texts.
///
/// # Errors
/// [`StoreError::Corrupt`] for bytes that [`super::encode`] did not write.
pub fn decode(bytes: Bytes) -> Result<(Frame, SegmentMetadata), StoreError> {
    // The Parquet reader trusts lengths of a file in places; a damaged one must not take the process down.
    let read = catch_unwind(AssertUnwindSafe(|| read(bytes)));
    match read {
        Ok(Ok(segment)) => Ok(segment),
        Ok(Err(cause)) => Err(StoreError::corrupt("segment", cause)),
        Err(_) => Err(StoreError::corrupt("segment", "the Parquet reader gave up")),
    }
}

fn read(bytes: Bytes) -> Result<(Frame, SegmentMetadata), String> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .map_err(|error| error.to_string())?;
    let file = reader.metadata().file_metadata();
    let size: i64 = reader.metadata().row_groups().iter().map(|group| group.total_byte_size().max(0)).sum();
    if !(0..=MOST_ROWS).contains(&file.num_rows())
        || file.schema_descr().num_columns() > MOST_COLUMNS
        || size > MOST_BYTES
    {
        return Err("it has more rows, columns or bytes than any segment".to_owned());
    }
    let (mut frame, metadata, columns) = head(file)?;
    let expected = file.num_rows();
    let mut assembly = Assembly::new(&columns);
    for batch in reader.with_batch_size(65_536).build().map_err(|error| error.to_string())? {
        assembly.add(&batch.map_err(|error| error.to_string())?, &mut frame)?;
    }
    assembly.finish(&mut frame);
    if i64::try_from(frame.rows()).ok() != Some(expected) {
        return Err(format!("{} rows where {expected} are promised", frame.rows()));
    }
    rows::check(&frame).map_err(|error| error.to_string())?;
    Ok((frame, metadata))
}

/// What the key-value metadata say.
fn head(file: &FileMetaData) -> Result<(Frame, SegmentMetadata, Columns), String> {
    let pairs = file.key_value_metadata().into_iter().flatten();
    let values: HashMap<&str, &str> = pairs
        .filter_map(|pair| Some((pair.key.strip_prefix("twinwright.")?, pair.value.as_deref()?)))
        .collect();
    let text = |key: &str| values.get(key).copied().ok_or_else(|| format!("it has no twinwright.{key}"));
    let number = |key: &str| text(key)?.parse::<i64>().map_err(|error| format!("twinwright.{key}: {error}"));
    let small = |key: &str| u32::try_from(number(key)?).map_err(|error| format!("twinwright.{key}: {error}"));
    if text("format")? != FORMAT {
        return Err(format!("its format is {}, this version reads {FORMAT}", text("format")?));
    }
    let range = SequenceRange { first: number("first")?, last: number("last")? };
    let mut frame = Frame::empty(small("partition")?, range, number("first_enqueued")?);
    frame.last_enqueued = number("last_enqueued")?;
    let versions =
        serde_json::from_str(text("versions")?).map_err(|error| format!("twinwright.versions: {error}"))?;
    let columns =
        serde_json::from_str(text("columns")?).map_err(|error| format!("twinwright.columns: {error}"))?;
    Ok((frame, SegmentMetadata { versions, epoch: small("epoch")? }, columns))
}

/// The devices' columns while batches come in.
struct Assembly<'a> {
    columns: &'a Columns,
    /// Signals by column name, for the quality texts.
    signals: HashMap<&'a str, usize>,
    devices: Dictionary,
    states: Vec<Dictionary>,
}

impl<'a> Assembly<'a> {
    fn new(columns: &'a Columns) -> Self {
        let named = columns.columns.iter().filter(|column| column.kind == Kind::Signal);
        let signals = named.enumerate().map(|(at, column)| (column.column.as_str(), at)).collect();
        let states = columns.columns.iter().filter(|column| column.kind == Kind::State);
        let states = states.map(|_| Dictionary::default()).collect();
        Self { columns, signals, devices: Dictionary::default(), states }
    }

    fn add(&mut self, batch: &RecordBatch, frame: &mut Frame) -> Result<(), String> {
        let start = frame.rows();
        let found = |name: &str| {
            batch.column_by_name(name).map(|array| &**array).ok_or_else(|| format!("it has no column {name}"))
        };
        let wrong = |name: &str| format!("column {name} has another type");
        let devices = found(DEVICE_ID)?.as_string_opt::<i32>().ok_or_else(|| wrong(DEVICE_ID))?;
        frame.device.extend(devices.iter().map(|device| self.devices.number(device.unwrap_or_default())));
        for (name, times) in [(TIME, &mut frame.time), (ENQUEUED, &mut frame.enqueued)] {
            let array =
                found(name)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong(name))?;
            times.extend_from_slice(array.values());
        }
        let sequence = found(SEQUENCE)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(SEQUENCE))?;
        frame.sequence.extend_from_slice(sequence.values());
        if start == 0 {
            self.start(frame);
        }
        let (mut signal, mut state) = (0, 0);
        for column in &self.columns.columns {
            let array = found(&column.column)?;
            match column.kind {
                Kind::Signal => {
                    let array =
                        array.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong(&column.column))?;
                    let target = &mut frame.signals[signal];
                    if array.null_count() == 0 {
                        target.values.extend_from_slice(array.values());
                    } else {
                        target.values.extend(array.iter().map(|value| value.unwrap_or(ABSENT)));
                    }
                    if column.checked {
                        target.flags.resize(start + batch.num_rows(), 0);
                    }
                    signal += 1;
                }
                Kind::State => {
                    let array = array.as_string_opt::<i32>().ok_or_else(|| wrong(&column.column))?;
                    let dictionary = &mut self.states[state];
                    let codes =
                        array.iter().map(|text| text.map_or(NO_STATE, |text| dictionary.number(text)));
                    frame.states[state].codes.extend(codes);
                    state += 1;
                }
            }
        }
        if self.columns.checked {
            frame.row_flags.resize(start + batch.num_rows(), 0);
        }
        for (name, sparse) in [(PROPERTIES, &mut frame.properties), (EXTRA, &mut frame.extra)] {
            if let Some(array) = batch.column_by_name(name) {
                let array = array.as_string_opt::<i32>().ok_or_else(|| wrong(name))?;
                for (row, text) in array.iter().enumerate() {
                    if let Some(text) = text {
                        let row = u32::try_from(start + row).map_err(|error| error.to_string())?;
                        sparse.0.push((row, text.into()));
                    }
                }
            }
        }
        if let Some(array) = batch.column_by_name(QUALITY) {
            let texts = array.as_string_opt::<i32>().ok_or_else(|| wrong(QUALITY))?;
            for (row, text) in texts.iter().enumerate() {
                if let Some(text) = text {
                    self.flag(frame, start + row, text)?;
                }
            }
        }
        Ok(())
    }

    /// The empty columns.
    fn start(&self, frame: &mut Frame) {
        if !frame.signals.is_empty() || !frame.states.is_empty() {
            return;
        }
        for column in &self.columns.columns {
            let name = Arc::clone(&column.name);
            match column.kind {
                Kind::Signal => {
                    frame.signals.push(SignalColumn { name, values: Vec::new(), flags: Vec::new() });
                }
                Kind::State => {
                    frame.states.push(StateColumn { name, dictionary: Vec::new(), codes: Vec::new() });
                }
            }
        }
    }

    fn flag(&self, frame: &mut Frame, row: usize, text: &str) -> Result<(), String> {
        let unknown = || format!("quality {text:?} is not known");
        for flag in quality::read(text).ok_or_else(unknown)? {
            let flags = match &flag.column {
                None => &mut frame.row_flags,
                Some(column) => {
                    &mut frame.signals[*self.signals.get(column.as_str()).ok_or_else(unknown)?].flags
                }
            };
            *flags.get_mut(row).ok_or_else(unknown)? |= flag.bit;
        }
        Ok(())
    }

    fn finish(self, frame: &mut Frame) {
        self.start(frame);
        frame.devices = self.devices.into_texts();
        for (column, dictionary) in frame.states.iter_mut().zip(self.states) {
            column.dictionary = dictionary.into_texts();
        }
    }
}
