//! Rows of a day in the order of device and time, in bounded memory: what does not fit goes to disk as sorted runs, and
//! comes back in pieces that are cut at the same keys through all runs.

use std::path::Path;

use twinwright_core::frame::NO_STATE;
use twinwright_core::time::Micros;

use super::spill::Run;
use crate::StoreError;
use crate::manifest::Source;
use crate::table::{Names, Table, Values};

/// Rows of a piece, about: a row group of a day file.
pub(super) const PIECE: usize = 100_000;
/// Rows from which a day counts as large.
const MANY: usize = 20_000;
/// Rows between the keys that a run remembers.
pub(super) const STRIDE: usize = 2_048;

/// Where a row stands: device's rank, time, source, sequence number.
pub(super) type Key = (u32, Micros, Source, i64);

pub(super) fn key(table: &Table, row: usize, ranks: &[u32], names: &Names) -> Key {
    let rank = ranks[table.device[row] as usize];
    (rank, table.time[row], names.sources[usize::from(table.source[row])], table.sequence[row])
}

/// Takes rows in any order.
#[derive(Debug)]
pub(crate) struct Sorter {
    pub(super) names: Names,
    pub(super) table: Table,
    runs: Vec<Run>,
    /// Bytes of rows in memory.
    budget: usize,
    /// Whether the vectors are as large as they will get.
    roomy: bool,
}

impl Sorter {
    pub(crate) fn new(budget: usize) -> Self {
        Self::reusing(Table::default(), budget)
    }

    /// Into the memory of a table that is done with.
    pub(crate) fn reusing(mut table: Table, budget: usize) -> Self {
        table.clear();
        Self { names: Names::default(), table, runs: Vec::new(), budget, roomy: false }
    }

    pub(crate) fn rows(&self) -> usize {
        self.table.rows() + self.runs.iter().map(Run::rows).sum::<usize>()
    }

    /// Takes rows that have names of their own.
    pub(crate) fn take(&mut self, rows: &Table, names: &Names) {
        let devices: Vec<u32> =
            rows.device.iter().map(|&code| self.names.devices.number(names.devices.get(code))).collect();
        let sources: Vec<u16> = names.sources.iter().map(|&source| self.names.source(source)).collect();
        let start = self.table.rows();
        self.table.device.extend(devices);
        self.table.time.extend_from_slice(&rows.time);
        self.table.enqueued.extend_from_slice(&rows.enqueued);
        self.table.sequence.extend_from_slice(&rows.sequence);
        self.table.source.extend(rows.source.iter().map(|&source| sources[usize::from(source)]));
        for (at, values) in rows.columns.iter().enumerate() {
            match values {
                Values::Absent => {}
                Values::Doubles(values) => self.table.column(at).doubles(start).extend_from_slice(values),
                Values::Codes(codes) => {
                    let texts = self.names.text(at);
                    let code = |&code: &u32| match code {
                        NO_STATE => NO_STATE,
                        code => texts.number(names.texts[at].get(code)),
                    };
                    let mapped: Vec<u32> = codes.iter().map(code).collect();
                    self.table.column(at).codes(start).extend(mapped);
                }
            }
        }
    }

    /// Whether the texts alone take as much memory as there may be: begin a new sorter.
    pub(super) fn is_full_of_text(&self) -> bool {
        self.names.bytes() > self.budget / 2
    }

    /// Call it after each input: spills when the rows take more than their share.
    pub(super) fn settle(&mut self, folder: &Path) -> Result<(), StoreError> {
        let (rows, bytes) = (self.table.rows(), self.table.bytes());
        if bytes <= self.budget {
            // Vectors double when they grow, old and new at once: where there is much to come, all the room is made at
            // once (memory that is never touched costs nothing).
            if rows >= MANY && !self.roomy {
                self.roomy = true;
                let most = self.budget / (bytes / rows).max(1);
                self.table.reserve((most + most / 8).saturating_sub(rows));
            }
            return Ok(());
        }
        self.table.pad();
        let order = self.table.order(&self.names);
        self.runs.push(Run::write(folder, &self.table, &order, &self.names)?);
        self.table.clear();
        Ok(())
    }

    /// [`Sorter::settle`] into a folder that is made when it is needed.
    pub(crate) fn settle_into(&mut self, folder: &Path) -> Result<(), StoreError> {
        if self.table.bytes() > self.budget {
            std::fs::create_dir_all(folder).map_err(|error| super::spill::spill_error(folder, &error))?;
        }
        self.settle(folder)
    }

    /// Which columns any row has.
    pub(super) fn present(&self) -> Vec<bool> {
        let width = self.runs.iter().map(Run::columns).max().unwrap_or(0).max(self.table.columns.len());
        let has = |column: usize| {
            self.table.columns.get(column).is_some_and(|values| match values {
                Values::Absent => false,
                Values::Doubles(values) => !values.is_empty(),
                Values::Codes(codes) => !codes.is_empty(),
            }) || self.runs.iter().any(|run| run.has(column))
        };
        (0..width).map(has).collect()
    }

    /// The sorted rows.
    pub(crate) fn finish(mut self, folder: &Path) -> Result<Sorted, StoreError> {
        self.table.pad();
        let order = self.table.order(&self.names);
        let ranks = self.names.ranks();
        if self.runs.is_empty() {
            let from = From::Memory { table: self.table, order, next: 0 };
            return Ok(Sorted { names: self.names, ranks, from });
        }
        if self.table.rows() > 0 {
            self.runs.push(Run::write(folder, &self.table, &order, &self.names)?);
        }
        self.table = Table::default();
        let mut keys: Vec<Key> =
            self.runs.iter().flat_map(|run| run.keys().map(|key| key.ranked(&ranks, &self.names))).collect();
        keys.sort_unstable();
        let mut cuts: Vec<Key> = keys.into_iter().skip(PIECE / STRIDE).step_by(PIECE / STRIDE).collect();
        cuts.dedup();
        let from = From::Runs { runs: self.runs, cuts: cuts.into_iter(), done: false };
        Ok(Sorted { names: self.names, ranks, from })
    }
}

#[derive(Debug)]
enum From {
    Memory { table: Table, order: Vec<u32>, next: usize },
    Runs { runs: Vec<Run>, cuts: std::vec::IntoIter<Key>, done: bool },
}

/// Gives rows in their order.
#[derive(Debug)]
pub(crate) struct Sorted {
    pub(super) names: Names,
    pub(super) ranks: Vec<u32>,
    from: From,
}

impl Sorted {
    /// The next piece in place of the last; `false` at the end.
    pub(super) fn next_into(&mut self, piece: &mut Table) -> Result<bool, StoreError> {
        let names = std::mem::take(&mut self.names);
        let more = self.advance(&names, piece);
        self.names = names;
        more
    }

    /// The names, for a caller who hands them out.
    pub(crate) fn names_mut(&mut self) -> &mut Names {
        &mut self.names
    }

    /// The next piece, with the names that were taken out; `None` at the end.
    pub(crate) fn next_with(&mut self, names: &Names) -> Result<Option<Table>, StoreError> {
        let mut piece = Table::default();
        Ok(self.advance(names, &mut piece)?.then_some(piece))
    }

    /// The memory of the rows, for the next sorter.
    pub(super) fn into_memory(self) -> Table {
        match self.from {
            From::Memory { table, .. } => table,
            From::Runs { .. } => Table::default(),
        }
    }

    fn advance(&mut self, names: &Names, piece: &mut Table) -> Result<bool, StoreError> {
        match &mut self.from {
            From::Memory { table, order, next } => {
                if *next >= order.len() {
                    table.clear();
                    return Ok(false);
                }
                let end = order.len().min(*next + PIECE);
                table.gather_into(&order[*next..end], piece);
                *next = end;
                Ok(true)
            }
            From::Runs { runs, cuts, done } => loop {
                if *done {
                    return Ok(false);
                }
                let cut = cuts.next();
                *done = cut.is_none();
                piece.clear();
                let mut parts = 0;
                for run in runs.iter_mut() {
                    let before = piece.rows();
                    run.read_until(cut.as_ref(), piece, &self.ranks, names)?;
                    parts += usize::from(piece.rows() > before);
                }
                if piece.rows() == 0 {
                    continue;
                }
                piece.pad();
                if parts > 1 {
                    let order = piece.order(names);
                    *piece = piece.gather(&order);
                }
                return Ok(true);
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TEXTS;

    fn fill(sorter: &mut Sorter, rows: u64, folder: &Path) {
        let mut noise = 88_172_645_463_325_252_u64;
        for row in 0..rows {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            let device = sorter.names.devices.number(&format!("d{}", noise % 7));
            let source = sorter.names.source(Source { partition: (noise % 3) as u32, epoch: 0 });
            let at = sorter.table.rows();
            sorter.table.device.push(device);
            sorter.table.source.push(source);
            sorter.table.time.push((row as i64) - (noise % 50) as i64);
            sorter.table.enqueued.push(row as i64);
            sorter.table.sequence.push(row as i64);
            if !noise.is_multiple_of(5) {
                sorter.table.column(TEXTS).doubles(at).push(row as f64);
            }
            if row > rows / 2 {
                let code = sorter.names.text(TEXTS + 1).number(&format!("s{}", row % 3));
                sorter.table.column(TEXTS + 1).codes(at).push(code);
            }
            if row % 997 == 0 {
                sorter.settle(folder).unwrap();
            }
        }
    }

    fn all(mut sorted: Sorted) -> Vec<String> {
        let mut rows = Vec::new();
        let mut piece = Table::default();
        while sorted.next_into(&mut piece).unwrap() {
            for row in 0..piece.rows() {
                let value = match piece.columns.get(TEXTS) {
                    Some(Values::Doubles(values)) => values[row],
                    _ => f64::NAN,
                };
                let code = match piece.columns.get(TEXTS + 1) {
                    Some(Values::Codes(codes)) => codes[row],
                    _ => u32::MAX,
                };
                let state = if code == u32::MAX { "-" } else { sorted.names.texts[TEXTS + 1].get(code) };
                let device = sorted.names.devices.get(piece.device[row]);
                let source = sorted.names.sources[usize::from(piece.source[row])].partition;
                rows.push(format!(
                    "{device} {:09} {source} {} {value} {state}",
                    piece.time[row], piece.sequence[row]
                ));
            }
        }
        rows
    }

    #[test]
    fn spilled_rows_come_back_as_rows_in_memory_do() {
        let folder = tempfile::tempdir().unwrap();
        let rows = 300_000;
        let mut memory = Sorter::new(1 << 30);
        fill(&mut memory, rows, folder.path());
        let mut spilled = Sorter::new(2 << 20);
        fill(&mut spilled, rows, folder.path());
        assert!(memory.runs.is_empty() && spilled.runs.len() > 3, "{}", spilled.runs.len());
        assert_eq!(memory.present(), spilled.present());
        let expected = all(memory.finish(folder.path()).unwrap());
        assert_eq!(expected.len() as u64, rows);
        let sorted: Vec<_> = expected.iter().map(|row| row.split(' ').take(2).collect::<Vec<_>>()).collect();
        assert!(sorted.iter().filter(|row| !row[1].starts_with('-')).is_sorted());
        assert!(expected == all(spilled.finish(folder.path()).unwrap()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "runs delete their files");
    }

    #[test]
    fn memory_of_other_rows_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = Sorter::new(1 << 30);
        fill(&mut before, 5_000, folder.path());
        let table = &mut before.table;
        table.column(TEXTS + 4).doubles(5_000);
        let mut sorter = Sorter::reusing(std::mem::take(&mut before.table), 1 << 30);
        fill(&mut sorter, 3_000, folder.path());
        let mut fresh = Sorter::new(1 << 30);
        fill(&mut fresh, 3_000, folder.path());
        let mut reused = sorter.present();
        reused.truncate(fresh.present().len());
        assert_eq!(reused, fresh.present());
        let mut sorted = sorter.finish(folder.path()).unwrap();
        let mut piece = Table::default();
        assert!(sorted.next_into(&mut piece).unwrap());
        assert_eq!(piece.columns[TEXTS + 4], Values::Absent);
        assert_eq!(piece.rows(), 3_000);
        assert!(!sorted.next_into(&mut piece).unwrap());
        assert_eq!(sorted.into_memory().rows(), 0);
    }
}
