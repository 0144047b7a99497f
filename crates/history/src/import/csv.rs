//! CSV after RFC 4180, read line by line.

use std::io::BufRead;
use std::sync::Arc;

use twinwright_core::time::parse_iso;

use super::{Cell, ImportOptions, ImportReport, Importer};
use crate::StoreError;
use crate::segments::SegmentLog;

/// Longer records are no data of ours.
const LONGEST: usize = 4 << 20;

/// Imports a file with a head line. A field that reads as a number is a signal's value, other text a state's; an empty one
/// is absent. `name` tells this file from others, and is the same when the file is imported again.
///
/// # Errors
/// [`StoreError::Invalid`] for a file that is no CSV or lacks the columns of time and device.
pub async fn import_csv(
    log: &SegmentLog,
    name: &str,
    mut file: impl BufRead + Send,
    options: &ImportOptions,
) -> Result<ImportReport, StoreError> {
    let mut record = Vec::new();
    if !read_record(&mut file, &mut record)? {
        return Err(StoreError::invalid(format!("{name} is empty: the first line must name the columns")));
    }
    if let Some(first) = record.first_mut()
        && let Some(rest) = first.strip_prefix('\u{feff}')
    {
        *first = rest.to_owned();
    }
    let head: Vec<Arc<str>> = record.iter().map(|field| Arc::from(field.as_str())).collect();
    let place = |wanted: &str| {
        head.iter().position(|column| **column == *wanted).ok_or_else(|| {
            StoreError::invalid(format!("{name} has no column {wanted}: name the columns of time and device"))
        })
    };
    let (time, device) = (place(&options.time)?, place(&options.device)?);
    let mut importer = Importer::new(log, name);
    while read_record(&mut file, &mut record)? {
        if record.len() == 1 && record[0].is_empty() {
            continue;
        }
        if record.len() != head.len() {
            importer.refuse(format!("it has {} fields, the head has {}", record.len(), head.len()));
            continue;
        }
        let Some(at) = parse_iso(&record[time]) else {
            importer.refuse(format!("{:?} is no time", record[time].chars().take(40).collect::<String>()));
            continue;
        };
        if record[device].is_empty() {
            importer.refuse("it names no device".to_owned());
            continue;
        }
        let fields =
            record.iter().enumerate().filter(|(at, field)| *at != time && *at != device && !field.is_empty());
        let cells = fields.map(|(at, field)| {
            let cell = match field.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Cell::Number(number),
                _ => Cell::Text(field.clone()),
            };
            (Arc::clone(&head[at]), cell)
        });
        let cells = cells.collect();
        importer.row(at, Arc::from(record[device].as_str()), cells).await?;
    }
    importer.finish().await
}

/// Reads a record, which may span lines where a field is quoted; `false` at the end.
fn read_record(file: &mut impl BufRead, record: &mut Vec<String>) -> Result<bool, StoreError> {
    let failed = |error: std::io::Error| StoreError::invalid(format!("the file cannot be read: {error}"));
    record.clear();
    let (mut field, mut quoted, mut any, mut length) = (Vec::new(), false, false, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A file without line ends must not fill the memory.
        let mut limited = std::io::Read::take(&mut *file, LONGEST as u64 + 1);
        let read = limited.read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 {
            if quoted {
                return Err(StoreError::invalid("the file ends inside a quoted field: it is not whole"));
            }
            return Ok(any);
        }
        any = true;
        length += read;
        if length > LONGEST {
            return Err(StoreError::invalid("a line is longer than 4 MiB: this is no CSV file"));
        }
        let mut at = 0;
        while at < line.len() {
            let byte = line[at];
            match (byte, quoted) {
                (b'"', true) if line.get(at + 1) == Some(&b'"') => {
                    field.push(b'"');
                    at += 1;
                }
                (b'"', true) => quoted = false,
                (b'"', false) if field.is_empty() => quoted = true,
                (b',', false) => record.push(text(&mut field)?),
                (b'\r', false) if line.get(at + 1) == Some(&b'\n') => {}
                (b'\n', false) => {}
                _ => field.push(byte),
            }
            at += 1;
        }
        if !quoted {
            record.push(text(&mut field)?);
            return Ok(true);
        }
    }
}

fn text(field: &mut Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(std::mem::take(field))
        .map_err(|_| StoreError::invalid("the file is not UTF-8: convert it first"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Format, export};
    use crate::reader::{History, RowQuery};
    use crate::store::Store;
    use twinwright_core::time::Micros;

    #[tokio::test]
    async fn a_file_is_there_once_however_often_it_is_imported() {
        let log = SegmentLog::new(Store::memory(), "plant");
        let file = "\u{feff}when,who,speed,status,note\r\n\
            2020-01-01T00:00:00Z,arm-1,5,running,\"a, \"\"b\"\"\nc\"\r\n\
            2020-01-01T00:00:10,arm-1,5.1,idle,\r\n\
            yesterday,arm-1,1,,\r\n\
            2020-01-01T02:00:00+01:00,arm-2,,running,x\r\n\
            2020-01-01T05:00:00Z,,1,,\r\n\
            1,2\r\n\
            2020-03-01T05:00:00Z,arm-1,-1e3,,";
        let options = ImportOptions { time: "when".into(), device: "who".into(), typed_names: false };
        let report = import_csv(&log, "a.csv", file.as_bytes(), &options).await.unwrap();
        assert_eq!((report.rows, report.refused, report.segments), (4, 3, 3), "{report:?}");
        assert_eq!(report.reasons[0], (3, "\"yesterday\" is no time".to_owned()));
        let again = import_csv(&log, "a.csv", file.as_bytes(), &options).await.unwrap();
        assert_eq!((again.segments, again.known), (0, 3));
        let history = History::new(log.store().clone(), "plant");
        let query = RowQuery { from: 0, to: Micros::MAX, ..RowQuery::default() };
        let mut out = Vec::new();
        export(&history, &query, Format::JsonLines, &mut out).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(text.contains("\"note\":\"a, \\\"b\\\"\\nc\"") && text.contains("\"speed\":5.1"), "{text}");
        for bad in ["", "a,b\n1,2", "when,who\n\"2020", "when,who\n\u{0}"] {
            let outcome = import_csv(&log, "b.csv", bad.as_bytes(), &options).await;
            assert!(outcome.is_err() || outcome.unwrap().refused == 1, "{bad}");
        }
    }
}
