//! What a trial has shown so far. Bounded however long it lasts.

use std::collections::VecDeque;
use std::time::Duration;

use twinwright_core::scoring::{Scored, ScorerError, status};

use super::Histogram;

/// Batches whose times are kept for the percentile.
const TIMES: usize = 256;
/// The limit that scores are calibrated to.
const LIMIT: f64 = 1.0;

/// Kinds of failure that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Past its deadline.
    Deadline,
    /// Trapped, refused, or broke its contract.
    Broken,
}

impl Failure {
    /// The kind of an error.
    pub fn of(error: &ScorerError) -> Self {
        match error {
            ScorerError::Deadline { .. } => Self::Deadline,
            ScorerError::Trapped { .. } | ScorerError::Refused { .. } | ScorerError::Contract { .. } => {
                Self::Broken
            }
        }
    }
}

/// One of the two versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// Batches asked.
    pub batches: u32,
    /// Calls past their deadline.
    pub deadlines: u32,
    /// Calls that failed otherwise.
    pub broken: u32,
    /// What the last failure said.
    pub last_error: String,
    /// Rows above the limit, of those that both scored.
    pub above: u64,
    /// Scores of the rows that both scored.
    pub scores: Histogram,
    /// Microseconds and rows of the latest batches.
    times: VecDeque<(u64, u32)>,
}

impl Side {
    /// Counts a call that answered.
    pub fn answered(&mut self, took: Duration, rows: usize) {
        self.batches = self.batches.saturating_add(1);
        if self.times.len() == TIMES {
            self.times.pop_front();
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.times.push_back((micros, u32::try_from(rows.max(1)).unwrap_or(u32::MAX)));
    }

    /// Counts a call that did not.
    pub fn failed(&mut self, error: &ScorerError) {
        self.batches = self.batches.saturating_add(1);
        self.last_error = error.to_string();
        match Failure::of(error) {
            Failure::Deadline => self.deadlines = self.deadlines.saturating_add(1),
            Failure::Broken => self.broken = self.broken.saturating_add(1),
        }
    }

    fn percentile(&self, of: impl Fn(&(u64, u32)) -> f64) -> f64 {
        let mut values: Vec<f64> = self.times.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        // The nearest rank; with few batches the second largest, so that one hiccup of the machine decides nothing.
        let rank = (values.len() * 99 / 100).min(values.len().saturating_sub(2));
        values.get(rank).copied().unwrap_or(0.0)
    }

    /// 99th percentile of the microseconds for a row.
    pub fn p99_row(&self) -> f64 {
        self.percentile(|(micros, rows)| *micros as f64 / f64::from(*rows))
    }

    /// 99th percentile of the microseconds for a batch.
    pub fn p99_batch(&self) -> f64 {
        self.percentile(|(micros, _)| *micros as f64)
    }

    /// Calls whose time is kept.
    pub fn timed(&self) -> usize {
        self.times.len()
    }
}

/// What both versions did with the same rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The promoted version.
    pub promoted: Side,
    /// The version on trial.
    pub candidate: Side,
    /// Rows that both scored.
    pub both: u64,
    /// Rows that only the promoted version scored, once the other had scored a row of the same batch.
    pub missed: u64,
}

impl Evidence {
    /// Compares two answers to the same batch, row by row.
    pub fn compare(&mut self, promoted: &Scored, candidate: &Scored) {
        let ok = |answer: &Scored, row: usize| answer.status.get(row) == Some(&status::OK);
        // A version that has just begun warms up; a row it does not score counts once it scores others.
        let begun = candidate.status.contains(&status::OK);
        for (row, (left, right)) in promoted.scores.iter().zip(&candidate.scores).enumerate() {
            match (ok(promoted, row), ok(candidate, row)) {
                (true, true) => {
                    self.both += 1;
                    self.promoted.scores.add(*left);
                    self.candidate.scores.add(*right);
                    self.promoted.above += u64::from(*left > LIMIT);
                    self.candidate.above += u64::from(*right > LIMIT);
                }
                (true, false) if begun => self.missed += 1,
                _ => {}
            }
        }
    }
}
