//! History as one file of CSV, JSON Lines or Parquet, written as it is read: memory does not grow with the range.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use twinwright_core::time::iso;

use crate::StoreError;
use crate::output::{DayFile, PartPool};
use crate::reader::{History, HistoryReport, RowQuery};
use crate::registry::Registry;
use crate::segment::Kind;
use crate::table::{EXTRA, PROPERTIES, QUALITY, Rows, TEXTS};

/// Kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A head line, then one line a row; an absent value is empty.
    Csv,
    /// One JSON object a line; an absent value has no key.
    JsonLines,
    /// One file of the shape of a day file.
    Parquet,
}

impl std::str::FromStr for Format {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            "parquet" => Ok(Self::Parquet),
            other => Err(StoreError::invalid(format!("{other} is no format: use csv, ndjson or parquet"))),
        }
    }
}

/// Writes the rows of a query, by day, device and time.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Invalid`] where the file cannot be written.
pub async fn export(
    history: &History,
    query: &RowQuery,
    format: Format,
    out: &mut (impl Write + Send),
) -> Result<HistoryReport, StoreError> {
    let mut failed = None;
    let mut parquet: Option<DayFile> = None;
    let mut started = false;
    let report = history
        .visit(query, |rows| {
            let written = match format {
                Format::Csv => csv(&rows, query, &mut started, out),
                Format::JsonLines => json_lines(&rows, query, out),
                Format::Parquet => {
                    let present = present(&rows.registry, query);
                    let file = match parquet.take() {
                        Some(file) => Ok(file),
                        None => DayFile::new("export", &rows.registry, &present, &PartPool::default()),
                    };
                    file.and_then(|mut file| {
                        file.write(&rows.table, &rows.names)?;
                        // What is written leaves the memory before the file is whole: only the footer must wait.
                        file.drain(out).map_err(|error| not_written(&error))?;
                        parquet = Some(file);
                        Ok(())
                    })
                }
            };
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
        .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    if format == Format::Parquet {
        let file = match parquet {
            Some(file) => file,
            None => DayFile::new("export", &Registry::default(), &[], &PartPool::default())?,
        };
        for part in file.finish()?.parts {
            out.write_all(&part).map_err(|error| not_written(&error))?;
        }
    }
    out.flush().map_err(|error| not_written(&error))?;
    Ok(report)
}

fn not_written(error: &std::io::Error) -> StoreError {
    StoreError::invalid(format!("the export cannot be written: {error}"))
}

/// Every column that any row may have: a file has one head.
fn present(registry: &Registry, query: &RowQuery) -> Vec<bool> {
    let all = query.columns.is_none();
    let wanted = |name: &Arc<str>| query.columns.as_ref().is_none_or(|columns| columns.contains(&**name));
    std::iter::repeat_n(all, TEXTS)
        .chain(registry.columns().iter().map(|column| wanted(&column.name)))
        .collect()
}

fn csv(rows: &Rows, query: &RowQuery, started: &mut bool, out: &mut impl Write) -> Result<(), StoreError> {
    let present = present(&rows.registry, query);
    let columns = || rows.registry.columns().iter().enumerate().filter(|(at, _)| present[at + TEXTS]);
    let mut text = String::new();
    if !*started {
        *started = true;
        text.push_str("device_id,ts,enqueued,partition,epoch,seq");
        for (_, column) in columns() {
            text.push(',');
            quote(&mut text, &column.column);
        }
        text.push_str(if query.columns.is_none() { ",quality,properties,extra\r\n" } else { "\r\n" });
    }
    for row in 0..rows.len() {
        let source = rows.source(row);
        quote(&mut text, rows.device(row));
        text.push_str(&format!(
            ",{},{},{},{},{}",
            iso(rows.times()[row]),
            iso(rows.enqueued()[row]),
            source.partition,
            source.epoch,
            rows.sequences()[row]
        ));
        for (_, column) in columns() {
            text.push(',');
            match column.kind {
                Kind::Signal => {
                    let value =
                        rows.signal(&column.name).map(|values| values[row]).filter(|value| !value.is_nan());
                    if let Some(value) = value {
                        text.push_str(&value.to_string());
                    }
                }
                Kind::State => quote(&mut text, rows.state(&column.name, row).unwrap_or_default()),
            }
        }
        if query.columns.is_none() {
            for at in [QUALITY, PROPERTIES, EXTRA] {
                text.push(',');
                quote(&mut text, rows.text_of(at, row).unwrap_or_default());
            }
        }
        text.push_str("\r\n");
        if text.len() > 1 << 16 {
            out.write_all(text.as_bytes()).map_err(|error| not_written(&error))?;
            text.clear();
        }
    }
    out.write_all(text.as_bytes()).map_err(|error| not_written(&error))
}

/// RFC 4180.
fn quote(text: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(field);
    }
}

fn json_lines(rows: &Rows, query: &RowQuery, out: &mut impl Write) -> Result<(), StoreError> {
    let present = present(&rows.registry, query);
    let mut text = Vec::new();
    for row in 0..rows.len() {
        let source = rows.source(row);
        let mut object = Map::new();
        object.insert("device_id".into(), Value::from(&**rows.device(row)));
        object.insert("ts".into(), iso(rows.times()[row]).into());
        object.insert("enqueued".into(), iso(rows.enqueued()[row]).into());
        object.insert("partition".into(), source.partition.into());
        object.insert("epoch".into(), source.epoch.into());
        object.insert("seq".into(), rows.sequences()[row].into());
        for (_, column) in rows.registry.columns().iter().enumerate().filter(|(at, _)| present[at + TEXTS]) {
            let value = match column.kind {
                Kind::Signal => rows
                    .signal(&column.name)
                    .map(|values| values[row])
                    .filter(|v| !v.is_nan())
                    .map(|v| json!(v)),
                Kind::State => rows.state(&column.name, row).map(Value::from),
            };
            if let Some(value) = value {
                object.insert(column.column.clone(), value);
            }
        }
        if let Some(quality) = rows.quality(row).filter(|_| query.columns.is_none()) {
            object.insert("quality".into(), quality.into());
        }
        for (name, at) in [("properties", PROPERTIES), ("extra", EXTRA)] {
            if let Some(found) = rows.text_of(at, row).filter(|_| query.columns.is_none()) {
                let value = serde_json::from_str(found).unwrap_or_else(|_| Value::from(found));
                object.insert(name.into(), value);
            }
        }
        serde_json::to_writer(&mut text, &object)
            .map_err(|error| StoreError::invalid(format!("a row cannot be written as JSON: {error}")))?;
        text.push(b'\n');
        if text.len() > 1 << 16 {
            out.write_all(&text).map_err(|error| not_written(&error))?;
            text.clear();
        }
    }
    out.write_all(&text).map_err(|error| not_written(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::SegmentMetadata;
    use crate::segments::SegmentLog;
    use crate::store::Store;
    use crate::testing::frame;
    use twinwright_core::frame::SparseText;
    use twinwright_core::time::Micros;

    async fn exported(format: Format) -> Vec<u8> {
        let store = Store::memory();
        let log = SegmentLog::new(store.clone(), "plant");
        let mut first = frame(3, 0, 3);
        first.devices[0] = "a \"b\", c".into();
        first.signals[0].values[1] = f64::NAN;
        first.extra = SparseText(vec![(2, "{\"on\":true}".into())]);
        log.commit(&first, &SegmentMetadata::default()).await.unwrap();
        let history = History::new(store, "plant");
        let query = RowQuery { from: 0, to: Micros::MAX, ..RowQuery::default() };
        let mut out = Vec::new();
        let report = export(&history, &query, format, &mut out).await.unwrap();
        assert_eq!(report.rows, 4);
        out
    }

    #[tokio::test]
    async fn csv_and_json_lines_have_every_value() {
        let text = String::from_utf8(exported(Format::Csv).await).unwrap();
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines[0], "device_id,ts,enqueued,partition,epoch,seq,speed,quality,properties,extra");
        assert_eq!(
            lines[1],
            "\"a \"\"b\"\", c\",2026-03-04T10:59:51.000000Z,2026-03-04T10:59:51.000000Z,3,0,1,,,,"
        );
        assert!(lines[3].starts_with("arm-2,") && lines[3].ends_with(",0,0,,,"), "{}", lines[3]);
        assert!(lines[4].ends_with(",2,2,,,\"{\"\"on\"\":true}\""), "{}", lines[4]);
        let text = String::from_utf8(exported(Format::JsonLines).await).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 4);
        assert!(rows[0].get("speed").is_none() && rows[3]["extra"]["on"] == true);
        assert!("xml".parse::<Format>().is_err());
    }

    #[tokio::test]
    async fn parquet_is_one_whole_file() {
        let bytes = bytes::Bytes::from(exported(Format::Parquet).await);
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 4);
        let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows, 4);
    }
}
