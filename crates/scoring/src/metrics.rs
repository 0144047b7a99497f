//! What each scorer did and cost, for the operator.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use twinwright_core::scoring::ScorerError;

/// Counters of one scorer; shared by all its instances.
#[derive(Debug, Default)]
pub struct ScorerMetrics {
    batches: AtomicU64,
    rows: AtomicU64,
    nanos: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    refusals: AtomicU64,
    broken: AtomicU64,
    instances: AtomicU64,
    memory: AtomicU64,
    log_lines_dropped: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MetricsReading {
    /// Batches answered.
    pub batches: u64,
    /// Rows scored.
    pub rows: u64,
    /// Microseconds in answered calls.
    pub micros: u64,
    /// Calls that trapped.
    pub traps: u64,
    /// Calls that were stopped at the deadline.
    pub deadlines: u64,
    /// Calls that the scorer answered by an error of its own.
    pub refusals: u64,
    /// Answers that broke the contract.
    pub broken: u64,
    /// Instances made.
    pub instances: u64,
    /// Largest linear memory of an instance after a call, bytes.
    pub memory: u64,
    /// Log lines above the allowance.
    pub log_lines_dropped: u64,
}

impl MetricsReading {
    /// Microseconds a row; 0 before the first.
    pub fn micros_per_row(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.micros as f64 / self.rows as f64 }
    }
}

impl ScorerMetrics {
    pub(crate) fn answered(&self, rows: usize, took: Duration, memory: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        // A call of few rows takes less than a microsecond.
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if self.memory.load(Ordering::Relaxed) < memory as u64 {
            self.memory.fetch_max(memory as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn failed(&self, error: &ScorerError) {
        let counter = match error {
            ScorerError::Deadline { .. } => &self.deadlines,
            ScorerError::Trapped { .. } => &self.traps,
            ScorerError::Refused { .. } => &self.refusals,
            ScorerError::Contract { .. } => &self.broken,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn instance(&self) {
        self.instances.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, lines: u64) {
        if lines > 0 {
            self.log_lines_dropped.fetch_add(lines, Ordering::Relaxed);
        }
    }

    /// The counters now.
    pub fn read(&self) -> MetricsReading {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MetricsReading {
            batches: of(&self.batches),
            rows: of(&self.rows),
            micros: of(&self.nanos) / 1_000,
            traps: of(&self.traps),
            deadlines: of(&self.deadlines),
            refusals: of(&self.refusals),
            broken: of(&self.broken),
            instances: of(&self.instances),
            memory: of(&self.memory),
            log_lines_dropped: of(&self.log_lines_dropped),
        }
    }
}
