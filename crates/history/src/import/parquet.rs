//! Parquet, and Time Series Insights' cold store, which is Parquet with `<name>_<type>` columns.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::Value;
use twinwright_core::time::{Micros, iso, parse_iso};

use super::{Cell, ImportOptions, ImportReport, Importer};
use crate::StoreError;
use crate::parquet_file::guard;
use crate::segments::SegmentLog;

const BATCH: usize = 8_192;
/// What Time Series Insights appends to a property's name.
const TYPES: [&str; 6] = ["_double", "_long", "_string", "_bool", "_datetime", "_dynamic"];

/// Imports a file. Numbers are signals, text is a state, everything else goes into `extra`. `name` tells this file from
/// others, and is the same when the file is imported again.
///
/// # Errors
/// [`StoreError::Corrupt`] for a file that is no Parquet, [`StoreError::Invalid`] for one that lacks the columns of time
/// and device; what was stored before the damage stays, and the same call again goes on.
pub async fn import_parquet(
    log: &SegmentLog,
    name: &str,
    path: &Path,
    options: &ImportOptions,
) -> Result<ImportReport, StoreError> {
    let corrupt = |cause: String| StoreError::corrupt(name, cause);
    let file = File::open(path)
        .map_err(|error| StoreError::invalid(format!("{} cannot be opened: {error}", path.display())))?;
    let mut reader = guard(|| {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
        let builder = builder.map_err(|error| error.to_string())?;
        builder.with_batch_size(BATCH).build().map_err(|error| error.to_string())
    })
    .map_err(corrupt)?;
    let mut importer = Importer::new(log, name);
    loop {
        let batch =
            guard(|| reader.next().transpose().map_err(|error| error.to_string())).map_err(corrupt)?;
        let Some(batch) = batch else { break };
        rows(&batch, name, options, &mut importer).await?;
    }
    importer.finish().await
}

async fn rows(
    batch: &RecordBatch,
    name: &str,
    options: &ImportOptions,
    importer: &mut Importer<'_>,
) -> Result<(), StoreError> {
    let schema = batch.schema();
    let place = |wanted: &str| {
        schema.fields().iter().position(|field| field.name() == wanted).ok_or_else(|| {
            StoreError::invalid(format!("{name} has no column {wanted}: name the columns of time and device"))
        })
    };
    let (time, device) = (place(&options.time)?, place(&options.device)?);
    let named = |field: &str| {
        let stripped = TYPES.iter().find_map(|kind| field.strip_suffix(kind)).filter(|_| options.typed_names);
        Arc::from(unescape(stripped.unwrap_or(field)).as_str())
    };
    let names: Vec<Arc<str>> = schema.fields().iter().map(|field| named(field.name())).collect();
    for row in 0..batch.num_rows() {
        let Some(at) = time_of(batch.column(time), row) else {
            importer.refuse("it has no time".to_owned());
            continue;
        };
        let id: Option<Arc<str>> = match cell(batch.column(device), row) {
            Some(Cell::Text(text)) if !text.is_empty() => Some(text.into()),
            Some(Cell::Number(number)) => Some(number.to_string().into()),
            _ => None,
        };
        let Some(id) = id else {
            importer.refuse("it names no device".to_owned());
            continue;
        };
        let columns = names.iter().zip(batch.columns()).enumerate();
        let columns = columns.filter(|(at, _)| *at != time && *at != device);
        let cells = columns.filter_map(|(_, (name, array))| Some((Arc::clone(name), cell(array, row)?)));
        let cells = cells.collect();
        importer.row(at, id, cells).await?;
    }
    Ok(())
}

/// Time Series Insights writes names with `.`, `[`, `\` or `'` in them as `['…']`, with `\` and `'` escaped.
fn unescape(name: &str) -> String {
    let Some(inner) = name.strip_prefix("['").and_then(|rest| rest.strip_suffix("']")) else {
        return name.to_owned();
    };
    let (mut out, mut escaped) = (String::new(), false);
    for character in inner.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(character);
            escaped = false;
        }
    }
    out
}

fn time_of(array: &Arc<dyn Array>, row: usize) -> Option<Micros> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            array.as_primitive::<TimestampSecondType>().value(row).checked_mul(1_000_000)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1_000)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Some(array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000))
        }
        DataType::Utf8 => parse_iso(array.as_string::<i32>().value(row)),
        _ => None,
    }
}

fn cell(array: &Arc<dyn Array>, row: usize) -> Option<Cell> {
    if array.is_null(row) {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "history keeps doubles, as the readers of long columns do")]
    let cell = match array.data_type() {
        DataType::Float64 => Cell::Number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Cell::Number(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Int64 => Cell::Number(array.as_primitive::<Int64Type>().value(row) as f64),
        DataType::UInt64 => Cell::Number(array.as_primitive::<UInt64Type>().value(row) as f64),
        DataType::Int32 => Cell::Number(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::UInt32 => Cell::Number(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::Int16 => Cell::Number(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::UInt16 => Cell::Number(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::Int8 => Cell::Number(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::UInt8 => Cell::Number(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::Boolean => Cell::Other(array.as_boolean().value(row).into()),
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(row);
            match text.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(text)) {
                Some(Ok(value)) => Cell::Other(value),
                _ => Cell::Text(text.to_owned()),
            }
        }
        DataType::Timestamp(..) => Cell::Other(iso(time_of(array, row)?).into()),
        _ => return None,
    };
    match cell {
        Cell::Number(number) if !number.is_finite() => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::{History, RowQuery};
    use crate::store::Store;
    use arrow_array::{BooleanArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray};
    use parquet::arrow::ArrowWriter;

    #[tokio::test]
    async fn a_file_of_time_series_insights_gives_one_signal_of_long_and_double() {
        let batch = RecordBatch::try_from_iter_with_nullable([
            (
                "timestamp",
                Arc::new(TimestampMillisecondArray::from(vec![
                    Some(1_600_000_000_000),
                    Some(1_600_000_001_000),
                    None,
                ])) as Arc<dyn Array>,
                true,
            ),
            (
                "deviceId_string",
                Arc::new(StringArray::from(vec![Some("arm"), Some("arm"), Some("arm")])),
                true,
            ),
            ("speed_double", Arc::new(Float64Array::from(vec![Some(5.1), None, None])), true),
            ("speed_long", Arc::new(Int64Array::from(vec![None, Some(5), None])), true),
            ("['a.b']_string", Arc::new(StringArray::from(vec![Some("on"), None, None])), true),
            ("ok_bool", Arc::new(BooleanArray::from(vec![Some(true), None, None])), true),
            ("list_dynamic", Arc::new(StringArray::from(vec![None, Some("[1,2]"), None])), true),
        ])
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let options =
            ImportOptions { time: "timestamp".into(), device: "deviceId_string".into(), typed_names: true };
        let log = SegmentLog::new(Store::memory(), "plant");
        for segments in [1, 0] {
            let report = import_parquet(&log, "V=1/PT=Time/a.parquet", &path, &options).await.unwrap();
            assert_eq!((report.rows, report.refused, report.segments), (2, 1, segments));
        }
        let history = History::new(log.store().clone(), "plant");
        let query = RowQuery { from: 0, to: Micros::MAX, ..RowQuery::default() };
        let (rows, _) = history.read(&query, 10).await.unwrap();
        assert_eq!(rows[0].signal(&"speed".into()).unwrap(), [5.1, 5.0]);
        assert_eq!(rows[0].state(&"a.b".into(), 0), Some("on"));
        assert_eq!((rows[0].extra(0), rows[0].extra(1)), (Some("{\"ok\":true}"), Some("{\"list\":[1,2]}")));
        std::fs::write(&path, b"PAR1 torn").unwrap();
        assert!(matches!(import_parquet(&log, "b", &path, &options).await, Err(StoreError::Corrupt { .. })));
    }
}
