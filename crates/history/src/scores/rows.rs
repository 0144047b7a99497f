//! Scored rows in memory: numbers as they are, texts once each.

use std::collections::HashMap;
use std::sync::Arc;

use twinwright_core::time::Micros;

/// The code of a row without a text.
pub(super) const NONE: u32 = u32::MAX;

/// A column of texts of which few differ: each row has the number of its text.
#[derive(Clone, Debug, Default)]
pub struct TextColumn {
    texts: Vec<Arc<str>>,
    codes: Vec<u32>,
    numbers: HashMap<Arc<str>, u32>,
}

impl TextColumn {
    /// A column with the same text in each of its rows.
    pub fn filled(text: &Arc<str>, rows: usize) -> Self {
        let mut column = Self::default();
        let number = column.number(text);
        column.codes.resize(rows, number);
        column
    }

    /// The number of a text in this column, for [`Self::push_number`].
    pub fn number(&mut self, text: &Arc<str>) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(NONE);
        self.texts.push(Arc::clone(text));
        self.numbers.insert(Arc::clone(text), number);
        number
    }

    /// Appends a row.
    pub fn push(&mut self, text: Option<&Arc<str>>) {
        let number = text.map_or(NONE, |text| self.number(text));
        self.codes.push(number);
    }

    pub(super) fn push_text(&mut self, text: Option<&str>) {
        match text.map(|text| (self.numbers.get(text).copied(), text)) {
            None => self.codes.push(NONE),
            Some((Some(number), _)) => self.codes.push(number),
            Some((None, text)) => self.push(Some(&Arc::from(text))),
        }
    }

    /// Appends a row by the number of its text.
    pub fn push_number(&mut self, number: u32) {
        self.codes.push(number);
    }

    /// A row's text.
    pub fn get(&self, row: usize) -> Option<&Arc<str>> {
        self.texts.get(*self.codes.get(row)? as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }

    pub(super) fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    pub(super) fn codes(&self) -> &[u32] {
        &self.codes
    }
}

/// Scored rows, one entry a row in each column.
#[derive(Clone, Debug, Default)]
pub struct ScoreRows {
    /// Device id.
    pub device: TextColumn,
    /// Event time.
    pub time: Vec<Micros>,
    /// Sequence number.
    pub sequence: Vec<i64>,
    /// Partition of the hub.
    pub partition: Vec<u32>,
    /// Score, 1.0 = the baseline's alarm limit; NaN where the row has none.
    pub score: Vec<f64>,
    /// One of [`twinwright_core::scoring::status`].
    pub status: Vec<u8>,
    /// Scorer's name and version.
    pub scorer: TextColumn,
    /// Version of the baseline.
    pub baseline: TextColumn,
    /// Signal with the greatest contribution, where there is one.
    pub top_signal: TextColumn,
}

impl ScoreRows {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.sequence.len()
    }

    /// Whether all columns have as many rows.
    pub(super) fn fits(&self) -> bool {
        let lengths = [
            self.device.len(),
            self.time.len(),
            self.partition.len(),
            self.score.len(),
            self.status.len(),
            self.scorer.len(),
            self.baseline.len(),
            self.top_signal.len(),
        ];
        lengths == [self.rows(); 8]
    }

    /// Appends a row of another table.
    pub fn push(&mut self, other: &Self, row: usize) {
        self.device.push(other.device.get(row));
        self.time.push(other.time[row]);
        self.sequence.push(other.sequence[row]);
        self.partition.push(other.partition[row]);
        self.score.push(other.score[row]);
        self.status.push(other.status[row]);
        self.scorer.push(other.scorer.get(row));
        self.baseline.push(other.baseline.get(row));
        self.top_signal.push(other.top_signal.get(row));
    }
}
