//! Column chunks of few distinct values, encoded here: sensors report two decimals, so a hundred thousand values have
//! some thousand distinct ones, and a dictionary of them with bit-packed codes is smaller than what any compressor makes of
//! the doubles, and several times quicker to write and read. (Parquet format: Encodings, `RLE_DICTIONARY`.)
//!
//! Only plain doubles and dictionary codes are used: Spark's vectorised reader knows no `BYTE_STREAM_SPLIT`.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Rows of a page: what a reader decodes at least.
pub(crate) const PAGE: usize = 8_192;
/// The code of a row without a value.
pub(crate) const NONE: u32 = u32::MAX;
/// Texts in statistics are no longer.
const LONGEST_BOUND: usize = 128;
/// Shortest run that is written as one.
const RUN: usize = 16;

/// A chunk that can be appended to a row group.
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

/// What is written.
pub(crate) struct Column<'a> {
    pub(crate) descriptor: ColumnDescPtr,
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
    /// From the doubles of the dictionary.
    Doubles(&'a [f64]),
    /// From the integers of the dictionary.
    Integers(&'a [i32]),
    /// From the texts of the dictionary.
    Texts(&'a [&'a str]),
}

impl Bounds<'_> {
    /// Plain bytes of the least and greatest value among these codes.
    fn of(&self, codes: &[u32]) -> Option<(Vec<u8>, Vec<u8>)> {
        let known = || codes.iter().filter(|&&code| code != NONE).map(|&code| code as usize);
        match self {
            Self::None => None,
            Self::Doubles(values) => {
                let mut bounds: Option<(f64, f64)> = None;
                for code in known() {
                    let value = values[code];
                    bounds =
                        Some(bounds.map_or((value, value), |(low, high)| (low.min(value), high.max(value))));
                }
                // Zeroes of both signs are one value to a reader (Parquet format: statistics of doubles).
                bounds.map(|(low, high)| {
                    let (low, high) =
                        (if low == 0.0 { -0.0 } else { low }, if high == 0.0 { 0.0 } else { high });
                    (low.to_le_bytes().to_vec(), high.to_le_bytes().to_vec())
                })
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
pub(crate) fn encode(column: &Column<'_>) -> Result<Chunk, ParquetError> {
    let nullable = column.descriptor.max_def_level() > 0;
    let width = bit_width(column.distinct);
    let mut sink =
        TrackedWrite::new(Vec::with_capacity(column.dictionary.len() + column.codes.len() * 2 + 1024));
    let mut pages = SerializedPageWriter::new(&mut sink);
    let mut written = Written::default();
    let dictionary = Page::DictionaryPage {
        buf: Bytes::from(column.dictionary.clone()),
        num_values: u32::try_from(column.distinct).unwrap_or(u32::MAX),
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    let spec = pages.write_page(CompressedPage::new(dictionary, column.dictionary.len()))?;
    written.add(&spec);
    let mut offsets = OffsetIndexBuilder::new();
    let mut index = ColumnIndexBuilder::new(column.descriptor.physical_type());
    let (mut data_at, mut nulls) = (None, 0);
    let is_double = column.descriptor.physical_type() == Type::DOUBLE;
    for codes in column.codes.chunks(PAGE) {
        let mut page = Vec::with_capacity(codes.len() * usize::from(width) / 8 + codes.len() / 8 + 64);
        let absent = if nullable { levels(codes, &mut page) } else { 0 };
        page.push(width);
        if absent == 0 {
            pack(codes, width, &mut page);
        } else {
            let present: Vec<u32> = codes.iter().copied().filter(|&code| code != NONE).collect();
            pack(&present, width, &mut page);
        }
        let length = page.len();
        let page = Page::DataPage {
            buf: page.into(),
            num_values: u32::try_from(codes.len()).unwrap_or(u32::MAX),
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = pages.write_page(CompressedPage::new(page, length))?;
        written.add(&spec);
        data_at.get_or_insert(spec.offset);
        nulls += absent;
        offsets.append_row_count(i64::try_from(codes.len()).unwrap_or(i64::MAX));
        let size = i32::try_from(spec.compressed_size).unwrap_or(i32::MAX);
        offsets.append_offset_and_size(spec.offset.cast_signed(), size);
        let (low, high) = match column.bounds.of(codes) {
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
    let mut metadata = ColumnChunkMetaData::builder(column.descriptor.clone())
        .set_compression(Compression::UNCOMPRESSED)
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
        .set_total_compressed_size(written.compressed)
        .set_total_uncompressed_size(written.uncompressed)
        .set_num_values(i64::try_from(rows).unwrap_or(i64::MAX))
        .set_dictionary_page_offset(Some(0))
        .set_data_page_offset(data_at.unwrap_or(0).cast_signed());
    if let Some(statistics) = statistics(column, nulls as u64) {
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

/// Every value of the dictionary is used, so its bounds are the chunk's.
fn statistics(column: &Column<'_>, nulls: u64) -> Option<Statistics> {
    let all: Vec<u32> = (0..u32::try_from(column.distinct).ok()?).collect();
    let (low, high) = column.bounds.of(&all)?;
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

fn varint(mut value: u64, page: &mut Vec<u8>) {
    while value >= 0x80 {
        page.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    page.push(value as u8);
}

/// Codes as runs and bit-packed groups of eight (Parquet format: RLE / bit-packing hybrid).
fn pack(codes: &[u32], width: u8, page: &mut Vec<u8>) {
    let (mut at, mut literal) = (0, 0);
    while at < codes.len() {
        let mut end = at + 1;
        while end < codes.len() && codes[end] == codes[at] {
            end += 1;
        }
        // Bit-packed groups are whole, so they take the run's first values until eight are full.
        let fill = (at - literal).next_multiple_of(8) - (at - literal);
        if end - at >= RUN + fill {
            let start = at + fill;
            groups(&codes[literal..start], width, page);
            varint(((end - start) as u64) << 1, page);
            let bytes = usize::from(width).div_ceil(8);
            page.extend_from_slice(&codes[at].to_le_bytes()[..bytes]);
            literal = end;
        }
        at = end;
    }
    groups(&codes[literal..], width, page);
}

fn groups(codes: &[u32], width: u8, page: &mut Vec<u8>) {
    if codes.is_empty() {
        return;
    }
    varint(((codes.len().div_ceil(8) as u64) << 1) | 1, page);
    let width = u32::from(width);
    let (mut buffer, mut bits) = (0_u64, 0);
    for &code in codes {
        buffer |= u64::from(code) << bits;
        bits += width;
        if bits >= 32 {
            page.extend_from_slice(&(buffer as u32).to_le_bytes());
            buffer >>= 32;
            bits -= 32;
        }
    }
    // The last group is filled up with zeroes.
    let missing = codes.len().next_multiple_of(8) - codes.len();
    let mut left = bits + u32::try_from(missing).unwrap_or(0) * width;
    while left > 0 {
        page.push(buffer as u8);
        buffer >>= 8;
        left = left.saturating_sub(8);
    }
}

/// Numbers doubles in the order of their first appearance.
#[derive(Debug)]
pub(crate) struct DoubleDictionary {
    slots: Vec<(u64, u32)>,
    shift: u32,
    pub(crate) values: Vec<f64>,
    pub(crate) codes: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;
const FIRST_SLOTS: u32 = 12;

impl DoubleDictionary {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), shift: 64 - FIRST_SLOTS, values: Vec::new(), codes: Vec::new() }
    }

    /// Encodes the values; `false` where over half of them are distinct, and a dictionary would only be in the way.
    pub(crate) fn encode(&mut self, values: &[f64]) -> bool {
        self.values.clear();
        self.codes.clear();
        self.codes.reserve(values.len());
        self.shift = 64 - FIRST_SLOTS;
        self.slots.clear();
        self.slots.resize(1 << FIRST_SLOTS, (0, EMPTY));
        let most = (values.len() / 2).max(1_024);
        let mut last = (u64::MAX, NONE);
        for &value in values {
            let bits = value.to_bits();
            // Signals stand still more often than one thinks.
            if bits == last.0 {
                self.codes.push(last.1);
                continue;
            }
            let code = if value.is_nan() { NONE } else { self.code(bits, value) };
            if self.values.len() > most {
                return false;
            }
            last = (bits, code);
            self.codes.push(code);
        }
        true
    }

    fn code(&mut self, bits: u64, value: f64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = hash(bits, self.shift);
        loop {
            let (known, code) = self.slots[at & mask];
            if code == EMPTY {
                break;
            }
            if known == bits {
                return code;
            }
            at += 1;
        }
        let code = u32::try_from(self.values.len()).unwrap_or(0);
        self.slots[at & mask] = (bits, code);
        self.values.push(value);
        if self.values.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        self.shift -= 1;
        let length = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(length, (0, EMPTY));
        for (code, value) in (0_u32..).zip(&self.values) {
            let mut at = hash(value.to_bits(), self.shift);
            while self.slots[at & (length - 1)].1 != EMPTY {
                at += 1;
            }
            self.slots[at & (length - 1)] = (value.to_bits(), code);
        }
    }
}

fn hash(bits: u64, shift: u32) -> usize {
    // The low bits of a decimal's mantissa vary as much as the high ones; both must reach the top.
    ((bits ^ (bits >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}

#[cfg(test)]
mod tests;
