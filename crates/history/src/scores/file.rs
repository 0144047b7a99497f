//! Scored rows as the bytes of a file, and back.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::rows::{NONE, ScoreRows, TextColumn};
use crate::StoreError;

const MOST_ROWS: i64 = 4_000_000;

pub(super) fn encode(rows: &ScoreRows) -> Result<Bytes, StoreError> {
    let failed = |error: String| StoreError::invalid(format!("the scores cannot be stored: {error}"));
    if !rows.fits() {
        return Err(failed("their columns differ in length".to_owned()));
    }
    let partitions: Result<Vec<i32>, _> =
        rows.partition.iter().map(|&partition| i32::try_from(partition)).collect();
    let partitions = partitions.map_err(|error| failed(error.to_string()))?;
    let scores: Float64Array = rows.score.iter().map(|&score| (!score.is_nan()).then_some(score)).collect();
    let statuses: Int32Array = rows.status.iter().map(|&status| Some(i32::from(status))).collect();
    let times = TimestampMicrosecondArray::from(rows.time.clone()).with_timezone("UTC");
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("device_id", texts(&rows.device)?, false),
        ("ts", Arc::new(times) as ArrayRef, false),
        ("seq", Arc::new(Int64Array::from(rows.sequence.clone())), false),
        ("partition", Arc::new(Int32Array::from(partitions)), false),
        ("score", Arc::new(scores), true),
        ("status", Arc::new(statuses), false),
        ("scorer", texts(&rows.scorer)?, false),
        ("baseline", texts(&rows.baseline)?, false),
        ("top_signal", texts(&rows.top_signal)?, true),
    ])
    .map_err(|error| failed(error.to_string()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled("score".into(), false)
        .set_column_dictionary_enabled("ts".into(), false)
        .set_column_dictionary_enabled("seq".into(), false)
        .set_offset_index_disabled(true)
        .set_created_by("twinwright".to_owned())
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options)
        .map_err(|error| failed(error.to_string()))?;
    writer.write(&batch).map_err(|error| failed(error.to_string()))?;
    writer.into_inner().map(Bytes::from).map_err(|error| failed(error.to_string()))
}

/// Texts once each, and a number a row: a scorer has one name, however many rows it scored.
fn texts(column: &TextColumn) -> Result<ArrayRef, StoreError> {
    let code = |&code: &u32| (code != NONE).then(|| i32::try_from(code).unwrap_or(i32::MAX));
    let codes: PrimitiveArray<Int32Type> = column.codes().iter().map(code).collect();
    let texts = StringArray::from_iter_values(column.texts().iter().map(|text| &**text));
    let array = DictionaryArray::try_new(codes, Arc::new(texts))
        .map_err(|error| StoreError::invalid(format!("the scores cannot be stored: {error}")))?;
    Ok(Arc::new(array))
}

pub(super) fn decode(bytes: Bytes) -> Result<ScoreRows, String> {
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(bytes)));
    read.unwrap_or_else(|_| Err("the Parquet reader gave up".to_owned()))
}

fn read(bytes: Bytes) -> Result<ScoreRows, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    if !(0..=MOST_ROWS).contains(&reader.metadata().file_metadata().num_rows()) {
        return Err("it has more rows than any segment".to_owned());
    }
    let mut out = ScoreRows::default();
    for batch in reader.with_batch_size(65_536).build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let column =
            |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
        let texts =
            |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| format!("{name} is no text"));
        let wrong = |name: &str| format!("column {name} has another type");
        for (name, column) in [
            ("device_id", &mut out.device),
            ("scorer", &mut out.scorer),
            ("baseline", &mut out.baseline),
            ("top_signal", &mut out.top_signal),
        ] {
            for text in texts(name)? {
                column.push_text(text);
            }
        }
        let times =
            column("ts")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong("ts"))?;
        out.time.extend_from_slice(times.values());
        let sequence = column("seq")?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("seq"))?;
        out.sequence.extend_from_slice(sequence.values());
        let scores = column("score")?.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong("score"))?;
        out.score.extend(scores.iter().map(|score| score.unwrap_or(f64::NAN)));
        let partitions =
            column("partition")?.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong("partition"))?;
        for &partition in partitions.values() {
            out.partition.push(u32::try_from(partition).map_err(|_| wrong("partition"))?);
        }
        let statuses = column("status")?.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong("status"))?;
        for &status in statuses.values() {
            out.status.push(u8::try_from(status).map_err(|_| wrong("status"))?);
        }
    }
    if out.fits() { Ok(out) } else { Err("its columns differ in length".to_owned()) }
}
