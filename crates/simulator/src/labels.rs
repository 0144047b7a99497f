//! The truth beside the data: one line a reading, as CSV or as JSON lines. Detection is measured against it; it never
//! travels with the telemetry.

use crate::error::Error;
use crate::reading::{Reading, iso_time};
use serde::Serialize;
use std::io::Write;

/// How labels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `device_id,timestamp,time_us,fault,severity` with a heading.
    Csv,
    /// One JSON object a line, with the same names.
    JsonLines,
}

/// Which readings get a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// All, with an empty fault and severity 0 where nothing is wrong.
    All,
    /// Only those at fault: small, for long runs of many devices.
    Faulty,
}

/// Writes labels as they come.
#[derive(Debug)]
pub struct Writer<W: Write> {
    target: W,
    format: Format,
    rows: Rows,
    written: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    device_id: &'a str,
    timestamp: String,
    time_us: i64,
    fault: Option<&'static str>,
    severity: f64,
}

impl<W: Write> Writer<W> {
    /// Begins; CSV gets its heading at once. Give a buffered target.
    ///
    /// # Errors
    /// [`Error::Write`] when the target takes no more.
    pub fn new(mut target: W, format: Format, rows: Rows) -> Result<Self, Error> {
        if format == Format::Csv {
            writeln!(target, "device_id,timestamp,time_us,fault,severity")?;
        }
        Ok(Self { target, format, rows, written: 0 })
    }

    /// Writes the label of one reading.
    ///
    /// # Errors
    /// [`Error::Write`] when the target takes no more.
    pub fn write(&mut self, reading: &Reading) -> Result<(), Error> {
        if self.rows == Rows::Faulty && reading.label.is_none() {
            return Ok(());
        }
        let fault = reading.label.map(|label| label.fault.name());
        let severity = reading.label.map_or(0.0, |label| (label.severity * 1e4).round() / 1e4);
        let timestamp = format!("{}Z", iso_time(reading.time_us));
        match self.format {
            Format::Csv => {
                let (device, fault) = (quoted(&reading.device_id), fault.unwrap_or(""));
                writeln!(self.target, "{device},{timestamp},{},{fault},{severity}", reading.time_us)?;
            }
            Format::JsonLines => {
                let line = Line {
                    device_id: &reading.device_id,
                    timestamp,
                    time_us: reading.time_us,
                    fault,
                    severity,
                };
                serde_json::to_writer(&mut self.target, &line).map_err(std::io::Error::from)?;
                self.target.write_all(b"\n")?;
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Lines written so far, without the heading.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Empties the buffers and gives the target back.
    ///
    /// # Errors
    /// [`Error::Write`] when the target takes no more.
    pub fn finish(mut self) -> Result<W, Error> {
        self.target.flush()?;
        Ok(self.target)
    }
}

/// A device id may hold a comma (IoT Hub allows it), so it may need quotes.
fn quoted(id: &str) -> std::borrow::Cow<'_, str> {
    if id.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", id.replace('"', "\"\"")).into()
    } else {
        id.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultKind, Label};

    fn reading(label: Option<Label>) -> Reading {
        Reading { device_id: "a,b".into(), time_us: 0, signals: Vec::new(), states: Vec::new(), label }
    }

    #[test]
    fn csv_and_json_lines() {
        let label = Some(Label { fault: FaultKind::Leak, severity: 0.25 });
        let mut csv = Writer::new(Vec::new(), Format::Csv, Rows::All).unwrap();
        csv.write(&reading(None)).unwrap();
        csv.write(&reading(label)).unwrap();
        assert_eq!(csv.written(), 2);
        assert_eq!(
            String::from_utf8(csv.finish().unwrap()).unwrap(),
            "device_id,timestamp,time_us,fault,severity\n\
             \"a,b\",1970-01-01T00:00:00.000000Z,0,,0\n\
             \"a,b\",1970-01-01T00:00:00.000000Z,0,leak,0.25\n"
        );
        let mut lines = Writer::new(Vec::new(), Format::JsonLines, Rows::Faulty).unwrap();
        lines.write(&reading(None)).unwrap();
        lines.write(&reading(label)).unwrap();
        let text = String::from_utf8(lines.finish().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("\"fault\":\"leak\""), "{text}");
    }
}
