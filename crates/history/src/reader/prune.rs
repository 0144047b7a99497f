//! Which row groups and pages of a sorted file may have what is asked for.

use std::collections::BTreeSet;
use std::ops::Range;

use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use twinwright_core::time::Micros;

use crate::parquet_file::Footer;

/// What is asked of the sorted columns.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) from: Micros,
    pub(super) to: Micros,
    pub(super) devices: Option<&'a BTreeSet<String>>,
    /// Of roll-ups.
    pub(super) signals: Option<&'a BTreeSet<String>>,
}

/// Row groups with the ranges of their rows that may match.
pub(super) fn prune(footer: &Footer, wanted: &Wanted<'_>) -> Vec<(usize, Vec<Range<usize>>)> {
    let metadata = footer.parquet();
    let (device, time, signal) = (footer.column("device_id"), footer.column("ts"), footer.column("signal"));
    let texts = [(device, wanted.devices), (signal, wanted.signals)];
    let texts = texts.into_iter().filter_map(|(column, set)| Some((column?, set?)));
    let texts: Vec<(usize, &BTreeSet<String>)> = texts.collect();
    (0..metadata.num_row_groups())
        .filter_map(|group| {
            let rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
            let may_match = texts.iter().all(|(column, set)| group_has(metadata, group, *column, set))
                && time.is_none_or(|column| group_overlaps(metadata, group, column, wanted));
            if !may_match || rows == 0 {
                return None;
            }
            let mut ranges: Vec<Range<usize>> = std::iter::once(0..rows).collect();
            for (column, set) in &texts {
                ranges = intersect(
                    &ranges,
                    &pages(metadata, group, *column, rows, |index, page| {
                        let ColumnIndexMetaData::BYTE_ARRAY(index) = index else { return true };
                        match (index.min_value(page), index.max_value(page)) {
                            (Some(low), Some(high)) => any_within(set, low, high),
                            _ => true,
                        }
                    }),
                );
            }
            if let Some(column) = time {
                ranges = intersect(
                    &ranges,
                    &pages(metadata, group, column, rows, |index, page| {
                        let ColumnIndexMetaData::INT64(index) = index else { return true };
                        match (index.min_value(page), index.max_value(page)) {
                            (Some(low), Some(high)) => *high >= wanted.from && *low < wanted.to,
                            _ => true,
                        }
                    }),
                );
            }
            (!ranges.is_empty()).then_some((group, ranges))
        })
        .collect()
}

/// Whether any of the texts lies between two bounds.
fn any_within(set: &BTreeSet<String>, low: &[u8], high: &[u8]) -> bool {
    // Texts and their bytes have the same order.
    match std::str::from_utf8(low) {
        Ok(low) => set.range(low.to_owned()..).next().is_some_and(|text| text.as_bytes() <= high),
        Err(_) => true,
    }
}

fn group_has(metadata: &ParquetMetaData, group: usize, column: usize, set: &BTreeSet<String>) -> bool {
    match metadata.row_group(group).column(column).statistics() {
        Some(Statistics::ByteArray(bounds)) => match (bounds.min_opt(), bounds.max_opt()) {
            (Some(low), Some(high)) => any_within(set, low.data(), high.data()),
            _ => true,
        },
        _ => true,
    }
}

fn group_overlaps(metadata: &ParquetMetaData, group: usize, column: usize, wanted: &Wanted<'_>) -> bool {
    match metadata.row_group(group).column(column).statistics() {
        Some(Statistics::Int64(bounds)) => match (bounds.min_opt(), bounds.max_opt()) {
            (Some(&low), Some(&high)) => high >= wanted.from && low < wanted.to,
            _ => true,
        },
        _ => true,
    }
}

/// Rows of the pages that may match; all rows where there is no page index.
fn pages(
    metadata: &ParquetMetaData,
    group: usize,
    column: usize,
    rows: usize,
    may_match: impl Fn(&ColumnIndexMetaData, usize) -> bool,
) -> Vec<Range<usize>> {
    let index = metadata.page_index_for_row_group(group);
    let (Some(bounds), Some(places)) = (index.column_index(column), index.page_locations(column)) else {
        return std::iter::once(0..rows).collect();
    };
    let start = |page: usize| {
        places.get(page).map_or(rows, |place| usize::try_from(place.first_row_index).unwrap_or(0).min(rows))
    };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for page in (0..places.len()).filter(|&page| may_match(bounds, page)) {
        let range = start(page)..start(page + 1);
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    ranges
}

fn intersect(a: &[Range<usize>], b: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        let (start, end) = (a[i].start.max(b[j].start), a[i].end.min(b[j].end));
        if start < end {
            out.push(start..end);
        }
        if a[i].end < b[j].end { i += 1 } else { j += 1 }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_intersect() {
        assert_eq!(intersect(&[0..10, 20..30], &[5..25, 28..40]), [5..10, 20..25, 28..30]);
        assert_eq!(intersect(&[0..10, 20..30], &[]), []);
    }

    #[test]
    fn texts_are_found_between_bounds() {
        let set = BTreeSet::from(["b".to_owned(), "d".to_owned()]);
        assert!(any_within(&set, b"a", b"b") && any_within(&set, b"c", b"z") && any_within(&set, b"b", b"b"));
        assert!(!any_within(&set, b"c", b"c") && !any_within(&set, b"e", b"z"));
    }
}
