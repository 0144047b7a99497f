//! Rows of many devices, partitions and files as columns: what compaction sorts and readers give out.
//!
//! Text is a code into [`Names`], which many tables share, so that a table can be moved, cut and spilled as numbers alone.

mod order;

use std::sync::Arc;

use twinwright_core::frame::{ABSENT, NO_STATE};
use twinwright_core::time::Micros;

use self::order::Order;
use crate::manifest::Source;
use crate::registry::Registry;
use crate::rows::Dictionary;
use crate::segment::Kind;

/// Numbers of the text columns that every file may have.
pub(crate) const QUALITY: usize = 0;
pub(crate) const PROPERTIES: usize = 1;
pub(crate) const EXTRA: usize = 2;
/// The registry's columns come behind them.
pub(crate) const TEXTS: usize = 3;

/// The values of a column; those behind the end are absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Values {
    /// No row has any.
    #[default]
    Absent,
    /// A signal.
    Doubles(Vec<f64>),
    /// A state or text.
    Codes(Vec<u32>),
}

impl Values {
    /// The signal's values, padded to `rows`.
    pub(crate) fn doubles(&mut self, rows: usize) -> &mut Vec<f64> {
        if !matches!(self, Self::Doubles(_)) {
            *self = Self::Doubles(Vec::new());
        }
        let Self::Doubles(values) = self else { unreachable!("it was made one above") };
        values.resize(rows, ABSENT);
        values
    }

    /// The text's codes, padded to `rows`.
    pub(crate) fn codes(&mut self, rows: usize) -> &mut Vec<u32> {
        if !matches!(self, Self::Codes(_)) {
            *self = Self::Codes(Vec::new());
        }
        let Self::Codes(codes) = self else { unreachable!("it was made one above") };
        codes.resize(rows, NO_STATE);
        codes
    }

    fn pad(&mut self, rows: usize) {
        match self {
            // Only its memory was left, of rows that are gone.
            Self::Doubles(values) if values.is_empty() => *self = Self::Absent,
            Self::Codes(codes) if codes.is_empty() => *self = Self::Absent,
            Self::Absent => {}
            Self::Doubles(values) => values.resize(rows, ABSENT),
            Self::Codes(codes) => codes.resize(rows, NO_STATE),
        }
    }

    fn gather_into(&self, order: &Order<'_>, target: &mut Self) {
        match self {
            Self::Absent => *target = Self::Absent,
            Self::Doubles(values) => order.pick(values, target.doubles(0)),
            Self::Codes(codes) => order.pick(codes, target.codes(0)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Doubles(values) => values.len() * 8,
            Self::Codes(codes) => codes.len() * 4,
        }
    }
}

/// What the codes of tables mean.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) devices: Dictionary,
    pub(crate) sources: Vec<Source>,
    /// By column.
    pub(crate) texts: Vec<Dictionary>,
}

impl Names {
    pub(crate) fn source(&mut self, source: Source) -> u16 {
        let known = self.sources.iter().rposition(|known| *known == source);
        let at = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        // 65,535 partitions and epochs within one day: no hub has them.
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    pub(crate) fn text(&mut self, column: usize) -> &mut Dictionary {
        if self.texts.len() <= column {
            self.texts.resize_with(column + 1, Dictionary::default);
        }
        &mut self.texts[column]
    }

    /// Bytes of all texts, about.
    pub(crate) fn bytes(&self) -> usize {
        self.devices.bytes() + self.texts.iter().map(Dictionary::bytes).sum::<usize>()
    }

    /// The place of each device in the order of names.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut sorted: Vec<u32> = (0..self.devices.len()).collect();
        sorted.sort_unstable_by(|&a, &b| self.devices.get(a).cmp(self.devices.get(b)));
        let mut ranks = vec![0; sorted.len()];
        for (rank, device) in (0_u32..).zip(sorted) {
            ranks[device as usize] = rank;
        }
        ranks
    }
}

/// Rows; the first six vectors have one entry a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub(crate) device: Vec<u32>,
    pub(crate) time: Vec<Micros>,
    pub(crate) enqueued: Vec<Micros>,
    pub(crate) sequence: Vec<i64>,
    pub(crate) source: Vec<u16>,
    /// [`QUALITY`], [`PROPERTIES`], [`EXTRA`], then the registry's columns.
    pub(crate) columns: Vec<Values>,
}

impl Table {
    pub(crate) fn rows(&self) -> usize {
        self.time.len()
    }

    pub(crate) fn column(&mut self, column: usize) -> &mut Values {
        if self.columns.len() <= column {
            self.columns.resize_with(column + 1, Values::default);
        }
        &mut self.columns[column]
    }

    /// Gives every column that is there one value a row.
    pub(crate) fn pad(&mut self) {
        let rows = self.rows();
        self.columns.iter_mut().for_each(|column| column.pad(rows));
    }

    /// Bytes of memory that the rows take.
    pub(crate) fn bytes(&self) -> usize {
        let fixed = self.rows() * (4 + 2 + 3 * 8);
        fixed + self.columns.iter().map(Values::bytes).sum::<usize>()
    }

    /// Makes room, so that growing does not copy.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.device.reserve(rows);
        self.source.reserve(rows);
        for times in [&mut self.time, &mut self.enqueued, &mut self.sequence] {
            times.reserve(rows);
        }
        for column in &mut self.columns {
            match column {
                Values::Absent => {}
                Values::Doubles(values) => values.reserve(rows),
                Values::Codes(codes) => codes.reserve(rows),
            }
        }
    }

    /// Forgets the rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.device.clear();
        self.source.clear();
        for times in [&mut self.time, &mut self.enqueued, &mut self.sequence] {
            times.clear();
        }
        for column in &mut self.columns {
            match column {
                Values::Absent => {}
                Values::Doubles(values) => values.clear(),
                Values::Codes(codes) => codes.clear(),
            }
        }
    }

    /// Keeps, of the rows behind `start`, these alone (ascending).
    pub(crate) fn retain_from(&mut self, start: usize, kept: &[u32]) {
        fn keep<T: Copy>(values: &mut Vec<T>, start: usize, kept: &[u32]) {
            let mut next = start;
            for &row in kept {
                // A column may end before the rows do; what is behind its end is absent.
                if let Some(&value) = values.get(row as usize) {
                    values[next] = value;
                    next += 1;
                }
            }
            values.truncate(next);
        }
        keep(&mut self.device, start, kept);
        keep(&mut self.time, start, kept);
        keep(&mut self.enqueued, start, kept);
        keep(&mut self.sequence, start, kept);
        keep(&mut self.source, start, kept);
        for column in &mut self.columns {
            match column {
                Values::Absent => {}
                Values::Doubles(values) if values.len() <= start => {}
                Values::Codes(codes) if codes.len() <= start => {}
                Values::Doubles(values) => keep(values, start, kept),
                Values::Codes(codes) => keep(codes, start, kept),
            }
        }
    }

    /// These rows in this order. Call [`Table::pad`] before.
    pub(crate) fn gather(&self, order: &[u32]) -> Self {
        let mut gathered = Self::default();
        self.gather_into(order, &mut gathered);
        gathered
    }

    /// [`Table::gather`] into the memory of a table that is done with.
    pub(crate) fn gather_into(&self, order: &[u32], target: &mut Self) {
        let order = &Order::of(order);
        order.pick(&self.device, &mut target.device);
        order.pick(&self.time, &mut target.time);
        order.pick(&self.enqueued, &mut target.enqueued);
        order.pick(&self.sequence, &mut target.sequence);
        order.pick(&self.source, &mut target.source);
        target.columns.resize_with(self.columns.len(), Values::default);
        for (column, target) in self.columns.iter().zip(&mut target.columns) {
            column.gather_into(order, target);
        }
    }

    /// The rows by device name, time, source and sequence number; rows that are alike stay in their order.
    pub(crate) fn order(&self, names: &Names) -> Vec<u32> {
        let ranks = names.ranks();
        let mut starts = vec![0_u32; ranks.len() + 1];
        for &device in &self.device {
            starts[ranks[device as usize] as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let (bounds, mut next) = (starts.clone(), starts);
        let mut order = vec![0_u32; self.rows()];
        for (row, &device) in (0_u32..).zip(&self.device) {
            let place = &mut next[ranks[device as usize] as usize];
            order[*place as usize] = row;
            *place += 1;
        }
        let key = |row: u32| {
            let row = row as usize;
            (self.time[row], names.sources[usize::from(self.source[row])], self.sequence[row])
        };
        for bounds in bounds.windows(2) {
            let rows = &mut order[bounds[0] as usize..bounds[1] as usize];
            // Devices send in order, nearly always.
            if !rows.windows(2).all(|pair| self.time[pair[0] as usize] < self.time[pair[1] as usize]) {
                rows.sort_by_key(|&row| key(row));
            }
        }
        order
    }
}

/// Rows that a reader gives out.
#[derive(Debug)]
pub struct Rows {
    pub(crate) table: Table,
    pub(crate) names: Arc<Names>,
    pub(crate) registry: Arc<Registry>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.table.rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Event times, one a row.
    pub fn times(&self) -> &[Micros] {
        &self.table.time
    }

    /// Enqueued times, one a row.
    pub fn enqueued(&self) -> &[Micros] {
        &self.table.enqueued
    }

    /// Sequence numbers, one a row; with [`Rows::source`] they name the event.
    pub fn sequences(&self) -> &[i64] {
        &self.table.sequence
    }

    /// Partition and epoch of a row.
    pub fn source(&self, row: usize) -> Source {
        self.names.sources[usize::from(self.table.source[row])]
    }

    /// Device id of a row.
    pub fn device(&self, row: usize) -> &Arc<str> {
        self.names.devices.shared(self.table.device[row])
    }

    /// A number a row that is the same for the same device.
    pub fn device_codes(&self) -> &[u32] {
        &self.table.device
    }

    /// Signals and states that any row may have, in the order of columns.
    pub fn columns(&self) -> impl Iterator<Item = (Kind, &Arc<str>)> {
        let present = |at: &usize| !matches!(self.table.columns.get(at + TEXTS), None | Some(Values::Absent));
        let all = self.registry.columns().iter().enumerate();
        all.filter(move |(at, _)| present(at)).map(|(_, column)| (column.kind, &column.name))
    }

    /// A signal's values, one a row, [`ABSENT`] where a row has none; `None` where no row has any.
    pub fn signal(&self, name: &Arc<str>) -> Option<&[f64]> {
        let at = self.registry.find(Kind::Signal, name)? + TEXTS;
        match self.table.columns.get(at) {
            Some(Values::Doubles(values)) => Some(values),
            _ => None,
        }
    }

    /// A state's text of a row.
    pub fn state(&self, name: &Arc<str>, row: usize) -> Option<&str> {
        self.text(self.registry.find(Kind::State, name)? + TEXTS, row)
    }

    /// Why a row or value is not to be trusted, see [`crate::quality`].
    pub fn quality(&self, row: usize) -> Option<&str> {
        self.text(QUALITY, row)
    }

    /// Application properties of a row, a JSON object.
    pub fn properties(&self, row: usize) -> Option<&str> {
        self.text(PROPERTIES, row)
    }

    /// What fits no column, a JSON object.
    pub fn extra(&self, row: usize) -> Option<&str> {
        self.text(EXTRA, row)
    }

    pub(crate) fn text_of(&self, column: usize, row: usize) -> Option<&str> {
        self.text(column, row)
    }

    fn text(&self, column: usize, row: usize) -> Option<&str> {
        let Some(Values::Codes(codes)) = self.table.columns.get(column) else { return None };
        let code = codes.get(row).copied().filter(|&code| code != NO_STATE)?;
        Some(self.names.texts.get(column)?.get(code))
    }
}

#[cfg(test)]
mod tests;
