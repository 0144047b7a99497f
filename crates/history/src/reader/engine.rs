//! The work of a read, off the async threads: files and segments into sorted rows.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use tokio::runtime::Handle;
use twinwright_core::frame::SequenceRange;
use twinwright_core::time::Micros;

use super::prune::{Wanted, prune};
use super::{History, HistoryReport, RowQuery, Snapshot};
use crate::StoreError;
use crate::block::Block;
use crate::compact::{Scratch, Sorter, day_key, read_segment, uncovered};
use crate::coverage::Coverage;
use crate::input::Layouts;
use crate::manifest::{DayEntry, DayKey, FileEntry, Source};
use crate::names::SegmentName;
use crate::parquet_file::{Footer, Parts, guard};
use crate::registry::Registry;
use crate::table::{Names, Rows, TEXTS, Table};

/// Why a read begins again.
pub(super) const GONE: &str = "it went away under the reader";
/// Bytes of rows in memory while the parts of a day are sorted.
const MEMORY: usize = 64 << 20;

pub(super) fn gone(path: &str) -> StoreError {
    StoreError::Unavailable { path: path.to_owned(), cause: GONE.to_owned() }
}

pub(super) struct Engine {
    pub(super) handle: Handle,
    pub(super) history: History,
    pub(super) snapshot: Snapshot,
    pub(super) registry: Registry,
    layouts: Layouts,
    coverage: BTreeMap<Source, Coverage>,
    /// What counts of each segment, once it was opened.
    keeps: BTreeMap<SegmentKey, Option<Vec<SequenceRange>>>,
    pub(super) report: HistoryReport,
}

/// Rows of segments, with what their codes mean.
type Parcels = Vec<(Table, Arc<Names>)>;
/// Takes sorted rows.
type Give<'a> = dyn FnMut(Table, &Arc<Names>, &Arc<Registry>) -> ControlFlow<()> + 'a;
/// Takes the rows of a row group.
type Group<'a> = dyn FnMut(&mut Engine, Table, Names) -> Result<ControlFlow<()>, StoreError> + 'a;
type SegmentKey = (u32, Micros, i64, i64, Micros, Micros);

fn segment_key(name: &SegmentName) -> SegmentKey {
    (name.partition, name.first_enqueued, name.first, name.last, name.min_time, name.max_time)
}

impl Engine {
    pub(super) fn new(history: History, snapshot: Snapshot, registry: Registry) -> Self {
        let report = HistoryReport { manifest: snapshot.manifest.number, ..HistoryReport::default() };
        Self {
            handle: Handle::current(),
            coverage: snapshot.manifest.coverage(),
            history,
            snapshot,
            registry,
            layouts: Layouts::default(),
            keeps: BTreeMap::new(),
            report,
        }
    }

    /// Gives out the rows of a query, day by day.
    pub(super) fn visit(
        &mut self,
        query: &RowQuery,
        give: &mut dyn FnMut(Rows) -> ControlFlow<()>,
    ) -> Result<HistoryReport, StoreError> {
        let mut days: BTreeSet<DayKey> = BTreeSet::new();
        for day in &self.snapshot.manifest.days {
            if day.files.iter().any(|file| wants(file, query)) {
                days.insert(day.key);
            }
        }
        let segments = self.load_segments(query)?;
        days.extend(segments.keys().copied());
        for day in days {
            let mut out = |table: Table, names: &Arc<Names>, registry: &Arc<Registry>| {
                give(Rows { table, names: Arc::clone(names), registry: Arc::clone(registry) })
            };
            if self.day(day, query, segments.get(&day), &mut out)?.is_break() {
                break;
            }
        }
        Ok(self.report.clone())
    }

    /// Rows of the segments that no file has, by day. They are few where compaction runs.
    fn load_segments(&mut self, query: &RowQuery) -> Result<BTreeMap<DayKey, Parcels>, StoreError> {
        let mut by_day: BTreeMap<DayKey, Parcels> = BTreeMap::new();
        for name in self.snapshot.segments.clone() {
            if !name.overlaps(query.from, query.to) {
                continue;
            }
            let Some((table, names)) = self.segment(&name, query)? else { continue };
            let mut rows: BTreeMap<DayKey, Vec<u32>> = BTreeMap::new();
            for row in 0..table.rows() {
                let key = day_key(table.time[row], table.enqueued[row]);
                rows.entry(key).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
            }
            let names = Arc::new(names);
            for (key, rows) in rows {
                by_day.entry(key).or_default().push((table.gather(&rows), Arc::clone(&names)));
            }
        }
        Ok(by_day)
    }

    /// The wanted rows of a segment that neither a file nor a segment before has.
    fn segment(
        &mut self,
        name: &SegmentName,
        query: &RowQuery,
    ) -> Result<Option<(Table, Names)>, StoreError> {
        let path = name.path();
        let bytes = match self.handle.block_on(self.history.store.read(&path)) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(gone(&path)),
            Err(StoreError::Corrupt { cause, .. }) => {
                self.damaged(&path, &cause);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let (mut table, mut names) = (Table::default(), Names::default());
        let parts = Parts::whole(bytes);
        let (layouts, registry) = (&mut self.layouts, &mut self.registry);
        let read = guard(|| {
            read_segment(name, parts, layouts, registry, |layout, batch, head| {
                layout.append(batch, None, Some(head.source), &mut table, &mut names)
            })
        });
        let head = match read {
            Ok(head) => head,
            Err(cause) => {
                self.damaged(&path, &cause);
                return Ok(None);
            }
        };
        self.report.segments += 1;
        let range = SequenceRange { first: name.first, last: name.last };
        let known = self.coverage.entry(head.source).or_default();
        let keep = self.keeps.entry(segment_key(name)).or_insert_with(|| {
            let keep = known.touches(range).then(|| uncovered(known, range));
            known.insert(range);
            keep
        });
        let counts = |number: i64| {
            keep.as_ref().is_none_or(|ranges| ranges.iter().any(|r| r.first <= number && number <= r.last))
        };
        table.pad();
        let kept: Vec<u32> = wanted_rows(&table, &names, query, &self.snapshot)
            .into_iter()
            .filter(|&row| counts(table.sequence[row as usize]))
            .collect();
        drop_columns(&mut table, &self.registry, query);
        table.retain_from(0, &kept);
        Ok((table.rows() > 0).then_some((table, names)))
    }

    /// The rows of one day, sorted.
    fn day(
        &mut self,
        key: DayKey,
        query: &RowQuery,
        segments: Option<&Parcels>,
        out: &mut Give<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let entry = self.snapshot.manifest.day(key).cloned();
        let files: Vec<FileEntry> = entry.iter().flat_map(|day: &DayEntry| &day.files).cloned().collect();
        let files: Vec<FileEntry> = files.into_iter().filter(|file| wants(file, query)).collect();
        // The files of one generation follow one another in the order of rows.
        let in_order = files.windows(2).all(|pair| {
            (pair[0].last_device.as_str(), pair[0].max_time)
                < (pair[1].first_device.as_str(), pair[1].min_time)
        });
        if segments.is_none_or(Vec::is_empty) && in_order {
            for file in files {
                let flow = self.file(&file, query, &mut |engine, table, names| {
                    engine.report.rows += table.rows();
                    let registry = Arc::new(engine.registry.clone());
                    Ok(out(table, &Arc::new(names), &registry))
                })?;
                if flow.is_break() {
                    return Ok(flow);
                }
            }
            return Ok(ControlFlow::Continue(()));
        }
        let scratch = Scratch::new(&self.history.folder);
        let mut sorter = Sorter::new(MEMORY);
        for file in files {
            let flow = self.file(&file, query, &mut |_, table, names| {
                sorter.take(&table, &names);
                sorter.settle_into(scratch.path())?;
                Ok(ControlFlow::Continue(()))
            })?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        for (table, names) in segments.into_iter().flatten() {
            sorter.take(table, names);
            sorter.settle_into(scratch.path())?;
        }
        let mut sorted = sorter.finish(scratch.path())?;
        let registry = Arc::new(self.registry.clone());
        let names = Arc::new(std::mem::take(sorted.names_mut()));
        while let Some(piece) = sorted.next_with(&names)? {
            self.report.rows += piece.rows();
            if out(piece, &names, &registry).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The wanted rows of a file, row group by row group.
    fn file(
        &mut self,
        file: &FileEntry,
        query: &RowQuery,
        out: &mut Group<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let footer = match self.footer(file) {
            Ok(footer) => footer,
            Err(StoreError::Corrupt { cause, .. }) => {
                self.damaged(&file.path, &cause);
                return Ok(ControlFlow::Continue(()));
            }
            Err(error) => return Err(error),
        };
        self.report.files += 1;
        let wanted =
            Wanted { from: query.from, to: query.to, devices: query.devices.as_ref(), signals: None };
        for (group, ranges) in prune(&footer, &wanted) {
            match self.group(file, &footer, group, &ranges, query) {
                Ok((table, names)) if table.rows() > 0 => {
                    let flow = out(self, table, names)?;
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
                Ok(_) => {}
                Err(StoreError::Corrupt { cause, .. }) => self.damaged(&file.path, &cause),
                Err(error) => return Err(error),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn group(
        &mut self,
        file: &FileEntry,
        footer: &Footer,
        group: usize,
        ranges: &[Range<usize>],
        query: &RowQuery,
    ) -> Result<(Table, Names), StoreError> {
        let corrupt = |cause: String| StoreError::corrupt(&file.path, cause);
        let layout = self.layouts.of(footer, &mut self.registry).map_err(corrupt)?;
        let registry = &self.registry;
        let columns = layout.columns(footer, |at| wants_column(at, registry, query));
        let bytes = footer.ranges(group, &columns, Some(ranges));
        let parts = self.fetch(file, bytes)?;
        let (mut table, mut names) = (Table::default(), Names::default());
        guard(|| {
            for batch in footer.batches(parts, vec![group], Some(&columns), Some(ranges.to_vec()))? {
                let batch = batch.map_err(|error| error.to_string())?;
                layout.append(&Block::of(&batch, &batch.schema()), None, None, &mut table, &mut names)?;
            }
            Ok(())
        })
        .map_err(corrupt)?;
        table.pad();
        let kept = wanted_rows(&table, &names, query, &self.snapshot);
        if kept.len() < table.rows() {
            table.retain_from(0, &kept);
        }
        Ok((table, names))
    }

    pub(super) fn footer(&mut self, file: &FileEntry) -> Result<Footer, StoreError> {
        if let Some(footer) = self.history.footers.get(&file.path) {
            return Ok(footer);
        }
        let opened = self.handle.block_on(self.history.open_footer(file))?;
        opened.ok_or_else(|| gone(&file.path))
    }

    pub(super) fn fetch(&self, file: &FileEntry, ranges: Vec<Range<u64>>) -> Result<Parts, StoreError> {
        let fetched = self.handle.block_on(self.history.fetch(file, ranges))?;
        fetched.ok_or_else(|| gone(&file.path))
    }

    pub(super) fn damaged(&mut self, path: &str, cause: &str) {
        tracing::error!(path, cause, "a damaged file is passed over");
        if !self.report.damaged.iter().any(|known| known == path) {
            self.report.damaged.push(path.to_owned());
        }
    }
}

impl History {
    pub(super) async fn open_footer(&self, file: &FileEntry) -> Result<Option<Footer>, StoreError> {
        if let Some(footer) = self.footers.get(&file.path) {
            return Ok(Some(footer));
        }
        let fetch = async |ranges: Vec<Range<u64>>| self.fetch(file, ranges).await;
        let footer = crate::parquet_store::footer_with(&file.path, file.bytes, fetch).await?;
        if let Some(footer) = &footer {
            self.footers.put(&file.path, footer);
        }
        Ok(footer)
    }

    pub(super) async fn fetch(
        &self,
        file: &FileEntry,
        ranges: Vec<Range<u64>>,
    ) -> Result<Option<Parts>, StoreError> {
        let ranges = crate::parquet_store::join(ranges, &file.path, file.bytes)?;
        let mut fetched = None;
        if let Some(warm) = &self.warm {
            fetched = warm.ranges(&self.store, &file.path, file.bytes, &ranges).await?;
        }
        if fetched.is_none() {
            fetched = self.store.read_ranges(&file.path, &ranges).await?;
        }
        let Some(parts) = fetched else { return Ok(None) };
        crate::parquet_store::parts(&file.path, file.bytes, &ranges, parts).map(Some)
    }
}

fn wants(file: &FileEntry, query: &RowQuery) -> bool {
    file.overlaps(query.from, query.to)
        && query.devices.as_ref().is_none_or(|devices| {
            devices
                .range(file.first_device.clone()..)
                .next()
                .is_some_and(|device| *device <= file.last_device)
        })
}

fn wants_column(at: usize, registry: &Registry, query: &RowQuery) -> bool {
    let Some(columns) = &query.columns else { return true };
    at >= TEXTS && registry.columns().get(at - TEXTS).is_some_and(|column| columns.contains(&*column.name))
}

fn drop_columns(table: &mut Table, registry: &Registry, query: &RowQuery) {
    for (at, values) in table.columns.iter_mut().enumerate() {
        if !wants_column(at, registry, query) {
            *values = crate::table::Values::Absent;
        }
    }
}

/// Rows in the query's time, of its devices, and not erased.
fn wanted_rows(table: &Table, names: &Names, query: &RowQuery, snapshot: &Snapshot) -> Vec<u32> {
    let wanted = |device: &Arc<str>| query.devices.as_ref().is_none_or(|devices| devices.contains(&**device));
    // Before when the device's rows are erased.
    let devices: Vec<Option<Micros>> = names
        .devices
        .texts()
        .iter()
        .map(|device| wanted(device).then(|| snapshot.erasures.before(device).unwrap_or(Micros::MIN)))
        .collect();
    let is_wanted = |row: usize| {
        let time = table.time[row];
        query.from <= time
            && time < query.to
            && devices[table.device[row] as usize].is_some_and(|before| table.enqueued[row] >= before)
    };
    (0..table.rows()).filter(|&row| is_wanted(row)).filter_map(|row| u32::try_from(row).ok()).collect()
}
