//! Row groups of plain files, decoded without Arrow: a segment has a thousand rows, and setting up Arrow's reader for each
//! cost more than reading them.
//!
//! Only what this crate writes into segments is read here: doubles, integers without gaps, texts by a dictionary. Whatever
//! is not plainly so goes to the general reader ([`Footer::batches`]), which alone decides what is an error; both are held
//! against each other by a property test.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{DoubleType, Int64Type};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::block::{Block, Cells, Codes, Texts};
use crate::column_chunk::unpack;
use crate::parquet_file::{Footer, Parts};

/// Row groups with more rows are not read at once.
const MOST_ROWS: usize = 1 << 17;

/// The decoded columns of a row group; used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    columns: Vec<Column>,
    levels: Vec<i16>,
    rows: usize,
}

#[derive(Debug, Default)]
struct Column {
    name: String,
    kind: Kind,
    doubles: Vec<f64>,
    integers: Vec<i64>,
    keys: Vec<i32>,
    /// A dictionary page: lengths and texts.
    texts: Bytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Doubles,
    Integers,
    Codes,
}

/// Visits all rows of a file, but for the columns named in `without`.
pub(crate) fn blocks(
    footer: &Footer,
    parts: Parts,
    scan: &mut Scan,
    without: &[&str],
    mut visit: impl FnMut(&Block<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let parts = Arc::new(parts);
    for group in 0..footer.parquet().num_row_groups() {
        if scan.read(footer, &parts, group, without)
            && let Some(visited) = scan.block(&mut visit)
        {
            visited?;
            continue;
        }
        for batch in footer.batches(Parts::clone(&parts), vec![group], None, None)? {
            let batch = batch.map_err(|error| error.to_string())?;
            visit(&Block::of(&batch, &batch.schema()))?;
        }
    }
    Ok(())
}

impl Scan {
    /// Decodes a row group but for the columns named in `without`; `false` where it is not plainly what is read here.
    pub(crate) fn read(
        &mut self,
        footer: &Footer,
        parts: &Arc<Parts>,
        group: usize,
        without: &[&str],
    ) -> bool {
        let group = footer.parquet().row_group(group);
        self.read_group(group, parts, without).is_some()
    }

    fn read_group(&mut self, group: &RowGroupMetaData, parts: &Arc<Parts>, without: &[&str]) -> Option<()> {
        self.rows = usize::try_from(group.num_rows()).ok().filter(|&rows| rows <= MOST_ROWS)?;
        let chunks = group.columns().iter().filter(|chunk| !without.contains(&chunk.column_descr().name()));
        let mut count = 0;
        for chunk in chunks {
            if self.columns.len() == count {
                self.columns.push(Column::default());
            }
            let Self { columns, levels, rows } = self;
            let column = &mut columns[count];
            chunk.column_descr().name().clone_into(&mut column.name);
            column.read(chunk, parts, *rows, levels)?;
            count += 1;
        }
        self.columns.truncate(count);
        Some(())
    }

    /// Hands the rows to `visit`; `None` where a text is none.
    pub(crate) fn block<T>(&self, visit: impl FnOnce(&Block<'_>) -> T) -> Option<T> {
        let coded = self.columns.iter().filter(|column| column.kind == Kind::Codes);
        let texts: Vec<Vec<&str>> = coded.map(|column| texts(&column.texts)).collect::<Option<_>>()?;
        let mut texts = texts.iter();
        let mut block = Block { rows: self.rows, columns: Vec::with_capacity(self.columns.len()) };
        for column in &self.columns {
            let cells = match column.kind {
                Kind::Doubles => Cells::Doubles(&column.doubles, None),
                Kind::Integers => Cells::Integers(&column.integers),
                Kind::Codes => Cells::Codes(Codes {
                    keys: &column.keys,
                    nulls: None,
                    texts: Texts::Plain(texts.next()?),
                }),
            };
            block.columns.push((&column.name, cells));
        }
        Some(visit(&block))
    }
}

impl Column {
    fn read(
        &mut self,
        chunk: &ColumnChunkMetaData,
        parts: &Arc<Parts>,
        rows: usize,
        levels: &mut Vec<i16>,
    ) -> Option<()> {
        let descriptor = chunk.column_descr_ptr();
        let optional = match (descriptor.max_rep_level(), descriptor.max_def_level()) {
            (0, 0) => false,
            (0, 1) => true,
            _ => return None,
        };
        let mut pages = SerializedPageReader::new(Arc::clone(parts), chunk, rows, None).ok()?;
        match chunk.column_type() {
            Type::DOUBLE => {
                self.kind = Kind::Doubles;
                self.doubles.clear();
                levels.clear();
                let mut reader = ColumnReaderImpl::<DoubleType>::new(descriptor, Box::new(pages));
                let read = reader.read_records(rows, Some(levels), None, &mut self.doubles).ok()?;
                (read.0 == rows).then_some(())?;
                spread(&mut self.doubles, levels, rows)
            }
            Type::INT64 if !optional => {
                self.kind = Kind::Integers;
                self.integers.clear();
                let mut reader = ColumnReaderImpl::<Int64Type>::new(descriptor, Box::new(pages));
                let read = reader.read_records(rows, None, None, &mut self.integers).ok()?;
                (read.0 == rows && self.integers.len() == rows).then_some(())
            }
            Type::BYTE_ARRAY => {
                self.kind = Kind::Codes;
                self.read_codes(&mut pages, optional, rows)
            }
            _ => None,
        }
    }

    fn read_codes(&mut self, pages: &mut impl PageReader, optional: bool, rows: usize) -> Option<()> {
        self.keys.clear();
        self.texts = Bytes::new();
        while let Some(page) = pages.get_next_page().ok()? {
            match page {
                Page::DictionaryPage { buf, encoding: Encoding::PLAIN, .. } => self.texts = buf,
                Page::DataPage {
                    buf,
                    num_values,
                    encoding: Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY,
                    def_level_encoding: Encoding::RLE,
                    ..
                } => {
                    let count = usize::try_from(num_values).ok()?;
                    (self.keys.len() + count <= rows).then_some(())?;
                    self.unpack_page(&buf, optional, count)?;
                }
                _ => return None,
            }
        }
        (self.keys.len() == rows).then_some(())
    }

    fn unpack_page(&mut self, page: &[u8], optional: bool, count: usize) -> Option<()> {
        let start = self.keys.len();
        let mut rest = page;
        let mut present = count;
        if optional {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let (levels, behind) =
                behind.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            rest = behind;
            unpack(levels, 1, count, &mut self.keys)?;
            present = self.keys[start..].iter().filter(|&&level| level == 1).count();
        }
        if present == 0 && optional {
            self.keys[start..].fill(-1);
            return Some(());
        }
        let (&width, packed) = rest.split_first()?;
        if present == count {
            self.keys.truncate(start);
            return unpack(packed, width, count, &mut self.keys);
        }
        let mut codes = Vec::with_capacity(present);
        unpack(packed, width, present, &mut codes)?;
        let mut codes = codes.into_iter();
        for key in &mut self.keys[start..] {
            *key = if *key == 1 { codes.next()? } else { -1 };
        }
        Some(())
    }
}

/// Puts values in their rows; the others are absent.
fn spread(values: &mut Vec<f64>, levels: &[i16], rows: usize) -> Option<()> {
    let mut next = values.len();
    if next == rows {
        return Some(());
    }
    if levels.len() != rows {
        return None;
    }
    values.resize(rows, f64::NAN);
    // From the end: a value never moves to a row before its own.
    for (row, &level) in levels.iter().enumerate().rev() {
        values[row] = if level == 1 {
            next = next.checked_sub(1)?;
            values[next]
        } else {
            f64::NAN
        };
    }
    Some(())
}

/// The texts of a dictionary page, each behind its length.
fn texts(mut page: &[u8]) -> Option<Vec<&str>> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = page.split_first_chunk::<4>() {
        let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        texts.push(std::str::from_utf8(text).ok()?);
        page = rest;
    }
    page.is_empty().then_some(texts)
}
