//! Counters since the start of the process: for the log, `doctor` and metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::messages::Outputs;
use crate::partition::ingest::Summary;

/// The counters; one list of names.
#[derive(Debug, Default)]
pub struct Counters {
    batches: AtomicU64,
    events: AtomicU64,
    committed: AtomicU64,
    dead_lettered: AtomicU64,
    duplicates: AtomicU64,
    alerts: AtomicU64,
    commands: AtomicU64,
    scored: Mutex<Scored>,
}

/// Rows with a score, by equipment model and scorer.
pub type Scored = BTreeMap<(Arc<str>, Arc<str>), u64>;

/// Pairs of equipment model and scorer that are counted; a process that has met more versions counts the first.
const MOST_SCORED: usize = 1_000;

/// A reading of [`Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Batches taken.
    pub batches: u64,
    /// Events in them.
    pub events: u64,
    /// Rows committed.
    pub committed: u64,
    /// Dead letters.
    pub dead_lettered: u64,
    /// Events that had been seen before.
    pub duplicates: u64,
    /// Alert messages given out.
    pub alerts: u64,
    /// Commands given out.
    pub commands: u64,
}

impl Counters {
    /// Counts a batch.
    pub fn batch(&self, summary: &Summary, outputs: &Outputs) {
        let add = |counter: &AtomicU64, by: usize| {
            counter.fetch_add(by as u64, Ordering::Relaxed);
        };
        add(&self.batches, 1);
        add(&self.events, summary.events);
        add(&self.committed, summary.committed);
        add(&self.dead_lettered, summary.dead_lettered);
        add(&self.duplicates, summary.duplicates);
        add(&self.alerts, outputs.alerts.len());
        add(&self.commands, outputs.commands.len());
        let mut scored = self.scored.lock().unwrap_or_else(PoisonError::into_inner);
        for (equipment, scorer, rows) in &summary.scored {
            let key = (Arc::clone(equipment), Arc::clone(scorer));
            if scored.len() < MOST_SCORED || scored.contains_key(&key) {
                *scored.entry(key).or_default() += *rows as u64;
            }
        }
    }

    /// Which scorer gave how many rows of which equipment model their score.
    pub fn scored(&self) -> Scored {
        self.scored.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads all of them.
    pub fn read(&self) -> Reading {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Reading {
            batches: get(&self.batches),
            events: get(&self.events),
            committed: get(&self.committed),
            dead_lettered: get(&self.dead_lettered),
            duplicates: get(&self.duplicates),
            alerts: get(&self.alerts),
            commands: get(&self.commands),
        }
    }
}
