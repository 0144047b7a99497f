//! Segments and day files into tables: the same code for compaction and for readers.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twinwright_core::frame::{ABSENT, NO_STATE};

use crate::block::{Block, Cells, Codes};
use crate::manifest::Source;
use crate::parquet_file::Footer;
use crate::quality;
use crate::registry::Registry;
use crate::scan::Scan;
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
    /// Memory of the segment at hand.
    pub(crate) scan: Scan,
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

    /// Appends rows of a block: all, or those at `keep`. `source` stands in where the file has no such columns.
    pub(crate) fn append(
        &self,
        block: &Block<'_>,
        keep: Option<&[u32]>,
        source: Option<Source>,
        table: &mut Table,
        names: &mut Names,
    ) -> Result<(), String> {
        let start = table.rows();
        let count = keep.map_or(block.rows, <[u32]>::len);
        let (mut seen, mut partition, mut epoch) = (0, None, None);
        for &(name, cells) in &block.columns {
            let wrong = || format!("column {name} has another type or is null");
            let Some(target) = self.targets.get(name).copied() else { continue };
            match (target, cells) {
                (Target::Device, Cells::Codes(codes)) if codes.nulls.is_none() => {
                    seen |= 1;
                    let map = map(codes, &mut names.devices, |_| None);
                    let code = |row: usize| codes.at(row).map_or(NO_STATE, |code| map[code]);
                    extend(&mut table.device, block.rows, keep, code);
                    if table.device[start..].contains(&NO_STATE) {
                        return Err(wrong());
                    }
                }
                (Target::Time, Cells::Integers(times)) => {
                    seen |= 2;
                    extend_from(&mut table.time, times, keep);
                }
                (Target::Enqueued, Cells::Integers(times)) => {
                    seen |= 4;
                    extend_from(&mut table.enqueued, times, keep);
                }
                (Target::Sequence, Cells::Integers(numbers)) => {
                    seen |= 8;
                    extend_from(&mut table.sequence, numbers, keep);
                }
                (Target::Partition, Cells::Small(numbers)) => partition = Some(numbers),
                (Target::Epoch, Cells::Small(numbers)) => epoch = Some(numbers),
                (Target::Doubles(_) | Target::Codes(_), Cells::Absent) => {}
                (Target::Doubles(at), Cells::Doubles(values, None)) => {
                    extend_from(table.column(at).doubles(start), values, keep);
                }
                (Target::Doubles(at), Cells::Doubles(values, Some(nulls))) => {
                    let value = |row: usize| if nulls.is_null(row) { ABSENT } else { values[row] };
                    extend(table.column(at).doubles(start), block.rows, keep, value);
                }
                (Target::Codes(at), Cells::Codes(codes)) => {
                    let rename = |text: &str| (at == QUALITY).then(|| self.rename(text)).flatten();
                    let map = map(codes, names.text(at), rename);
                    let code = |row: usize| codes.at(row).map_or(NO_STATE, |code| map[code]);
                    extend(table.column(at).codes(start), block.rows, keep, code);
                }
                _ => return Err(wrong()),
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
                let code = |row: usize| {
                    let pair = (partition[row], epoch[row]);
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
                extend(&mut table.source, block.rows, keep, code);
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

/// What the codes of a column are in the dictionary.
fn map(
    codes: Codes<'_>,
    dictionary: &mut crate::rows::Dictionary,
    rename: impl Fn(&str) -> Option<String>,
) -> Vec<u32> {
    let mut map = Vec::with_capacity(codes.texts.len());
    codes.texts.each(|text| {
        map.push(match rename(text) {
            Some(renamed) => dictionary.number(&renamed),
            None => dictionary.number(text),
        });
    });
    map
}

/// Appends these rows of a column.
fn extend<T>(target: &mut Vec<T>, rows: usize, keep: Option<&[u32]>, value: impl FnMut(usize) -> T) {
    match keep {
        None => target.extend((0..rows).map(value)),
        Some(keep) => target.extend(keep.iter().map(|&row| row as usize).map(value)),
    }
}

fn extend_from<T: Copy>(target: &mut Vec<T>, values: &[T], keep: Option<&[u32]>) {
    match keep {
        None => target.extend_from_slice(values),
        Some(keep) => target.extend(keep.iter().map(|&row| values[row as usize])),
    }
}
