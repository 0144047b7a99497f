//! Changes of one twin go from a table. A file is written again beside itself, under the same numbers, and then deleted:
//! a kill in between leaves both, and the next erasure keeps the one with fewer rows.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use bytes::Bytes;
use futures::StreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};
use twinwright_core::time::Micros;

use super::{Cell, ChangeColumn, ChangeRow, ChangeTable, encode};
use crate::StoreError;

/// Whose changes go.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// Columns that name a twin.
    pub columns: &'a [&'a str],
    /// The twin.
    pub id: &'a str,
    /// The column of the change's time.
    pub time: &'a str,
    /// Changes before this go.
    pub before: Micros,
}

impl ChangeTable {
    /// Erases a twin's changes; says how many rows went. Called again after a kill it completes what is left.
    ///
    /// # Errors
    /// [`StoreError`]; a file that cannot be read is [`StoreError::Corrupt`] and stays as it is.
    pub async fn erase(&self, whose: &Whose<'_>) -> Result<u64, StoreError> {
        let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut entries = self.store.entries(&self.folder, None)?;
        while let Some(entry) = entries.next().await {
            let path = entry?.path;
            let Some(stem) = path.strip_suffix(".parquet") else { continue };
            files.entry(numbers(stem).to_owned()).or_default().push(path);
        }
        let mut erased = 0;
        for (numbers, paths) in files {
            erased += self.erase_file(&numbers, paths, whose).await?;
        }
        Ok(erased)
    }

    async fn erase_file(
        &self,
        numbers: &str,
        paths: Vec<String>,
        whose: &Whose<'_>,
    ) -> Result<u64, StoreError> {
        let mut found = Vec::new();
        for path in paths {
            let Some(bytes) = self.store.read(&path).await? else { continue };
            let rows = decode(self.columns, bytes).map_err(|cause| StoreError::corrupt(&path, cause))?;
            found.push((rows, path));
        }
        found.sort_by_key(|(rows, _)| rows.len());
        let mut found = found.into_iter();
        let Some((mut rows, path)) = found.next() else { return Ok(0) };
        let all = rows.len();
        rows.retain(|row| !self.is_of(row, whose));
        if rows.len() < all {
            let bytes = encode(self.columns, &rows)?;
            let hash = Sha256::digest(&bytes);
            let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            self.store.create(&format!("{numbers}_{hash}.parquet"), bytes).await?;
            self.store.delete(&path).await?;
        }
        for (_, left_over) in found {
            self.store.delete(&left_over).await?;
        }
        Ok((all - rows.len()) as u64)
    }

    fn is_of(&self, row: &ChangeRow, whose: &Whose<'_>) -> bool {
        let mut named = false;
        let mut early = false;
        for (column, cell) in self.columns.iter().zip(&row.cells) {
            match (column, cell) {
                (ChangeColumn::Text(name), Cell::Text(Some(text))) => {
                    named |= whose.columns.contains(name) && text == whose.id;
                }
                (ChangeColumn::Time(name), Cell::Time(time)) if *name == whose.time => {
                    // One without a time cannot be shown to be later.
                    early = time.is_none_or(|time| time < whose.before);
                }
                _ => {}
            }
        }
        named && early
    }
}

/// The path of a file without what tells it from the one it replaces.
pub(super) fn numbers(stem: &str) -> &str {
    match stem.rsplit_once('_') {
        Some((numbers, hash)) if !hash.contains('/') => numbers,
        _ => stem,
    }
}

pub(super) fn decode(columns: &[ChangeColumn], bytes: Bytes) -> Result<Vec<ChangeRow>, String> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(ParquetRecordBatchReaderBuilder::build);
    let mut rows = Vec::new();
    for batch in reader.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let start = rows.len();
        rows.extend((0..batch.num_rows()).map(|_| ChangeRow { change: 0, time: 0, cells: Vec::new() }));
        for column in columns {
            cells(&batch, *column, &mut rows[start..])?;
        }
    }
    Ok(rows)
}

fn cells(batch: &RecordBatch, column: ChangeColumn, rows: &mut [ChangeRow]) -> Result<(), String> {
    let (ChangeColumn::Time(name) | ChangeColumn::Text(name)) = column;
    let missing = || format!("it has no column {name} of the expected kind");
    let array = batch.column_by_name(name).ok_or_else(missing)?;
    match column {
        ChangeColumn::Time(_) => {
            let times = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(missing)?;
            for (row, time) in rows.iter_mut().zip(times) {
                row.cells.push(Cell::Time(time));
            }
        }
        ChangeColumn::Text(_) => {
            let texts = array.as_string_opt::<i32>().ok_or_else(missing)?;
            for (row, text) in rows.iter_mut().zip(texts) {
                row.cells.push(Cell::Text(text.map(str::to_owned)));
            }
        }
    }
    Ok(())
}
