//! Day files and roll-up files: sorted by device and time, a hundred thousand rows a row group, eight thousand (of
//! roll-ups two thousand) a page,
//! with statistics and a page index by which readers prune. There are no bloom filters: in sorted files the bounds of
//! `device_id` say the same for nothing.
//!
//! Day file: `device_id`, `ts`, `enqueued` (µs UTC), `partition`, `epoch`, `seq`, a double a signal, a string a state,
//! `quality`, `properties`, `extra`. Roll-ups: `device_id`, `signal` (the day file's column), `ts` (start of the bucket),
//! `count`, `sum`, `min`, `max`, `sum_sq`, `first`, `last`.

mod columns;
mod parts;
mod roll_up;

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use twinwright_core::frame::NO_STATE;
use twinwright_core::time::Micros;

use self::columns::{
    Field, field, properties, write_doubles, write_integers, write_runs, write_small, write_texts,
};
use self::parts::Parts;
use crate::StoreError;
use crate::column_chunk::{DoubleDictionary, NONE, Slot};
use crate::manifest::FileEntry;
use crate::registry::Registry;
use crate::rows::Dictionary;
use crate::segment::{Columns, FORMAT, Kind};
use crate::table::{EXTRA, Names, PROPERTIES, QUALITY, TEXTS, Table, Values};

pub(crate) use parts::PartPool;
pub(crate) use roll_up::{ROLL_UP_VALUES, RollUpFile};

/// A finished file, not yet stored.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its bytes, in parts.
    pub(crate) parts: Vec<Bytes>,
    /// What the manifest says of it, but for its path.
    pub(crate) entry: FileEntry,
    /// Values of signals in it.
    pub(crate) values: u64,
}

/// Bounds and counts while rows come.
#[derive(Debug)]
struct Tally {
    rows: u64,
    values: u64,
    min_time: Micros,
    max_time: Micros,
    first_device: Option<String>,
    last_device: String,
}

impl Tally {
    const fn new() -> Self {
        let (min_time, max_time) = (Micros::MAX, Micros::MIN);
        Self { rows: 0, values: 0, min_time, max_time, first_device: None, last_device: String::new() }
    }

    /// Adds rows, of which the first and the last are of these devices.
    fn add(&mut self, devices: &Dictionary, ends: Option<(u32, u32)>, times: &[Micros]) {
        let Some((first, last)) = ends else { return };
        self.rows += times.len() as u64;
        for &time in times {
            self.min_time = self.min_time.min(time);
            self.max_time = self.max_time.max(time);
        }
        self.first_device.get_or_insert_with(|| devices.get(first).to_owned());
        devices.get(last).clone_into(&mut self.last_device);
    }

    fn entry(self, bytes: u64) -> FileEntry {
        FileEntry {
            path: String::new(),
            rows: self.rows,
            bytes,
            min_time: self.min_time,
            max_time: self.max_time,
            first_device: self.first_device.unwrap_or_default(),
            last_device: self.last_device,
        }
    }
}

/// How the columns of a kind of files are written.
struct Layout {
    /// Rows of a page: what a reader decodes at least.
    page: usize,
    /// Columns of doubles that no compressor makes smaller.
    noise: &'static [&'static str],
}

/// What both kinds of files share.
struct FileWriter {
    writer: SerializedFileWriter<Parts>,
    tally: Tally,
    doubles: DoubleDictionary,
    columns: Vec<Slot>,
    /// Columns whose last row group had too many distinct values: looked at again after a few.
    plain: Vec<u8>,
}

impl FileWriter {
    fn new(fields: Vec<TypePtr>, layout: &Layout, parts: &PartPool) -> Result<Self, ParquetError> {
        let plain = vec![0; fields.len()];
        let schema = Type::group_type_builder("twinwright").with_fields(fields).build()?;
        let properties = Arc::new(properties(layout));
        let writer = SerializedFileWriter::new(Parts::new(parts), Arc::new(schema), properties)?;
        let columns = writer.schema_descr().columns().iter();
        let columns = columns.map(|column| Slot { descriptor: Arc::clone(column), page: layout.page });
        let columns = columns.collect();
        Ok(Self { writer, tally: Tally::new(), doubles: DoubleDictionary::new(), columns, plain })
    }

    fn finish(mut self) -> Result<Finished, ParquetError> {
        self.writer.finish()?;
        let parts = self.writer.inner_mut().finish();
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        let values = self.tally.values;
        Ok(Finished { parts, entry: self.tally.entry(bytes), values })
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, Parts>;

/// Writes the rows of a day.
pub(crate) struct DayFile {
    file: FileWriter,
    /// Number and kind of the registry's columns, in the file's order.
    columns: Vec<(usize, Kind)>,
    texts: Vec<usize>,
}

impl DayFile {
    /// A file with the columns that `present` says, by number.
    pub(crate) fn new(
        hub: &str,
        registry: &Registry,
        present: &[bool],
        parts: &PartPool,
    ) -> Result<Self, StoreError> {
        Self::start(hub, registry, present, parts).map_err(|error| failed(&error))
    }

    fn start(
        hub: &str,
        registry: &Registry,
        present: &[bool],
        parts: &PartPool,
    ) -> Result<Self, ParquetError> {
        let is = |at: usize| present.get(at).copied().unwrap_or(false);
        let mut fields = vec![
            field("device_id", Field::Text, false)?,
            field("ts", Field::Time, false)?,
            field("enqueued", Field::Time, false)?,
            field("partition", Field::Int32, false)?,
            field("epoch", Field::Int32, false)?,
            field("seq", Field::Int64, false)?,
        ];
        let mut columns = Vec::new();
        let mut described = Vec::new();
        for (at, column) in registry.columns().iter().enumerate().filter(|(at, _)| is(at + TEXTS)) {
            let kind = if column.kind == Kind::Signal { Field::Double } else { Field::Text };
            fields.push(field(&column.column, kind, true)?);
            columns.push((at + TEXTS, column.kind));
            described.push(column);
        }
        let texts: Vec<usize> = [QUALITY, PROPERTIES, EXTRA].into_iter().filter(|&at| is(at)).collect();
        for &at in &texts {
            fields.push(field(["quality", "properties", "extra"][at], Field::Text, true)?);
        }
        let layout = Layout { page: 8_192, noise: &[] };
        let mut file = FileWriter::new(fields, &layout, parts)?;
        let described = Columns::described(&described);
        let described =
            serde_json::to_string(&described).map_err(|error| ParquetError::General(error.to_string()))?;
        for (key, value) in [("format", FORMAT), ("kind", "day"), ("hub", hub), ("columns", &described)] {
            let pair = KeyValue::new(format!("twinwright.{key}"), value.to_owned());
            file.writer.append_key_value_metadata(pair);
        }
        Ok(Self { file, columns, texts })
    }

    /// Writes sorted rows as a row group.
    pub(crate) fn write(&mut self, rows: &Table, names: &Names) -> Result<(), StoreError> {
        self.write_group(rows, names).map_err(|error| failed(&error))
    }

    fn write_group(&mut self, rows: &Table, names: &Names) -> Result<(), ParquetError> {
        let FileWriter { writer, tally, doubles, columns: all, plain } = &mut self.file;
        let ends = rows.device.first().copied().zip(rows.device.last().copied());
        tally.add(&names.devices, ends, &rows.time);
        let mut group = writer.next_row_group()?;
        let device = |code: u32| names.devices.get(code);
        let runs: Vec<(u32, usize)> =
            rows.device.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
        write_runs(&mut group, &all[0], &runs, device)?;
        write_integers(&mut group, &all[1], &rows.time)?;
        write_integers(&mut group, &all[2], &rows.enqueued)?;
        let sources: Vec<u32> = rows.source.iter().map(|&source| u32::from(source)).collect();
        let partitions: Vec<i32> =
            names.sources.iter().map(|source| source.partition.cast_signed()).collect();
        let epochs: Vec<i32> = names.sources.iter().map(|source| source.epoch.cast_signed()).collect();
        for (at, values) in [(3, partitions), (4, epochs)] {
            let (codes, values) = used(&sources, &values);
            write_small(&mut group, &all[at], &codes, &values)?;
        }
        write_integers(&mut group, &all[5], &rows.sequence)?;
        let mut at = 6;
        for &(column, kind) in &self.columns {
            match (kind, rows.columns.get(column)) {
                (Kind::Signal, Some(Values::Doubles(values))) => {
                    let written = write_doubles(&mut group, &all[at], values, doubles, &mut plain[at], true)?;
                    tally.values += written as u64;
                }
                (Kind::State, Some(Values::Codes(codes))) => {
                    let texts = &names.texts[column];
                    write_texts(&mut group, &all[at], codes, |code| texts.get(code), texts.len())?;
                }
                (Kind::Signal, _) => {
                    write_doubles(&mut group, &all[at], &vec![f64::NAN; rows.rows()], doubles, &mut 0, true)?;
                }
                (Kind::State, _) => {
                    write_texts(&mut group, &all[at], &vec![NO_STATE; rows.rows()], |_| "", 0)?;
                }
            }
            at += 1;
        }
        for &column in &self.texts {
            match rows.columns.get(column) {
                Some(Values::Codes(codes)) => {
                    let texts = &names.texts[column];
                    write_texts(&mut group, &all[at], codes, |code| texts.get(code), texts.len())?;
                }
                _ => write_texts(&mut group, &all[at], &vec![NO_STATE; rows.rows()], |_| "", 0)?,
            }
            at += 1;
        }
        group.close()?;
        Ok(())
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> usize {
        self.file.writer.bytes_written()
    }

    /// Moves what is written so far out of memory, for a caller who writes the file as it grows.
    pub(crate) fn drain(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        self.file.writer.inner_mut().drain(out)
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<Finished, StoreError> {
        self.file.finish().map_err(|error| failed(&error))
    }
}

/// The values that codes use, and the codes for them.
fn used(codes: &[u32], values: &[i32]) -> (Vec<u32>, Vec<i32>) {
    let mut local = vec![NONE; values.len()];
    let mut out = Vec::new();
    let codes = codes.iter().map(|&code| {
        let slot = &mut local[code as usize];
        if *slot == NONE {
            // Sources of one partition differ in their epochs only, and the other way round.
            let value = values[code as usize];
            let known = out.iter().position(|known| *known == value).unwrap_or_else(|| {
                out.push(value);
                out.len() - 1
            });
            *slot = u32::try_from(known).unwrap_or(0);
        }
        *slot
    });
    let codes = codes.collect();
    (codes, out)
}

fn failed(error: &ParquetError) -> StoreError {
    StoreError::invalid(format!("the day cannot be written: {error}"))
}
