//! Column chunks of few distinct values, encoded here: sensors report two decimals, so a hundred thousand values have
//! some thousand distinct ones, and a dictionary of them with bit-packed codes is smaller than what any compressor makes of
//! the doubles, and several times quicker to write and read. (Parquet format: Encodings, `RLE_DICTIONARY`.)
//!
//! Only plain doubles and dictionary codes are used: Spark's vectorised reader knows no `BYTE_STREAM_SPLIT`.

mod dictionary;
mod pack;

use std::ops::Range;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

pub(crate) use self::dictionary::DoubleDictionary;
use self::pack::{pack, varint};

/// The code of a row without a value.
pub(crate) const NONE: u32 = u32::MAX;
/// Texts in statistics are no longer.
const LONGEST_BOUND: usize = 128;

/// A chunk that can be appended to a row group.
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

/// Where a column goes.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) descriptor: ColumnDescPtr,
    /// Rows of a page: what a reader decodes at least.
    pub(crate) page: usize,
}

/// What is written.
pub(crate) struct Column<'a> {
    pub(crate) slot: &'a Slot,
    /// One a row, [`NONE`] where it has no value.
    pub(crate) codes: &'a [u32],
    /// The values, plainly encoded, in the order of codes.
    pub(crate) dictionary: Vec<u8>,
    pub(crate) distinct: usize,
    /// Place of each value in the order of values, where readers prune by pages.
    pub(crate) bounds: Bounds<'a>,
}

/// How the least and the greatest value of a page are found.
pub(crate) enum Bounds<'a> {
    /// Not at all.
    None,
    /// From the doubles themselves, one a row.
    Doubles(&'a [f64]),
    /// From the integers of the dictionary.
    Integers(&'a [i32]),
    /// From the texts of the dictionary.
    Texts(&'a [&'a str]),
}

impl Bounds<'_> {
    /// Plain bytes of the least and greatest value of these rows, which have these codes.
    fn of(&self, rows: Range<usize>, codes: &[u32]) -> Option<(Vec<u8>, Vec<u8>)> {
        let known = || codes.iter().filter(|&&code| code != NONE).map(|&code| code as usize);
        match self {
            Self::None => None,
            Self::Doubles(values) => {
                let (low, high) = dictionary::bounds(&values[rows])?;
                // Zeroes of both signs are one value to a reader (Parquet format: statistics of doubles).
                let (low, high) = (if low == 0.0 { -0.0 } else { low }, if high == 0.0 { 0.0 } else { high });
                Some((low.to_le_bytes().to_vec(), high.to_le_bytes().to_vec()))
            }
            Self::Integers(values) => {
                let low = known().map(|code| values[code]).min()?;
                let high = known().map(|code| values[code]).max()?;
                Some((low.to_le_bytes().to_vec(), high.to_le_bytes().to_vec()))
            }
            Self::Texts(values) => {
                // Sorted columns have long runs of one code.
                let (mut low, mut high, mut last) = (None, None, NONE);
                for code in known() {
                    let code = u32::try_from(code).unwrap_or(NONE);
                    if code == last {
                        continue;
                    }
                    last = code;
                    let text = values[code as usize];
                    low = Some(low.map_or(text, |low: &str| low.min(text)));
                    high = Some(high.map_or(text, |high: &str| high.max(text)));
                }
                let (low, high) = (low?, high?);
                if low.len().max(high.len()) > LONGEST_BOUND {
                    return None;
                }
                Some((low.as_bytes().to_vec(), high.as_bytes().to_vec()))
            }
        }
    }
}

/// Encodes a chunk.
pub(crate) fn encode(mut column: Column<'_>) -> Result<Chunk, ParquetError> {
    let page = column.slot.page;
    let nullable = column.slot.descriptor.max_def_level() > 0;
    let width = bit_width(column.distinct);
    let mut sink =
        TrackedWrite::new(Vec::with_capacity(column.dictionary.len() + column.codes.len() * 2 + 1024));
    let mut pages = SerializedPageWriter::new(&mut sink);
    let mut written = Written::default();
    let dictionary = std::mem::take(&mut column.dictionary);
    let length = dictionary.len();
    let dictionary = Page::DictionaryPage {
        buf: Bytes::from(dictionary),
        num_values: u32::try_from(column.distinct).unwrap_or(u32::MAX),
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    let spec = pages.write_page(CompressedPage::new(dictionary, length))?;
    written.add(&spec);
    let mut offsets = OffsetIndexBuilder::new();
    let mut index = ColumnIndexBuilder::new(column.slot.descriptor.physical_type());
    let (mut data_at, mut nulls) = (None, 0);
    let is_double = column.slot.descriptor.physical_type() == Type::DOUBLE;
    for (at, codes) in column.codes.chunks(page).enumerate() {
        let mut bytes = Vec::with_capacity(codes.len() * usize::from(width) / 8 + codes.len() / 8 + 64);
        let absent = if nullable { levels(codes, &mut bytes) } else { 0 };
        bytes.push(width);
        if absent == 0 {
            pack(codes, width, &mut bytes);
        } else {
            let present: Vec<u32> = codes.iter().copied().filter(|&code| code != NONE).collect();
            pack(&present, width, &mut bytes);
        }
        let length = bytes.len();
        let data = Page::DataPage {
            buf: bytes.into(),
            num_values: u32::try_from(codes.len()).unwrap_or(u32::MAX),
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = pages.write_page(CompressedPage::new(data, length))?;
        written.add(&spec);
        data_at.get_or_insert(spec.offset);
        nulls += absent;
        offsets.append_row_count(i64::try_from(codes.len()).unwrap_or(i64::MAX));
        let size = i32::try_from(spec.compressed_size).unwrap_or(i32::MAX);
        offsets.append_offset_and_size(spec.offset.cast_signed(), size);
        let (low, high) = match column.bounds.of(at * page..at * page + codes.len(), codes) {
            Some(bounds) => bounds,
            None if absent == codes.len() => Default::default(),
            None => {
                index.to_invalid();
                Default::default()
            }
        };
        let absent = i64::try_from(absent).unwrap_or(i64::MAX);
        let all = absent.cast_unsigned() == codes.len() as u64;
        if index.valid() {
            index.append(all, low, high, absent, is_double.then_some(0));
        }
    }
    pages.close()?;
    let bytes = Bytes::from(sink.into_inner()?);
    let rows = column.codes.len();
    let mut metadata = ColumnChunkMetaData::builder(column.slot.descriptor.clone())
        .set_compression(Compression::UNCOMPRESSED)
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
        .set_total_compressed_size(written.compressed)
        .set_total_uncompressed_size(written.uncompressed)
        .set_num_values(i64::try_from(rows).unwrap_or(i64::MAX))
        .set_dictionary_page_offset(Some(0))
        .set_data_page_offset(data_at.unwrap_or(0).cast_signed());
    if let Some(statistics) = statistics(&column, nulls as u64) {
        metadata = metadata.set_statistics(statistics);
    }
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: rows as u64,
        metadata: metadata.build()?,
        bloom_filter: None,
        column_index: if index.valid() { Some(index.build()?) } else { None },
        offset_index: Some(offsets.build()),
    };
    Ok(Chunk { bytes, close })
}

#[derive(Default)]
struct Written {
    compressed: i64,
    uncompressed: i64,
}

impl Written {
    fn add(&mut self, spec: &PageWriteSpec) {
        self.compressed += i64::try_from(spec.compressed_size).unwrap_or(i64::MAX);
        self.uncompressed += i64::try_from(spec.uncompressed_size).unwrap_or(i64::MAX);
    }
}

/// Bounds of the whole chunk; every value of the dictionary is used.
fn statistics(column: &Column<'_>, nulls: u64) -> Option<Statistics> {
    let all: Vec<u32> = (0..u32::try_from(column.distinct).ok()?).collect();
    let (low, high) = column.bounds.of(0..column.codes.len(), &all)?;
    let nulls = Some(nulls);
    Some(match column.bounds {
        Bounds::None => return None,
        Bounds::Doubles(_) => {
            let number = |bytes: &[u8]| bytes.try_into().ok().map(f64::from_le_bytes);
            Statistics::double(number(&low), number(&high), None, nulls, false)
        }
        Bounds::Integers(_) => {
            let number = |bytes: &[u8]| bytes.try_into().ok().map(i32::from_le_bytes);
            Statistics::int32(number(&low), number(&high), None, nulls, false)
        }
        Bounds::Texts(_) => Statistics::byte_array(Some(low.into()), Some(high.into()), None, nulls, false),
    })
}

fn bit_width(distinct: usize) -> u8 {
    let highest = u32::try_from(distinct.saturating_sub(1)).unwrap_or(u32::MAX);
    u8::try_from(32 - highest.leading_zeros()).unwrap_or(32)
}

/// Definition levels with their length; says how many rows have no value.
fn levels(codes: &[u32], page: &mut Vec<u8>) -> usize {
    let absent = codes.iter().filter(|&&code| code == NONE).count();
    let start = page.len();
    page.extend_from_slice(&[0; 4]);
    if absent == 0 || absent == codes.len() {
        varint((codes.len() as u64) << 1, page);
        page.push(u8::from(absent == 0));
    } else {
        let groups = codes.len().div_ceil(8);
        varint(((groups as u64) << 1) | 1, page);
        for group in codes.chunks(8) {
            let bits =
                group.iter().enumerate().fold(0, |bits, (at, &code)| bits | (u8::from(code != NONE) << at));
            page.push(bits);
        }
    }
    let length = u32::try_from(page.len() - start - 4).unwrap_or(0);
    page[start..start + 4].copy_from_slice(&length.to_le_bytes());
    absent
}

#[cfg(test)]
mod tests;
