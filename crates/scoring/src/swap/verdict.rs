//! From evidence to a verdict.

use std::fmt;

use super::{Evidence, Stage, SwapPolicy, kolmogorov_smirnov, population_stability};

/// Calls of each version before their times are compared.
const MIN_TIMED: usize = 8;
/// A trial that has lasted so many times its length without enough to compare never will.
const PATIENCE: u32 = 20;
/// Rows above the limit that make an alert rate worth comparing.
const MIN_ABOVE: u64 = 20;
/// Rows that the version on trial failed to score before their share counts.
const MIN_MISSED: u64 = 100;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Go on watching.
    Continue,
    /// The stage was passed.
    Advance,
    /// Back to the version before.
    RollBack(Reason),
}

/// Why a version was rolled back.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// It cannot even be used: not loaded, not signed, or it failed its self-test.
    Unusable(String),
    /// Calls trapped, refused, or broke the contract.
    Failed {
        /// How many.
        calls: u32,
        /// What the last one said.
        last: String,
    },
    /// Calls past the deadline.
    Deadline {
        /// How many.
        calls: u32,
    },
    /// Much slower than the promoted version.
    Slow {
        /// 99th percentile of its microseconds for a row.
        candidate: f64,
        /// That of the promoted version.
        promoted: f64,
    },
    /// Its scores are distributed otherwise.
    Shifted {
        /// Population stability index.
        psi: f64,
        /// Kolmogorov–Smirnov distance.
        ks: f64,
    },
    /// It finds far more or far fewer rows above the limit.
    AlertRate {
        /// Rows above.
        candidate: u64,
        /// Those of the promoted version.
        promoted: u64,
    },
    /// It does not score what the promoted version scores.
    Unscored {
        /// Rows left out.
        missed: u64,
        /// Rows that both scored.
        both: u64,
    },
    /// The trial lasted long and gave too little to compare.
    NothingToCompare {
        /// Rows that both scored.
        both: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(cause) => write!(out, "it cannot be used: {cause}"),
            Self::Failed { calls, last } => write!(out, "{calls} calls failed, the last: {last}"),
            Self::Deadline { calls } => write!(out, "{calls} calls ran past their deadline"),
            Self::Slow { candidate, promoted } => {
                write!(
                    out,
                    "{candidate:.1} µs a row at the 99th percentile, the promoted one takes {promoted:.1}"
                )
            }
            Self::Shifted { psi, ks } => {
                write!(out, "its scores are distributed otherwise (PSI {psi:.2}, KS distance {ks:.2})")
            }
            Self::AlertRate { candidate, promoted } => {
                write!(out, "{candidate} rows above the limit where the promoted one finds {promoted}")
            }
            Self::Unscored { missed, both } => {
                write!(
                    out,
                    "it leaves out {missed} rows that the promoted one scores ({both} are scored by both)"
                )
            }
            Self::NothingToCompare { both } => {
                write!(out, "the trial lasted long, and only {both} rows were scored by both versions")
            }
        }
    }
}

/// Judges what a stage has shown so far. Asked after every batch; what it says depends on the evidence alone.
pub fn judge(stage: Stage, evidence: &Evidence, policy: &SwapPolicy) -> Verdict {
    if let Some(reason) = failing(evidence, policy) {
        return Verdict::RollBack(reason);
    }
    let batches = evidence.candidate.batches;
    let enough = match stage {
        Stage::Shadow => policy.shadow_batches,
        Stage::Canary => policy.canary_batches,
        Stage::Probation => {
            let over = batches >= policy.probation_batches;
            return if over { Verdict::Advance } else { Verdict::Continue };
        }
    };
    if let Some(reason) = differing(evidence, policy) {
        return Verdict::RollBack(reason);
    }
    if batches >= enough && evidence.both >= policy.min_rows {
        Verdict::Advance
    } else if batches >= enough.saturating_mul(PATIENCE) {
        Verdict::RollBack(Reason::NothingToCompare { both: evidence.both })
    } else {
        Verdict::Continue
    }
}

/// What needs no comparison of scores.
fn failing(evidence: &Evidence, policy: &SwapPolicy) -> Option<Reason> {
    let Evidence { promoted, candidate, .. } = evidence;
    if candidate.broken > policy.failures {
        return Some(Reason::Failed { calls: candidate.broken, last: candidate.last_error.clone() });
    }
    if candidate.deadlines > policy.deadlines {
        return Some(Reason::Deadline { calls: candidate.deadlines });
    }
    let (slow, usual) = (candidate.p99_row(), promoted.p99_row());
    let timed = candidate.timed().min(promoted.timed()) >= MIN_TIMED;
    if timed && slow > usual * policy.p99_ratio && candidate.p99_batch() > policy.p99_floor_us as f64 {
        return Some(Reason::Slow { candidate: slow, promoted: usual });
    }
    None
}

/// What does.
fn differing(evidence: &Evidence, policy: &SwapPolicy) -> Option<Reason> {
    let Evidence { promoted, candidate, both, missed } = evidence;
    if *missed >= MIN_MISSED && *missed as f64 > policy.unscored * (both + missed) as f64 {
        return Some(Reason::Unscored { missed: *missed, both: *both });
    }
    if *both < policy.min_rows {
        return None;
    }
    let (more, fewer) = (candidate.above.max(promoted.above), candidate.above.min(promoted.above));
    if more >= MIN_ABOVE && more as f64 > policy.alert_ratio * fewer as f64 {
        return Some(Reason::AlertRate { candidate: candidate.above, promoted: promoted.above });
    }
    let psi = population_stability(&promoted.scores, &candidate.scores);
    let (ks, chance) = kolmogorov_smirnov(&promoted.scores, &candidate.scores);
    (psi > policy.psi || (ks > policy.ks && ks > chance)).then_some(Reason::Shifted { psi, ks })
}
