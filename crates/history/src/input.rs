//! Segments and day files into tables: the same code for compaction and for readers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use serde::{Deserialize, Serialize};
use twinwright_core::frame::{ABSENT, NO_STATE};

use crate::manifest::Source;
use crate::parquet_file::Footer;
use crate::quality;
use crate::registry::Registry;
use crate::segment::{Columns, DEVICE_ID, ENQUEUED, FORMAT, Kind, PARTITION, SEQUENCE, TIME};
use crate::segment::{EXTRA as EXTRA_COLUMN, PROPERTIES as PROPERTIES_COLUMN, QUALITY as QUALITY_COLUMN};
use crate::table::{EXTRA, Names, PROPERTIES, QUALITY, TEXTS, Table};

/// Sets of columns that are remembered.
const REMEMBERED: usize = 256;

/// Where the values of a file's column go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Device,
    Time,
    Enqueued,
    Partition,
    Epoch,
    Sequence,
    Doubles(usize),
    Codes(usize),
}

/// What the columns of a file mean.
#[derive(Debug)]
pub(crate) struct Layout {
    targets: HashMap<String, Target>,
    /// Names in the quality text that differ from the registry's.
    renamed: HashMap<String, String>,
}

/// What a segment's metadata say beside its columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) source: Source,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) first_enqueued: i64,
    pub(crate) last_enqueued: i64,
}

impl Head {
    pub(crate) fn read(footer: &Footer) -> Result<Self, String> {
        let text = |key: &str| {
            footer.value(&format!("twinwright.{key}")).ok_or_else(|| format!("it has no twinwright.{key}"))
        };
        let number =
            |key: &str| text(key)?.parse::<i64>().map_err(|error| format!("twinwright.{key}: {error}"));
        let small =
            |key: &str| text(key)?.parse::<u32>().map_err(|error| format!("twinwright.{key}: {error}"));
        Ok(Self {
            source: Source { partition: small("partition")?, epoch: small("epoch")? },
            first: number("first")?,
            last: number("last")?,
            first_enqueued: number("first_enqueued")?,
            last_enqueued: number("last_enqueued")?,
        })
    }
}

/// Layouts by what files say of their columns; thousands of segments have the same.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    known: HashMap<String, Arc<Layout>>,
}

impl Layouts {
    /// The layout of a file; new signals and states are registered.
    pub(crate) fn of(&mut self, footer: &Footer, registry: &mut Registry) -> Result<Arc<Layout>, String> {
        let format = footer.value("twinwright.format").ok_or("it has no twinwright.format")?;
        if format != FORMAT {
            return Err(format!("its format is {format}, this version reads {FORMAT}"));
        }
        let json = footer.value("twinwright.columns").ok_or("it has no twinwright.columns")?;
        if let Some(layout) = self.known.get(json) {
            return Ok(Arc::clone(layout));
        }
        let columns: Columns =
            serde_json::from_str(json).map_err(|error| format!("twinwright.columns: {error}"))?;
        let layout = Arc::new(Layout::new(&columns, registry));
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(json.to_owned(), Arc::clone(&layout));
        Ok(layout)
    }
}

impl Layout {
    fn new(columns: &Columns, registry: &mut Registry) -> Self {
        let fixed = [
            (DEVICE_ID, Target::Device),
            (TIME, Target::Time),
            (ENQUEUED, Target::Enqueued),
            (PARTITION, Target::Partition),
            ("epoch", Target::Epoch),
            (SEQUENCE, Target::Sequence),
            (QUALITY_COLUMN, Target::Codes(QUALITY)),
            (PROPERTIES_COLUMN, Target::Codes(PROPERTIES)),
            (EXTRA_COLUMN, Target::Codes(EXTRA)),
        ];
        let mut targets: HashMap<String, Target> =
            fixed.into_iter().map(|(name, target)| (name.to_owned(), target)).collect();
        let mut renamed = HashMap::new();
        for column in &columns.columns {
            let number = registry.assign(column.kind, &column.name);
            let target = match column.kind {
                Kind::Signal => Target::Doubles(number + TEXTS),
                Kind::State => Target::Codes(number + TEXTS),
            };
            let ours = &registry.columns()[number].column;
            if *ours != column.column {
                renamed.insert(column.column.clone(), ours.clone());
            }
            // A segment's own signal may be called epoch: its column is then a number of doubles, not ours.
            targets.insert(column.column.clone(), target);
        }
        Self { targets, renamed }
    }

    /// Columns of a file that hold the time, device and these targets.
    pub(crate) fn columns(&self, footer: &Footer, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let all = footer.parquet().file_metadata().schema_descr().columns().iter().enumerate();
        all.filter(|(_, column)| match self.targets.get(column.name()) {
            Some(Target::Doubles(at) | Target::Codes(at)) => wanted(*at),
            Some(_) => true,
            None => false,
        })
        .map(|(at, _)| at)
        .collect()
    }

    /// Appends rows of a batch: all, or those at `keep`. `source` stands in where the file has no such columns.
    pub(crate) fn append(
        &self,
        batch: &RecordBatch,
        keep: Option<&[u32]>,
        source: Option<Source>,
        table: &mut Table,
        names: &mut Names,
    ) -> Result<(), String> {
        let start = table.rows();
        let count = keep.map_or(batch.num_rows(), <[u32]>::len);
        let (mut seen, mut partition, mut epoch) = (0, None, None);
        let schema = batch.schema();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let wrong = || format!("column {} has another type or is null", field.name());
            let Some(target) = self.targets.get(field.name()).copied() else { continue };
            match target {
                Target::Device => {
                    seen |= 1;
                    let (keys, map) = codes(array, &mut names.devices, |_| None).ok_or_else(wrong)?;
                    if keys.null_count() > 0 {
                        return Err(wrong());
                    }
                    extend(&mut table.device, keys.values(), keep, |key| map_code(&map, key));
                }
                Target::Time | Target::Enqueued => {
                    let array = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(wrong)?;
                    if array.null_count() > 0 {
                        return Err(wrong());
                    }
                    let times = if target == Target::Time { &mut table.time } else { &mut table.enqueued };
                    seen |= if target == Target::Time { 2 } else { 4 };
                    extend(times, array.values(), keep, |time| time);
                }
                Target::Sequence => {
                    seen |= 8;
                    let array = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
                    extend(&mut table.sequence, array.values(), keep, |number| number);
                }
                Target::Partition => partition = array.as_primitive_opt::<Int32Type>(),
                Target::Epoch => epoch = array.as_primitive_opt::<Int32Type>(),
                Target::Doubles(at) => {
                    let array = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
                    if array.null_count() == array.len() {
                        continue;
                    }
                    let values = table.column(at).doubles(start);
                    if array.null_count() == 0 {
                        extend(values, array.values(), keep, |value| value);
                    } else {
                        let value = |row: usize| if array.is_null(row) { ABSENT } else { array.value(row) };
                        match keep {
                            None => values.extend((0..array.len()).map(value)),
                            Some(keep) => values.extend(keep.iter().map(|&row| value(row as usize))),
                        }
                    }
                }
                Target::Codes(at) => {
                    if array.null_count() == array.len() {
                        continue;
                    }
                    let rename = |text: &str| (at == QUALITY).then(|| self.rename(text)).flatten();
                    let (keys, map) = codes(array, names.text(at), rename).ok_or_else(wrong)?;
                    let codes = table.column(at).codes(start);
                    let code = |row: usize| {
                        if keys.is_null(row) { NO_STATE } else { map_code(&map, keys.value(row)) }
                    };
                    match keep {
                        None => codes.extend((0..keys.len()).map(code)),
                        Some(keep) => codes.extend(keep.iter().map(|&row| code(row as usize))),
                    }
                }
            }
        }
        if seen != 15 {
            return Err("it lacks one of the columns device_id, ts, enqueued, seq".to_owned());
        }
        match (source, partition, epoch) {
            (Some(source), _, _) => {
                let code = names.source(source);
                table.source.resize(start + count, code);
            }
            (None, Some(partition), Some(epoch)) => {
                let mut last = None;
                let mut code = |row: usize| {
                    let pair = (partition.value(row), epoch.value(row));
                    match last {
                        Some((known, code)) if known == pair => code,
                        _ => {
                            let (partition, epoch) = (pair.0.cast_unsigned(), pair.1.cast_unsigned());
                            let code = names.source(Source { partition, epoch });
                            last = Some((pair, code));
                            code
                        }
                    }
                };
                match keep {
                    None => table.source.extend((0..batch.num_rows()).map(code)),
                    Some(keep) => table.source.extend(keep.iter().map(|&row| code(row as usize))),
                }
            }
            _ => return Err("it lacks one of the columns partition, epoch".to_owned()),
        }
        Ok(())
    }

    /// A quality text with the registry's names.
    fn rename(&self, text: &str) -> Option<String> {
        if self.renamed.is_empty() {
            return None;
        }
        let flags = quality::read(text)?;
        let row = flags.iter().filter(|flag| flag.column.is_none()).fold(0, |bits, flag| bits | flag.bit);
        let named = flags.iter().filter_map(|flag| {
            let column = flag.column.as_deref()?;
            Some((self.renamed.get(column).map_or(column, String::as_str), flag.bit))
        });
        quality::write(row, named)
    }
}

/// The rows of a batch by device, those of one device in their order; `None` where they stand so. Rows that come by time
/// would have to be picked one by one out of a whole day when it is sorted; here they are near.
pub(crate) fn by_device(batch: &RecordBatch) -> Option<Vec<u32>> {
    let devices = batch.column_by_name(DEVICE_ID)?.as_dictionary_opt::<Int32Type>()?;
    let keys = devices.keys();
    if keys.null_count() > 0 || keys.values().is_sorted() {
        return None;
    }
    let key = |key: i32| usize::try_from(key).unwrap_or(usize::MAX);
    let mut next = vec![0_u32; devices.values().len() + 1];
    for &code in keys.values() {
        *next.get_mut(key(code).checked_add(1)?)? += 1;
    }
    for at in 1..next.len() {
        next[at] += next[at - 1];
    }
    let mut order = vec![0_u32; keys.len()];
    for (row, &code) in (0_u32..).zip(keys.values()) {
        let place = &mut next[key(code)];
        order[*place as usize] = row;
        *place += 1;
    }
    Some(order)
}

fn map_code(map: &[u32], key: i32) -> u32 {
    usize::try_from(key).ok().and_then(|key| map.get(key)).copied().unwrap_or(0)
}

/// The keys of a text column and what they are in the dictionary.
fn codes<'a>(
    array: &'a Arc<dyn Array>,
    dictionary: &mut crate::rows::Dictionary,
    rename: impl Fn(&str) -> Option<String>,
) -> Option<(&'a arrow_array::Int32Array, Vec<u32>)> {
    let array = array.as_dictionary_opt::<Int32Type>()?;
    let texts = array.values().as_string_opt::<i32>()?;
    let number = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        match rename(text) {
            Some(renamed) => dictionary.number(&renamed),
            None => dictionary.number(text),
        }
    };
    let map = texts.iter().map(number).collect();
    Some((array.keys(), map))
}

fn extend<T: Copy, U>(target: &mut Vec<U>, values: &[T], keep: Option<&[u32]>, map: impl Fn(T) -> U) {
    match keep {
        None => target.extend(values.iter().map(|&value| map(value))),
        Some(keep) => target.extend(keep.iter().map(|&row| map(values[row as usize]))),
    }
}
