//! Files of roll-ups.

use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::columns::{Field, field, write_counts, write_doubles, write_integers, write_runs};
use super::{FileWriter, Finished, Layout, PartPool, failed};
use crate::StoreError;
use crate::compact::RollUpRows;
use crate::registry::Registry;
use crate::rows::Dictionary;
use crate::segment::FORMAT;
use crate::table::TEXTS;

/// Writes roll-ups.
pub(crate) struct RollUpFile {
    file: FileWriter,
}

/// The six columns of numbers.
pub(crate) const ROLL_UP_VALUES: [&str; 6] = ["sum", "min", "max", "sum_sq", "first", "last"];

impl RollUpFile {
    pub(crate) fn new(hub: &str, grain: &str, parts: &PartPool) -> Result<Self, StoreError> {
        Self::start(hub, grain, parts).map_err(|error| failed(&error))
    }

    fn start(hub: &str, grain: &str, parts: &PartPool) -> Result<Self, ParquetError> {
        let mut fields = vec![
            field("device_id", Field::Text, false)?,
            field("signal", Field::Text, false)?,
            field("ts", Field::Time, false)?,
            field("count", Field::Int64, false)?,
        ];
        for name in ROLL_UP_VALUES {
            fields.push(field(name, Field::Double, false)?);
        }
        // A day has 1,440 minutes: a series is in two pages at the most.
        let layout = Layout { page: 2_048, noise: &["sum", "sum_sq"] };
        let mut file = FileWriter::new(fields, &layout, parts)?;
        for (key, value) in [("format", FORMAT), ("kind", "roll-up"), ("grain", grain), ("hub", hub)] {
            let pair = KeyValue::new(format!("twinwright.{key}"), value.to_owned());
            file.writer.append_key_value_metadata(pair);
        }
        Ok(Self { file })
    }

    /// Writes sorted roll-ups as a row group.
    pub(crate) fn write(
        &mut self,
        rows: &RollUpRows,
        devices: &Dictionary,
        registry: &Registry,
    ) -> Result<(), StoreError> {
        self.write_group(rows, devices, registry).map_err(|error| failed(&error))
    }

    fn write_group(
        &mut self,
        rows: &RollUpRows,
        devices: &Dictionary,
        registry: &Registry,
    ) -> Result<(), ParquetError> {
        let FileWriter { writer, tally, doubles, columns: all, plain } = &mut self.file;
        let ends = rows.device.first().zip(rows.device.last());
        tally.add(devices, ends.map(|(first, last)| (first.0, last.0)), &rows.time);
        let mut group = writer.next_row_group()?;
        write_runs(&mut group, &all[0], &rows.device, |code| devices.get(code))?;
        let columns = registry.columns();
        write_runs(&mut group, &all[1], &rows.signal, |code| columns[code as usize - TEXTS].column.as_str())?;
        write_integers(&mut group, &all[2], &rows.time)?;
        write_counts(&mut group, &all[3], &rows.summaries.count)?;
        for (at, values) in rows.summaries.values.iter().enumerate() {
            write_doubles(&mut group, &all[at + 4], values, doubles, &mut plain[at + 4], false)?;
        }
        group.close()?;
        Ok(())
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> usize {
        self.file.writer.bytes_written()
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<Finished, StoreError> {
        self.file.finish().map_err(|error| failed(&error))
    }
}
