//! Sets of sequence numbers, in memory and as small files.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::Int64Type;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::RowAccessor;
use parquet::schema::parser::parse_message_type;
use twinwright_core::frame::SequenceRange;

use crate::coverage::Coverage;
use crate::manifest::Source;
use crate::parquet_file::guard;

const BLOCK: i64 = 1 << 16;
const WORDS: usize = 1 << 10;

/// Numbers that come in any order: a bit each, until a block of 65,536 is full and becomes a range.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    open: BTreeMap<i64, (u32, Box<[u64]>)>,
    full: Coverage,
    count: u64,
}

impl Numbers {
    /// Whether the number is new.
    pub(crate) fn insert(&mut self, number: i64) -> bool {
        let block = number.div_euclid(BLOCK);
        if !self.open.contains_key(&block) && self.full.contains(number) {
            return false;
        }
        let (count, bits) = self.open.entry(block).or_insert_with(|| (0, vec![0; WORDS].into()));
        let at = usize::try_from(number.rem_euclid(BLOCK)).unwrap_or(0);
        let (word, bit) = (&mut bits[at / 64], 1_u64 << (at % 64));
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        *count += 1;
        self.count += 1;
        if i64::from(*count) == BLOCK {
            self.open.remove(&block);
            let first = block.saturating_mul(BLOCK);
            self.full.insert(SequenceRange { first, last: first.saturating_add(BLOCK - 1) });
        }
        true
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn into_coverage(self) -> Coverage {
        let mut coverage = self.full;
        for (block, (_, bits)) in self.open {
            let start = block.saturating_mul(BLOCK);
            let mut run: Option<(i64, i64)> = None;
            for at in 0..BLOCK {
                let index = usize::try_from(at).unwrap_or(0);
                if bits[index / 64] & (1 << (index % 64)) != 0 {
                    let number = start.saturating_add(at);
                    run = Some(run.map_or((number, number), |(first, _)| (first, number)));
                } else if let Some((first, last)) = run.take() {
                    coverage.insert(SequenceRange { first, last });
                }
            }
            if let Some((first, last)) = run {
                coverage.insert(SequenceRange { first, last });
            }
        }
        coverage
    }
}

/// Ranges by source as a Parquet file: every hundredth number of a month is some kilobytes.
pub(crate) fn encode(ranges: &BTreeMap<Source, Coverage>) -> Result<Bytes, String> {
    let written = || -> Result<Vec<u8>, ParquetError> {
        let schema = parse_message_type(
            "message twinwright { required int64 partition; required int64 epoch; required int64 first; required int64 last; }",
        )?;
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let mut columns: [Vec<i64>; 4] = Default::default();
        for (source, coverage) in ranges {
            for range in coverage.ranges() {
                let row = [i64::from(source.partition), i64::from(source.epoch), range.first, range.last];
                columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
            }
        }
        let mut group = writer.next_row_group()?;
        for values in columns {
            if let Some(mut column) = group.next_column()? {
                column.typed::<Int64Type>().write_batch(&values, None, None)?;
                column.close()?;
            }
        }
        group.close()?;
        writer.into_inner()
    };
    written().map(Bytes::from).map_err(|error| error.to_string())
}

/// Reads what [`encode`] wrote into the ranges that are known.
pub(crate) fn decode(bytes: Bytes, ranges: &mut BTreeMap<Source, Coverage>) -> Result<(), String> {
    guard(|| {
        let reader = SerializedFileReader::new(bytes).map_err(|error| error.to_string())?;
        for row in reader.get_row_iter(None).map_err(|error| error.to_string())? {
            let row = row.map_err(|error| error.to_string())?;
            let number = |at: usize| row.get_long(at).map_err(|error| error.to_string());
            let small =
                |at: usize| number(at).and_then(|n| u32::try_from(n).map_err(|error| error.to_string()));
            let source = Source { partition: small(0)?, epoch: small(1)? };
            let range = SequenceRange { first: number(2)?, last: number(3)? };
            ranges.entry(source).or_default().insert(range);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_any_order_become_ranges() {
        let mut numbers = Numbers::default();
        for number in (0..200_000).rev().chain([-5, -4, 300_000]) {
            assert!(numbers.insert(number));
        }
        assert!(!numbers.insert(70_000) && !numbers.insert(-5) && numbers.insert(-7));
        assert_eq!((numbers.count(), numbers.open.len()), (200_004, 3));
        let coverage = numbers.into_coverage();
        let ranges: Vec<_> = coverage.ranges().map(|range| (range.first, range.last)).collect();
        assert_eq!(ranges, [(-7, -7), (-5, -4), (0, 199_999), (300_000, 300_000)]);
        let all = BTreeMap::from([(Source { partition: 3, epoch: 1 }, coverage)]);
        let mut back = BTreeMap::new();
        decode(encode(&all).unwrap(), &mut back).unwrap();
        assert_eq!(back, all);
        assert!(decode(Bytes::from_static(b"PAR1 torn"), &mut back).is_err());
    }
}
