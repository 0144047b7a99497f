//! Frame to bytes: on the hot path, once a batch.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use twinwright_core::frame::{Frame, NO_STATE, SparseText};
use twinwright_core::time::Micros;

use super::columns::{Kind, Layout};
use super::{FORMAT, SegmentMetadata};
use crate::{StoreError, quality, rows};

/// Writes a frame as the bytes of a segment. The same frame, hub and metadata give the same bytes.
///
/// # Errors
/// [`StoreError::Invalid`] for a frame whose columns do not fit together.
pub fn encode(hub: &str, frame: &Frame, metadata: &SegmentMetadata) -> Result<Bytes, StoreError> {
    rows::check(frame)?;
    let failed = |error: String| StoreError::invalid(format!("the frame cannot be stored: {error}"));
    let layout = Layout::of(frame)?;
    let options = ArrowWriterOptions::new()
        .with_properties(layout.properties.clone())
        .with_parquet_schema(layout.parquet_schema.clone())
        .with_skip_arrow_metadata(true);
    let buffer = Vec::with_capacity(4096 + frame.rows() * (32 + 8 * frame.signals.len()));
    let mut writer = ArrowWriter::try_new_with_options(buffer, Arc::clone(&layout.schema), options)
        .map_err(|error| failed(error.to_string()))?;
    if frame.rows() > 0 {
        let arrays = arrays(frame, &layout)?;
        let batch = RecordBatch::try_new(Arc::clone(&layout.schema), arrays)
            .map_err(|error| failed(error.to_string()))?;
        writer.write(&batch).map_err(|error| failed(error.to_string()))?;
    }
    let versions = serde_json::to_string(&metadata.versions).map_err(|error| failed(error.to_string()))?;
    for (key, value) in [
        ("format", FORMAT.to_owned()),
        ("hub", hub.to_owned()),
        ("partition", frame.partition.to_string()),
        ("first", frame.range.first.to_string()),
        ("last", frame.range.last.to_string()),
        ("first_enqueued", frame.first_enqueued.to_string()),
        ("last_enqueued", frame.last_enqueued.to_string()),
        ("epoch", metadata.epoch.to_string()),
        ("versions", versions),
        ("columns", layout.columns_json.clone()),
    ] {
        writer.append_key_value_metadata(KeyValue::new(format!("twinwright.{key}"), value));
    }
    writer.into_inner().map(Bytes::from).map_err(|error| failed(error.to_string()))
}

fn arrays(frame: &Frame, layout: &Layout) -> Result<Vec<ArrayRef>, StoreError> {
    let rows = frame.rows();
    let partition = i32::try_from(frame.partition)
        .map_err(|_| StoreError::invalid(format!("partition {} is out of bounds", frame.partition)))?;
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(layout.schema.fields().len());
    arrays.push(dictionary(&frame.device, &frame.devices)?);
    arrays.push(times(&frame.time));
    arrays.push(times(&frame.enqueued));
    arrays.push(Arc::new(Int32Array::from_value(partition, rows)));
    arrays.push(Arc::new(Int64Array::from(frame.sequence.clone())));
    for column in &frame.signals {
        arrays.push(Arc::new(doubles(&column.values)));
    }
    for column in &frame.states {
        arrays.push(dictionary(&column.codes, &column.dictionary)?);
    }
    if layout.has_quality {
        arrays.push(Arc::new(qualities(frame, layout)));
    }
    if layout.has_properties {
        arrays.push(Arc::new(texts(&frame.properties, rows)));
    }
    if layout.has_extra {
        arrays.push(Arc::new(texts(&frame.extra, rows)));
    }
    Ok(arrays)
}

fn times(times: &[Micros]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"))
}

/// [`twinwright_core::frame::ABSENT`] is null, which readers outside understand.
fn doubles(values: &[f64]) -> Float64Array {
    if values.iter().any(|value| value.is_nan()) {
        values.iter().map(|&value| (!value.is_nan()).then_some(value)).collect()
    } else {
        Float64Array::from(values.to_vec())
    }
}

fn dictionary(codes: &[u32], texts: &[Arc<str>]) -> Result<ArrayRef, StoreError> {
    let texts = StringArray::from_iter_values(texts.iter().map(|text| &**text));
    let code = |&code: &u32| (code != NO_STATE).then(|| i32::try_from(code).unwrap_or(i32::MAX));
    let codes: PrimitiveArray<Int32Type> = if codes.contains(&NO_STATE) {
        codes.iter().map(code).collect()
    } else {
        codes.iter().filter_map(code).collect::<Vec<i32>>().into()
    };
    let array = DictionaryArray::try_new(codes, Arc::new(texts)).map_err(|error| {
        StoreError::invalid(format!("the frame cannot be stored, a state's code is out of bounds: {error}"))
    })?;
    Ok(Arc::new(array))
}

fn qualities(frame: &Frame, layout: &Layout) -> StringArray {
    let row_flags = |row: usize| frame.row_flags.get(row).copied().unwrap_or(0);
    // Signals come first in the layout, in the frame's order.
    let named = layout.columns.columns.iter().filter(|column| column.kind == Kind::Signal);
    let flagged: Vec<(&str, &[u8])> = named
        .zip(&frame.signals)
        .filter(|(_, signal)| signal.flags.iter().any(|&flags| flags != 0))
        .map(|(column, signal)| (column.column.as_str(), signal.flags.as_slice()))
        .collect();
    if flagged.is_empty() && frame.row_flags.iter().all(|&flags| flags == 0) {
        return StringArray::new_null(frame.rows());
    }
    let row =
        |row: usize| quality::write(row_flags(row), flagged.iter().map(|(name, flags)| (*name, flags[row])));
    (0..frame.rows()).map(row).collect()
}

fn texts(sparse: &SparseText, rows: usize) -> StringArray {
    let mut next = sparse.0.iter().peekable();
    let text = |row: usize| next.next_if(|(at, _)| *at as usize == row).map(|(_, text)| &**text);
    (0..rows).map(text).collect()
}
