//! Parquet files read by parts: the footer once, then only the bytes of the row groups, columns and pages that are wanted.

use std::io::{Cursor, Read};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

/// Rows decoded at a time.
const BATCH: usize = 16_384;

/// Parts of a file, by their place in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    length: u64,
    parts: Vec<(u64, Bytes)>,
}

impl Parts {
    pub(crate) fn new(length: u64, mut parts: Vec<(u64, Bytes)>) -> Self {
        parts.sort_by_key(|(start, _)| *start);
        Self { length, parts }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { length: bytes.len() as u64, parts: vec![(0, bytes)] }
    }

    /// From `start` to the end of the part that has it.
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let behind = self.parts.partition_point(|(at, _)| *at <= start);
        let found = behind.checked_sub(1).map(|at| &self.parts[at]).and_then(|(at, bytes)| {
            let offset = usize::try_from(start - at).ok()?;
            (offset <= bytes.len()).then(|| bytes.slice(offset..))
        });
        found.ok_or_else(|| ParquetError::General(format!("bytes at {start} were not fetched")))
    }
}

impl Length for Parts {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Parts {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(Box::new(Cursor::new(self.from(start)?)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} go beyond what was fetched")));
        }
        Ok(bytes.slice(..length))
    }
}

/// What a footer says. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    parquet: Arc<ParquetMetaData>,
    arrow: Arc<OnceLock<ArrowReaderMetadata>>,
}

impl Footer {
    /// Reads the footer (and the page index where it is there) from the whole file or its last part.
    pub(crate) fn read(parts: &Parts) -> Result<Self, String> {
        guard(|| {
            let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
            let parquet = reader.parse_and_finish(parts).map_err(|error| error.to_string())?;
            Ok(Self { parquet: Arc::new(parquet), arrow: Arc::default() })
        })
    }

    pub(crate) fn parquet(&self) -> &ParquetMetaData {
        &self.parquet
    }

    /// In the shape that Arrow's reader takes. Text columns come as dictionaries: codes are all we want.
    fn arrow(&self) -> Result<ArrowReaderMetadata, String> {
        if let Some(arrow) = self.arrow.get() {
            return Ok(arrow.clone());
        }
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let read = |options| ArrowReaderMetadata::try_new(Arc::clone(&self.parquet), options);
        let plain = read(options.clone()).map_err(|error| error.to_string())?;
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = plain.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 => Field::new(field.name(), text.clone(), field.is_nullable()),
            _ => Field::clone(field),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrow = read(options.with_schema(schema)).map_err(|error| error.to_string())?;
        Ok(self.arrow.get_or_init(|| arrow).clone())
    }

    /// A value of the key-value metadata.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let pairs = self.parquet().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// Place of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.parquet()
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .position(|column| column.name() == name)
    }

    pub(crate) fn projection(&self, columns: &[usize]) -> ProjectionMask {
        ProjectionMask::leaves(self.parquet().file_metadata().schema_descr(), columns.iter().copied())
    }

    /// Bytes of these columns in a row group, all pages or those with selected rows.
    pub(crate) fn ranges(
        &self,
        row_group: usize,
        columns: &[usize],
        selected: Option<&[Range<usize>]>,
    ) -> Vec<Range<u64>> {
        let group = self.parquet().row_group(row_group);
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let index = self.parquet().page_index_for_row_group(row_group);
        let mut ranges = Vec::new();
        for &column in columns {
            let (start, length) = group.column(column).byte_range();
            let (Some(selected), Some(pages)) = (selected, index.page_locations(column)) else {
                ranges.push(start..start + length);
                continue;
            };
            // The dictionary stands before the first page.
            let first = pages.first().map_or(start, |page| page.offset.cast_unsigned());
            if first > start {
                ranges.push(start..first);
            }
            for (at, page) in pages.iter().enumerate() {
                let begin = usize::try_from(page.first_row_index).unwrap_or(0);
                let next = pages.get(at + 1).map(|page| usize::try_from(page.first_row_index).unwrap_or(0));
                let end = next.unwrap_or(rows);
                if selected.iter().any(|range| range.start < end && begin < range.end) {
                    let offset = page.offset.cast_unsigned();
                    ranges.push(offset..offset + u64::from(page.compressed_page_size.unsigned_abs()));
                }
            }
        }
        ranges
    }

    /// Decodes rows of one row group; `selected` are ranges of its rows, ascending.
    pub(crate) fn batches(
        &self,
        parts: Parts,
        row_groups: Vec<usize>,
        columns: Option<&[usize]>,
        selected: Option<Vec<Range<usize>>>,
    ) -> Result<ParquetRecordBatchReader, String> {
        guard(|| {
            let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(parts, self.arrow()?)
                .with_batch_size(BATCH);
            let total: i64 = row_groups.iter().map(|&group| self.parquet().row_group(group).num_rows()).sum();
            builder = builder.with_row_groups(row_groups);
            if let Some(columns) = columns {
                builder = builder.with_projection(self.projection(columns));
            }
            if let Some(selected) = selected {
                let total = usize::try_from(total).map_err(|error| error.to_string())?;
                let ranges = RowSelection::from_consecutive_ranges(selected.into_iter(), total);
                builder = builder.with_row_selection(ranges);
            }
            builder.build().map_err(|error| error.to_string())
        })
    }
}

/// The Parquet reader trusts lengths of a file in places; a damaged one must not take the process down.
pub(crate) fn guard<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("the Parquet reader gave up".to_owned()))
}
