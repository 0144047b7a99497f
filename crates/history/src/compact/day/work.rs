//! A day's work, off the async threads: read, sort, write.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use twinwright_core::frame::SequenceRange;

use super::super::CompactOptions;
use super::super::plan::{Input, day_key, day_start, read_segment};
use super::super::roll_up::{Ready, RollUpBuilder};
use super::super::sort::Sorter;
use super::super::spill::Scratch;
use super::rolled::Rolled;
use super::{DayResult, Fetched, is_over};
use crate::StoreError;
use crate::block::Block;
use crate::erase::Erasures;
use crate::input::{Head, Layouts};
use crate::manifest::{Damaged, DayEntry, DayKey, FileEntry, RollUps};
use crate::names::{day_folder_of, stamp};
use crate::output::{DayFile, Finished, PartPool};
use crate::parquet_file::{Footer, Parts, guard};
use crate::parquet_store::{fetch, footer};
use crate::registry::Registry;
use crate::segment::Kind;
use crate::store::{Created, Store};
use crate::table::{TEXTS, Table};

/// Memory that one day leaves to the next: made anew, it would be a hundred megabytes a day that the allocator can
/// neither give back nor use again.
#[derive(Debug, Default)]
pub(in crate::compact) struct Room {
    table: Table,
    piece: Table,
    ready: Ready,
    parts: PartPool,
}

/// Where a day's inputs come from.
pub(super) enum Source {
    /// A folder: they are read when it is their turn.
    Near,
    /// A blob service: they are fetched ahead.
    Far(mpsc::Receiver<Fetched>),
}

/// The day's work, off the async threads.
pub(super) struct Work {
    pub(super) handle: Handle,
    pub(super) store: Store,
    pub(super) hub: String,
    pub(super) key: DayKey,
    pub(super) inputs: Vec<Input>,
    pub(super) old: Option<DayEntry>,
    pub(super) old_files: Vec<FileEntry>,
    pub(super) erasures: Erasures,
    pub(super) options: CompactOptions,
    pub(super) hash: String,
    pub(super) generation: u64,
    pub(super) registry: Registry,
    pub(super) layouts: Layouts,
    /// Files of a kind so far.
    pub(super) numbers: HashMap<&'static str, usize>,
    pub(super) result: DayResult,
    pub(super) room: Room,
}

impl Work {
    pub(super) fn run(&mut self, mut source: Source) -> Result<(), StoreError> {
        let parent = self.options.folder.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::new(&parent);
        let mut entry =
            DayEntry { key: self.key, values: 0, sealed: false, files: Vec::new(), roll_ups: None };
        let mut rolled = RollUps { minute: Vec::new(), hour: Vec::new() };
        let mut sorter = self.sorter();
        let mut groups = 0;
        for file in std::mem::take(&mut self.old_files) {
            let read = self.read_old(&file, &mut sorter, &scratch)?;
            self.options.progress.add(file.bytes);
            match read {
                Ok(()) => self.result.replaced.push(file.path),
                Err(cause) => {
                    // Its rows are nowhere else: it stays as it is beside the new files.
                    tracing::error!(path = file.path, cause, "a day file cannot be read and stays as it is");
                    sorter = self.sorter();
                    self.result.replaced.clear();
                    break;
                }
            }
        }
        let mut near = 0..self.inputs.len();
        loop {
            let fetched = match &mut source {
                Source::Near => {
                    near.next().map(|at| (at, self.store.read_near(&self.inputs[at].name.path())))
                }
                Source::Far(ahead) => ahead.blocking_recv(),
            };
            let Some((at, bytes)) = fetched else { break };
            let input = self.inputs[at].clone();
            let read = match bytes {
                Ok(Some(bytes)) => self.read_input(&input, bytes, &mut sorter),
                Ok(None) => Err("it is gone since it was listed".to_owned()),
                Err(StoreError::Corrupt { cause, .. }) => Err(cause),
                Err(error) => return Err(error),
            };
            self.options.progress.add(input.bytes);
            match read {
                Ok(head) => self.result.heads.push(head),
                Err(cause) => self.result.damaged.push(Damaged { path: input.name.path(), cause }),
            }
            // Once one is damaged the rest is only looked at: the run decides again without all of them.
            if !self.result.damaged.is_empty() {
                sorter = self.sorter();
                continue;
            }
            sorter.settle_into(scratch.path())?;
            if sorter.is_full_of_text() {
                self.write(sorter, &scratch, &mut entry, &mut rolled)?;
                sorter = self.sorter();
                groups += 1;
            }
        }
        if !self.result.damaged.is_empty() {
            return Ok(());
        }
        if self.result.heads.len() != self.inputs.len() {
            return Err(StoreError::invalid(
                "not every segment of the day was fetched: run the compaction again",
            ));
        }
        if sorter.rows() > 0 {
            self.write(sorter, &scratch, &mut entry, &mut rolled)?;
            groups += 1;
        }
        let appended = self.result.replaced.is_empty() && self.old.is_some();
        if appended && let Some(old) = &self.old {
            if groups == 0 {
                return Ok(());
            }
            entry.values += old.values;
            entry.files.splice(0..0, old.files.iter().cloned());
        }
        entry.sealed = !appended && is_over(self.key, &self.options);
        let complete = groups == 1 && !appended && !self.key.stray;
        entry.roll_ups = complete.then_some(rolled.clone());
        let old_roll_ups = self.old.iter().flat_map(|old| old.roll_ups.iter());
        let old_roll_ups = old_roll_ups.flat_map(|rolled| rolled.minute.iter().chain(&rolled.hour));
        self.result.replaced.extend(old_roll_ups.map(|file| file.path.clone()));
        if !complete {
            self.result.replaced.extend(rolled.minute.into_iter().chain(rolled.hour).map(|file| file.path));
        }
        self.result.entry = (groups > 0 || self.old.is_some()).then_some(entry);
        Ok(())
    }

    fn sorter(&mut self) -> Sorter {
        Sorter::reusing(std::mem::take(&mut self.room.table), self.options.memory)
    }

    /// Appends the rows of a day file; the inner error is of the file itself.
    fn read_old(
        &mut self,
        file: &FileEntry,
        sorter: &mut Sorter,
        scratch: &Scratch,
    ) -> Result<Result<(), String>, StoreError> {
        let opened = self.handle.block_on(footer(&self.store, &file.path, file.bytes));
        let footer = match opened {
            Ok(Some(footer)) => footer,
            Ok(None) => {
                return Err(StoreError::Unavailable {
                    path: file.path.clone(),
                    cause: "a newer manifest has replaced it, run the compaction again".to_owned(),
                });
            }
            Err(StoreError::Corrupt { cause, .. }) => return Ok(Err(cause)),
            Err(error) => return Err(error),
        };
        let columns: Vec<usize> =
            (0..footer.parquet().file_metadata().schema_descr().num_columns()).collect();
        for group in 0..footer.parquet().num_row_groups() {
            let ranges = footer.ranges(group, &columns, None);
            let fetched = self.handle.block_on(fetch(&self.store, &file.path, file.bytes, ranges));
            let parts = match fetched {
                Ok(Some(parts)) => parts,
                Ok(None) => return Ok(Err("it is gone".to_owned())),
                Err(StoreError::Corrupt { cause, .. }) => return Ok(Err(cause)),
                Err(error) => return Err(error),
            };
            if let Err(cause) = self.append_group(&footer, parts, group, sorter) {
                return Ok(Err(cause));
            }
            sorter.settle_into(scratch.path())?;
        }
        Ok(Ok(()))
    }

    fn append_group(
        &mut self,
        footer: &Footer,
        parts: Parts,
        group: usize,
        sorter: &mut Sorter,
    ) -> Result<(), String> {
        let layout = self.layouts.of(footer, &mut self.registry)?;
        let erasures = &self.erasures;
        guard(|| {
            for batch in footer.batches(parts, vec![group], None, None)? {
                let batch = batch.map_err(|error| error.to_string())?;
                let start = sorter.table.rows();
                layout.append(
                    &Block::of(&batch, &batch.schema()),
                    None,
                    None,
                    &mut sorter.table,
                    &mut sorter.names,
                )?;
                erase(sorter, start, erasures);
            }
            Ok(())
        })
    }

    /// Appends the rows of a segment that are of this day and count.
    fn read_input(&mut self, input: &Input, bytes: Bytes, sorter: &mut Sorter) -> Result<Head, String> {
        let parts = Parts::whole(bytes);
        let (layouts, registry, erasures, key) =
            (&mut self.layouts, &mut self.registry, &self.erasures, self.key);
        let day = (!key.stray).then(|| (day_start(key.day), day_start(key.day.saturating_add(1))));
        guard(|| {
            read_segment(&input.name, parts, layouts, registry, |layout, block, head| {
                let start = sorter.table.rows();
                let order = block.by_device();
                let source = Some(head.source);
                layout.append(block, order.as_deref(), source, &mut sorter.table, &mut sorter.names)?;
                let table = &sorter.table;
                let within = SequenceRange { first: head.first, last: head.last };
                let numbers = &table.sequence[start..];
                if numbers.iter().any(|&number| number < within.first || number > within.last) {
                    return Err("it has rows that its name excludes".to_owned());
                }
                let all_of_day = input.keep.is_none()
                    && day.is_some_and(|(from, to)| {
                        let times = table.time[start..].iter().zip(&table.enqueued[start..]);
                        times.into_iter().all(|(&time, &enqueued)| {
                            from <= time && time < to && !day_key(time, enqueued).stray
                        })
                    });
                if !all_of_day {
                    let keep = |row: usize| {
                        let number = sorter.table.sequence[row];
                        day_key(sorter.table.time[row], sorter.table.enqueued[row]) == key
                            && input.keep.as_ref().is_none_or(|ranges| {
                                ranges.iter().any(|range| range.first <= number && number <= range.last)
                            })
                    };
                    let kept: Vec<u32> = (start..sorter.table.rows())
                        .filter(|&row| keep(row))
                        .filter_map(|row| u32::try_from(row).ok())
                        .collect();
                    sorter.table.retain_from(start, &kept);
                }
                erase(sorter, start, erasures);
                Ok(())
            })
        })
    }

    /// Sorts the rows and writes them, with their roll-ups.
    fn write(
        &mut self,
        sorter: Sorter,
        scratch: &Scratch,
        entry: &mut DayEntry,
        rolled: &mut RollUps,
    ) -> Result<(), StoreError> {
        let present = sorter.present();
        let signals = self.registry.columns().iter().enumerate();
        let signals = signals.filter(|(at, column)| {
            column.kind == Kind::Signal && present.get(at + TEXTS).copied().unwrap_or(false)
        });
        let signals = signals.map(|(at, column)| (at + TEXTS, Arc::from(column.column.as_str()))).collect();
        let mut builder = RollUpBuilder::new(signals);
        let (mut piece, mut ready) =
            (std::mem::take(&mut self.room.piece), std::mem::take(&mut self.room.ready));
        let mut sorted = sorter.finish(scratch.path())?;
        let mut file = DayFile::new(&self.hub, &self.registry, &present, &self.room.parts)?;
        let mut minute = Rolled::new(&self.hub, "1m", &self.room.parts)?;
        let mut hour = Rolled::new(&self.hub, "1h", &self.room.parts)?;
        while sorted.next_into(&mut piece)? {
            self.result.written_rows += piece.rows() as u64;
            file.write(&piece, &sorted.names)?;
            if !self.key.stray {
                builder.add(&piece, &mut ready);
                for (out, rows) in [(&mut minute, &mut ready.minute), (&mut hour, &mut ready.hour)] {
                    out.take(rows, &sorted.names, &self.registry, false)?;
                }
            }
            if file.bytes() >= self.options.file_bytes {
                let next = DayFile::new(&self.hub, &self.registry, &present, &self.room.parts)?;
                let full = std::mem::replace(&mut file, next);
                self.store_day(full, entry)?;
            }
            while let Some(finished) = minute.full()? {
                rolled.minute.extend(self.store_file("roll-ups/v=1/grain=1m", finished)?);
            }
        }
        self.store_day(file, entry)?;
        builder.flush(&mut ready);
        minute.take(&mut ready.minute, &sorted.names, &self.registry, true)?;
        hour.take(&mut ready.hour, &sorted.names, &self.registry, true)?;
        rolled.minute.extend(self.store_file("roll-ups/v=1/grain=1m", minute.file.finish()?)?);
        rolled.hour.extend(self.store_file("roll-ups/v=1/grain=1h", hour.file.finish()?)?);
        (self.room.table, self.room.piece, self.room.ready) = (sorted.into_memory(), piece, ready);
        Ok(())
    }

    fn store_day(&mut self, file: DayFile, entry: &mut DayEntry) -> Result<(), StoreError> {
        let finished = file.finish()?;
        entry.values += finished.values;
        entry.files.extend(self.store_file("history/v=1", finished)?);
        Ok(())
    }

    fn store_file(
        &mut self,
        root: &'static str,
        finished: Finished,
    ) -> Result<Option<FileEntry>, StoreError> {
        let mut entry = finished.entry;
        if entry.rows == 0 {
            return Ok(None);
        }
        let number = self.numbers.entry(root).or_default();
        let folder = day_folder_of(root, &self.hub, day_start(self.key.day));
        let stray = if self.key.stray { "stray_" } else { "" };
        entry.path = format!(
            "{folder}/{}_{}_{stray}g{:09}_{}_{:03}.parquet",
            stamp(entry.min_time),
            stamp(entry.max_time.saturating_add(999)),
            self.generation,
            self.hash,
            number
        );
        *number += 1;
        self.result.files += 1;
        self.result.bytes += entry.bytes;
        let create = self.store.create_parts(&entry.path, finished.parts.clone());
        let created = self.handle.block_on(create)?;
        self.room.parts.take_back(finished.parts);
        match created {
            // A killed run wrote it from the same inputs, or the same process lost the answer.
            Created::New | Created::AlreadyThere => Ok(Some(entry)),
        }
    }
}

/// Drops rows of erased devices behind `start`.
fn erase(sorter: &mut Sorter, start: usize, erasures: &Erasures) {
    for erased in &erasures.erased {
        let Some(device) = sorter.names.devices.find(&erased.device) else { continue };
        let gone =
            |row: usize| sorter.table.device[row] == device && sorter.table.enqueued[row] < erased.before;
        if (start..sorter.table.rows()).any(gone) {
            let kept: Vec<u32> = (start..sorter.table.rows())
                .filter(|&row| !gone(row))
                .filter_map(|row| u32::try_from(row).ok())
                .collect();
            sorter.table.retain_from(start, &kept);
        }
    }
}
