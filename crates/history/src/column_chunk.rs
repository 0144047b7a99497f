//! Column chunks encoded here. Sensors report two decimals, so a hundred thousand values have some thousand distinct ones,
//! and a dictionary of them with bit-packed codes is smaller than what any compressor makes of the doubles, and several
//! times quicker to write and read. Times and numbers are written as differences. (Parquet format: Encodings,
//! `RLE_DICTIONARY` and `DELTA_BINARY_PACKED`.)
//!
//! Doubles are in dictionaries or plain: Spark's vectorised reader knows no `BYTE_STREAM_SPLIT`.

mod delta;
mod dictionary;
mod pack;

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
pub(crate) use self::pack::unpack;
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
    pub(crate) pages: &'a Pages,
    /// What codes mean; none where the pages have the values themselves.
    pub(crate) dictionary: Option<Dictionary>,
    pub(crate) bounds: Bounds<'a>,
}

/// The distinct values of a column.
pub(crate) struct Dictionary {
    /// Plainly encoded, in the order of codes.
    pub(crate) bytes: Vec<u8>,
    pub(crate) distinct: usize,
}

/// Encoded pages, without their headers.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    bytes: Vec<u8>,
    pages: Vec<PageEnd>,
}

#[derive(Debug)]
struct PageEnd {
    /// Where its bytes end.
    end: usize,
    rows: usize,
    absent: usize,
}

impl Pages {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.pages.clear();
    }

    /// All codes of a column, [`NONE`] where a row has no value.
    pub(crate) fn of(slot: &Slot, codes: &[u32], distinct: usize) -> Self {
        let mut pages = Self::default();
        for codes in codes.chunks(slot.page) {
            let absent = codes.iter().filter(|&&code| code == NONE).count();
            pages.push(codes, distinct, slot.is_optional(), absent);
        }
        pages
    }

    /// Appends a page. Its codes are below `distinct`: those of a page may need fewer bits than those of the next.
    fn push(&mut self, codes: &[u32], distinct: usize, optional: bool, absent: usize) {
        let width = bit_width(distinct);
        if optional {
            levels(codes, absent, &mut self.bytes);
        }
        self.bytes.push(width);
        if absent == 0 {
            pack(codes, width, &mut self.bytes);
        } else {
            let present: Vec<u32> = codes.iter().copied().filter(|&code| code != NONE).collect();
            pack(&present, width, &mut self.bytes);
        }
        self.pages.push(PageEnd { end: self.bytes.len(), rows: codes.len(), absent });
    }

    /// All values of a column of integers, as differences.
    pub(crate) fn of_integers(slot: &Slot, values: &[i64]) -> Self {
        let mut pages = Self::default();
        for values in values.chunks(slot.page) {
            delta::delta(values, &mut pages.bytes);
            pages.pages.push(PageEnd { end: pages.bytes.len(), rows: values.len(), absent: 0 });
        }
        pages
    }

    fn rows(&self) -> usize {
        self.pages.iter().map(|page| page.rows).sum()
    }

    pub(crate) fn absent(&self) -> usize {
        self.pages.iter().map(|page| page.absent).sum()
    }
}

impl Slot {
    fn is_optional(&self) -> bool {
        self.descriptor.max_def_level() > 0
    }
}

/// The least and the greatest value, page by page; `None` where a page has none.
pub(crate) enum Bounds<'a> {
    /// Not told.
    None,
    Doubles(&'a [Option<(f64, f64)>]),
    Small(Vec<Option<(i32, i32)>>),
    Integers(Vec<Option<(i64, i64)>>),
    Texts(Vec<Option<(&'a str, &'a str)>>),
}

impl<'a> Bounds<'a> {
    /// Of integers.
    pub(crate) fn integers(slot: &Slot, values: &[i64]) -> Self {
        let ends = |values: &[i64]| {
            let (&first, rest) = values.split_first()?;
            Some(rest.iter().fold((first, first), |ends, &value| (ends.0.min(value), ends.1.max(value))))
        };
        Self::Integers(values.chunks(slot.page).map(ends).collect())
    }

    /// Of small numbers and their codes.
    pub(crate) fn small(slot: &Slot, codes: &[u32], values: &[i32]) -> Self {
        Self::Small(codes.chunks(slot.page).map(|codes| ends(codes, values)).collect())
    }

    /// Of texts and their codes.
    pub(crate) fn texts(slot: &Slot, codes: &[u32], values: &[&'a str]) -> Self {
        Self::Texts(codes.chunks(slot.page).map(|codes| ends(codes, values)).collect())
    }

    /// Plain bytes of the least and greatest value of a page.
    fn of_page(&self, page: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        match self {
            Self::None => None,
            Self::Doubles(pages) => pages[page].map(plain),
            Self::Small(pages) => {
                pages[page].map(|(low, high)| (low.to_le_bytes().to_vec(), high.to_le_bytes().to_vec()))
            }
            Self::Integers(pages) => {
                pages[page].map(|(low, high)| (low.to_le_bytes().to_vec(), high.to_le_bytes().to_vec()))
            }
            Self::Texts(pages) => pages[page].and_then(plain_texts),
        }
    }

    /// Of all pages.
    fn statistics(&self, nulls: u64) -> Option<Statistics> {
        let nulls = Some(nulls);
        Some(match self {
            Self::None => return None,
            Self::Doubles(pages) => {
                let (low, high) = signed(dictionary::joined(pages)?);
                Statistics::double(Some(low), Some(high), None, nulls, false)
            }
            Self::Small(pages) => {
                let (low, high) = widest(pages)?;
                Statistics::int32(Some(low), Some(high), None, nulls, false)
            }
            Self::Integers(pages) => {
                let (low, high) = widest(pages)?;
                Statistics::int64(Some(low), Some(high), None, nulls, false)
            }
            Self::Texts(pages) => {
                let (low, high) = plain_texts(widest(pages)?)?;
                Statistics::byte_array(Some(low.into()), Some(high.into()), None, nulls, false)
            }
        })
    }
}

/// The least and the greatest of all pages.
fn widest<T: Copy + Ord>(pages: &[Option<(T, T)>]) -> Option<(T, T)> {
    pages.iter().flatten().copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The least and the greatest of a page's values. Sorted columns have long runs of one code.
fn ends<T: Copy + Ord>(codes: &[u32], values: &[T]) -> Option<(T, T)> {
    let runs = codes.chunk_by(|a, b| a == b).filter(|run| run[0] != NONE);
    runs.map(|run| (values[run[0] as usize], values[run[0] as usize]))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Zeroes of both signs are one value to a reader (Parquet format: statistics of doubles).
fn signed((low, high): (f64, f64)) -> (f64, f64) {
    (if low == 0.0 { -0.0 } else { low }, if high == 0.0 { 0.0 } else { high })
}

fn plain(bounds: (f64, f64)) -> (Vec<u8>, Vec<u8>) {
    let (low, high) = signed(bounds);
    (low.to_le_bytes().to_vec(), high.to_le_bytes().to_vec())
}

fn plain_texts((low, high): (&str, &str)) -> Option<(Vec<u8>, Vec<u8>)> {
    let short = low.len().max(high.len()) <= LONGEST_BOUND;
    short.then(|| (low.as_bytes().to_vec(), high.as_bytes().to_vec()))
}

/// Encodes a chunk.
pub(crate) fn encode(column: Column<'_>) -> Result<Chunk, ParquetError> {
    let Column { slot, pages: encoded, dictionary, bounds } = column;
    let length = dictionary.as_ref().map_or(0, |dictionary| dictionary.bytes.len());
    let mut sink = TrackedWrite::new(Vec::with_capacity(length + encoded.bytes.len() + 1024));
    let mut pages = SerializedPageWriter::new(&mut sink);
    let mut written = Written::default();
    let (encoding, dictionary_at) = match dictionary {
        Some(_) => (Encoding::RLE_DICTIONARY, Some(0)),
        None => (Encoding::DELTA_BINARY_PACKED, None),
    };
    if let Some(Dictionary { bytes, distinct }) = dictionary {
        let page = Page::DictionaryPage {
            buf: Bytes::from(bytes),
            num_values: u32::try_from(distinct).unwrap_or(u32::MAX),
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        written.add(&pages.write_page(CompressedPage::new(page, length))?);
    }
    let mut offsets = OffsetIndexBuilder::new();
    let mut index = ColumnIndexBuilder::new(slot.descriptor.physical_type());
    let (mut data_at, mut start) = (None, 0);
    let is_double = slot.descriptor.physical_type() == Type::DOUBLE;
    for (at, page) in encoded.pages.iter().enumerate() {
        let data = Page::DataPage {
            buf: Bytes::copy_from_slice(&encoded.bytes[start..page.end]),
            num_values: u32::try_from(page.rows).unwrap_or(u32::MAX),
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = pages.write_page(CompressedPage::new(data, page.end - start))?;
        start = page.end;
        written.add(&spec);
        data_at.get_or_insert(spec.offset);
        offsets.append_row_count(i64::try_from(page.rows).unwrap_or(i64::MAX));
        let size = i32::try_from(spec.compressed_size).unwrap_or(i32::MAX);
        offsets.append_offset_and_size(spec.offset.cast_signed(), size);
        let all = page.absent == page.rows;
        let (low, high) = match bounds.of_page(at) {
            Some(bounds) => bounds,
            None if all => Default::default(),
            None => {
                index.to_invalid();
                Default::default()
            }
        };
        if index.valid() {
            let absent = i64::try_from(page.absent).unwrap_or(i64::MAX);
            index.append(all, low, high, absent, is_double.then_some(0));
        }
    }
    pages.close()?;
    let bytes = Bytes::from(sink.into_inner()?);
    let rows = encoded.rows();
    let mut metadata = ColumnChunkMetaData::builder(slot.descriptor.clone())
        .set_compression(Compression::UNCOMPRESSED)
        .set_encodings(match dictionary_at {
            Some(_) => vec![Encoding::PLAIN, Encoding::RLE, encoding],
            None => vec![Encoding::RLE, encoding],
        })
        .set_total_compressed_size(written.compressed)
        .set_total_uncompressed_size(written.uncompressed)
        .set_num_values(i64::try_from(rows).unwrap_or(i64::MAX))
        .set_dictionary_page_offset(dictionary_at)
        .set_data_page_offset(data_at.unwrap_or(0).cast_signed());
    if let Some(statistics) = bounds.statistics(encoded.absent() as u64) {
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

fn bit_width(distinct: usize) -> u8 {
    let highest = u32::try_from(distinct.saturating_sub(1)).unwrap_or(u32::MAX);
    u8::try_from(32 - highest.leading_zeros()).unwrap_or(32)
}

/// Definition levels with their length.
fn levels(codes: &[u32], absent: usize, page: &mut Vec<u8>) {
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
}

#[cfg(test)]
mod tests;
