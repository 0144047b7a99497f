//! Footers and row groups of files in a store, fetched by ranges.

use std::ops::Range;

use bytes::Bytes;

use crate::StoreError;
use crate::parquet_file::{Footer, Parts};
use crate::store::Store;

/// What is fetched of a file's end at first: nearly every footer fits.
const TAIL: u64 = 128 << 10;
/// Ranges nearer to each other than this are fetched as one.
const GAP: u64 = 64 << 10;

/// Reads a file's footer; `None` where the file is gone.
///
/// # Errors
/// [`StoreError::Corrupt`] where it is no Parquet file.
pub(crate) async fn footer(store: &Store, path: &str, size: u64) -> Result<Option<Footer>, StoreError> {
    footer_with(path, size, async |ranges| fetch(store, path, size, ranges).await).await
}

/// Reads a footer with the caller's way of fetching.
pub(crate) async fn footer_with(
    path: &str,
    size: u64,
    fetch: impl AsyncFn(Vec<Range<u64>>) -> Result<Option<Parts>, StoreError>,
) -> Result<Option<Footer>, StoreError> {
    let mut tail = TAIL.min(size);
    loop {
        let Some(parts) = fetch(std::iter::once(size - tail..size).collect()).await? else { return Ok(None) };
        match Footer::read(&parts) {
            Ok(footer) => return Ok(Some(footer)),
            Err(cause) if tail >= size => return Err(StoreError::corrupt(path, cause)),
            Err(_) => tail = tail.saturating_mul(8).min(size),
        }
    }
}

/// Fetches ranges of a file; `None` where it is gone.
pub(crate) async fn fetch(
    store: &Store,
    path: &str,
    size: u64,
    ranges: Vec<Range<u64>>,
) -> Result<Option<Parts>, StoreError> {
    let ranges = join(ranges, path, size)?;
    let Some(fetched) = store.read_ranges(path, &ranges).await? else { return Ok(None) };
    parts(path, size, &ranges, fetched).map(Some)
}

/// What was fetched, if it is all that was asked for.
pub(crate) fn parts(
    path: &str,
    size: u64,
    ranges: &[Range<u64>],
    fetched: Vec<Bytes>,
) -> Result<Parts, StoreError> {
    if fetched.iter().zip(ranges).any(|(bytes, range)| bytes.len() as u64 != range.end - range.start) {
        return Err(StoreError::corrupt(path, "it is shorter than the manifest says"));
    }
    Ok(Parts::new(size, ranges.iter().map(|range| range.start).zip(fetched).collect()))
}

/// Ranges in order, near ones as one.
pub(crate) fn join(
    mut ranges: Vec<Range<u64>>,
    path: &str,
    size: u64,
) -> Result<Vec<Range<u64>>, StoreError> {
    if ranges.iter().any(|range| range.end > size) {
        return Err(StoreError::corrupt(path, "its footer names bytes behind its end"));
    }
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_are_fetched_as_one() {
        let ranges = vec![900_000..900_010, 0..10, 20..30, 5..8];
        assert_eq!(join(ranges.clone(), "x", 1_000_000).unwrap(), [0..30, 900_000..900_010]);
        assert!(join(ranges, "x", 900_000).is_err());
    }
}
