//! What each scorer of this process did and cost, and how much of each equipment model it serves: for `api/status`,
//! `twinwright doctor` and metrics.

use serde::Serialize;
use twinwright_scoring::LoadedScorer;
use twinwright_scoring::metrics::MetricsReading;

use super::loader::Loader;
use crate::counters::Scored;

/// One scorer since the process started.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScorerReport {
    /// `name@version`.
    pub scorer: String,
    /// Hash of its component.
    pub sha256: String,
    /// Calls and rows, in trials too; traps, deadlines, memory.
    pub calls: MetricsReading,
    /// Time a row, µs.
    pub micros_per_row: f64,
    /// The rows whose score counted.
    pub serves: Vec<Share>,
}

/// What a scorer gives an equipment model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Equipment model.
    pub equipment: String,
    /// Rows that it gave their score.
    pub rows: u64,
    /// Of all rows of the model with a score, 0 to 1; the stand-in's are among them.
    pub share: f64,
}

/// A report of each scorer in memory.
pub fn report(loader: &Loader, scored: &Scored) -> Vec<ScorerReport> {
    loader.all().iter().map(|loaded| one(loaded, scored)).collect()
}

fn one(loaded: &LoadedScorer, scored: &Scored) -> ScorerReport {
    let calls = loaded.metrics();
    let served = scored.iter().filter(|((_, scorer), _)| **scorer == *loaded.id());
    let share = |((equipment, _), &rows): (&(std::sync::Arc<str>, _), &u64)| {
        let all: u64 = scored.iter().filter(|((of, _), _)| of == equipment).map(|(_, rows)| rows).sum();
        Share { equipment: equipment.to_string(), rows, share: rows as f64 / all.max(1) as f64 }
    };
    ScorerReport {
        scorer: loaded.id().to_owned(),
        sha256: loaded.sha256().to_owned(),
        micros_per_row: calls.micros_per_row(),
        calls,
        serves: served.map(share).collect(),
    }
}
