//! Tables of changes, as files that any tool reads: each file holds consecutive changes of one day.
//!
//! `{root}/v=1/table=<name>/date=YYYY-MM-DD/<first change>-<last change>.parquet`
//!
//! Whoever hands changes over may hand them over again after a kill, in other portions. Files are created once, in the
//! order of the changes, and their names say which changes they hold: what a file has is skipped, so nothing is there
//! twice and nothing is missing. A table belongs to one writer and one count of changes. A file from which a twin was
//! erased has the same numbers, and a hash of what is left behind them.

mod erase;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::names::date_folder;
use crate::store::Store;

pub use erase::Whose;

/// Width of a number in a name, so that names sort as numbers do.
const DIGITS: usize = 20;

/// A column's name and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeColumn {
    /// Times, µs UTC.
    Time(&'static str),
    /// Texts.
    Text(&'static str),
}

/// A value; absent ones are null in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Of a [`ChangeColumn::Time`].
    Time(Option<Micros>),
    /// Of a [`ChangeColumn::Text`].
    Text(Option<String>),
}

/// A row of a change; one change may have several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// Number of the change; never falls from row to row.
    pub change: u64,
    /// When it happened: chooses the day's folder.
    pub time: Micros,
    /// One a column.
    pub cells: Vec<Cell>,
}

/// The writer of a table.
#[derive(Debug)]
pub struct ChangeTable {
    store: Store,
    folder: String,
    columns: &'static [ChangeColumn],
    /// The last change that a file has; `None` where the files have to be asked.
    stored: Option<u64>,
}

impl ChangeTable {
    /// A table `name` below `root`; asks nothing yet.
    pub fn new(store: Store, root: &str, name: &str, columns: &'static [ChangeColumn]) -> Self {
        Self { store, folder: format!("{root}/v=1/table={name}"), columns, stored: None }
    }

    /// Stores what is not stored yet; rows come in the order of their changes.
    ///
    /// # Errors
    /// [`StoreError`]: hand the same rows over again, alone or with later ones.
    pub async fn append(&mut self, rows: &[ChangeRow]) -> Result<(), StoreError> {
        // Whatever happened to a write that failed, the files know.
        let stored = match self.stored.take() {
            Some(stored) => stored,
            None => self.last_stored().await?,
        };
        let new = &rows[rows.partition_point(|row| row.change <= stored)..];
        // By day, and never within a change: a file that is there has all of its changes.
        for part in new.chunk_by(|left, right| left.change == right.change || day(left) == day(right)) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let folder = date_folder(&self.folder, first.time);
            let path = format!("{folder}/{:0DIGITS$}-{:0DIGITS$}.parquet", first.change, last.change);
            self.store.create(&path, encode(self.columns, part)?).await?;
        }
        self.stored = Some(new.last().map_or(stored, |row| row.change));
        Ok(())
    }

    async fn last_stored(&self) -> Result<u64, StoreError> {
        let mut entries = self.store.entries(&self.folder, None)?;
        let mut last = 0;
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            let stem = entry.path.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet"));
            let number = stem.and_then(|stem| erase::numbers(stem).split_once('-')?.1.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
    }
}

fn day(row: &ChangeRow) -> i64 {
    row.time.div_euclid(86_400 * twinwright_core::time::SECOND)
}

fn encode(columns: &[ChangeColumn], rows: &[ChangeRow]) -> Result<Bytes, StoreError> {
    let failed = |error: &dyn std::fmt::Display| {
        StoreError::invalid(format!("the changes cannot be stored as Parquet: {error}"))
    };
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        match column {
            ChangeColumn::Time(name) => {
                let kind = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                fields.push(Field::new(*name, kind, true));
                let times = rows.iter().map(|row| match row.cells.get(at) {
                    Some(Cell::Time(time)) => *time,
                    _ => None,
                });
                let times: TimestampMicrosecondArray = times.collect();
                arrays.push(Arc::new(times.with_timezone("UTC")));
            }
            ChangeColumn::Text(name) => {
                fields.push(Field::new(*name, DataType::Utf8, true));
                let texts = rows.iter().map(|row| match row.cells.get(at) {
                    Some(Cell::Text(text)) => text.as_deref(),
                    _ => None,
                });
                arrays.push(Arc::new(texts.collect::<StringArray>()));
            }
        }
    }
    let batch =
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| failed(&error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("twinwright".to_owned())
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options)
        .map_err(|error| failed(&error))?;
    writer.write(&batch).map_err(|error| failed(&error))?;
    writer.into_inner().map(Bytes::from).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet_file::{Footer, Parts};
    use crate::testing::START;

    const COLUMNS: &[ChangeColumn] = &[ChangeColumn::Time("TimeStamp"), ChangeColumn::Text("Id")];
    const DAY: Micros = 86_400_000_000;

    fn rows(changes: std::ops::Range<u64>, midnight: u64) -> Vec<ChangeRow> {
        let row = |change: u64, part: &str| {
            let time = START + if change < midnight { 0 } else { DAY };
            let text = (part == "a").then(|| format!("twin-{change}"));
            ChangeRow { change, time, cells: vec![Cell::Time(Some(time)), Cell::Text(text)] }
        };
        changes.flat_map(|change| [row(change, "a"), row(change, "b")]).collect()
    }

    async fn read(store: &Store) -> (Vec<String>, usize) {
        let mut paths: Vec<String> =
            store.entries("twins", None).unwrap().map(|entry| entry.unwrap().path).collect().await;
        paths.sort();
        let mut count = 0;
        for path in &paths {
            let bytes = store.read(path).await.unwrap().unwrap();
            count += Footer::read(&Parts::whole(bytes)).unwrap().parquet().file_metadata().num_rows();
        }
        (paths, usize::try_from(count).unwrap())
    }

    #[tokio::test]
    async fn what_comes_again_is_there_once_and_days_have_their_folders() {
        let store = Store::memory();
        let open = || ChangeTable::new(store.clone(), "twins", "Property", COLUMNS);
        let mut table = open();
        table.append(&rows(1..5, 3)).await.unwrap();
        // A later portion that begins with what is stored, by the same writer and by one that knows nothing.
        table.append(&rows(1..7, 3)).await.unwrap();
        open().append(&rows(4..9, 3)).await.unwrap();
        open().append(&rows(1..9, 3)).await.unwrap();
        let (paths, count) = read(&store).await;
        let name = |day: &str, first: u64, last: u64| {
            format!("twins/v=1/table=Property/date={day}/{first:020}-{last:020}.parquet")
        };
        let expected =
            [("2026-03-04", 1, 2), ("2026-03-05", 3, 4), ("2026-03-05", 5, 6), ("2026-03-05", 7, 8)];
        assert_eq!(paths, expected.map(|(day, first, last)| name(day, first, last)));
        assert_eq!(count, 16);
    }

    #[tokio::test]
    async fn an_erased_twin_is_in_no_file_and_what_was_stored_is_known_still() {
        let store = Store::memory();
        let open = || ChangeTable::new(store.clone(), "twins", "Property", COLUMNS);
        open().append(&rows(1..5, 3)).await.unwrap();
        let (before, _) = read(&store).await;
        let whose = |id, before| Whose { columns: &["Id"], id, time: "TimeStamp", before };
        assert_eq!(open().erase(&whose("twin-2", START)).await.unwrap(), 0, "it changed later than that");
        assert_eq!(open().erase(&whose("twin-9", START + 1)).await.unwrap(), 0);
        assert_eq!(read(&store).await.0, before);
        let killed = store.read(&before[0]).await.unwrap().unwrap();
        assert_eq!(open().erase(&whose("twin-2", START + 1)).await.unwrap(), 1);
        assert_eq!(read(&store).await.1, 7);
        // As if it had been killed before the old file was deleted.
        store.create(&before[0], killed).await.unwrap();
        assert_eq!(read(&store).await.1, 11);
        assert_eq!(open().erase(&whose("twin-4", START + 2 * DAY)).await.unwrap(), 1);
        let (paths, count) = read(&store).await;
        assert_eq!((paths.len(), count), (2, 6));
        for path in &paths {
            let bytes = store.read(path).await.unwrap().unwrap();
            let left = erase::decode(COLUMNS, bytes).unwrap();
            let is_erased =
                |cell: &Cell| matches!(cell, Cell::Text(Some(id)) if id == "twin-2" || id == "twin-4");
            assert!(!left.iter().flat_map(|row| &row.cells).any(is_erased), "{path}");
        }
        open().append(&rows(1..6, 3)).await.unwrap();
        assert_eq!(read(&store).await.1, 8, "only the fifth change is new");
    }

    #[tokio::test]
    async fn a_kill_between_two_files_loses_nothing() {
        let store = Store::memory();
        let mut table = ChangeTable::new(store.clone(), "twins", "Property", COLUMNS);
        // The file of the first day was written, that of the second was not.
        table.append(&rows(1..3, 3)).await.unwrap();
        let mut again = ChangeTable::new(store.clone(), "twins", "Property", COLUMNS);
        again.append(&rows(1..5, 3)).await.unwrap();
        assert_eq!(read(&store).await.1, 8);
    }
}
