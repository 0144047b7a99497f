//! Faults that people labelled: a candidate has to find what the baseline in force finds.

use twinwright_kernels::{Baseline, status};

use crate::calibrate::run_named;
use crate::{Matrix, TrainError};

/// Share of a fault's rows above the limit from which it counts as found.
const FOUND: f64 = 0.1;
/// And so many times the share of normal rows above it: whoever always warns finds nothing.
const ABOVE_USUAL: f64 = 2.0;

/// A stretch of time in which something was wrong with one device.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// The device's rows, with some from before the fault that fill the windows.
    pub rows: Matrix<'a>,
    /// Beginning of the fault, µs UTC.
    pub from: i64,
    /// Its end, µs UTC.
    pub to: i64,
}

/// What a baseline made of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Faults in which rows were scored.
    pub(crate) scored: usize,
    /// Those of them that were found.
    pub(crate) found: usize,
}

/// Runs one scorer over each fault, beginning without state; `usual` is its share of normal rows above the limit.
pub(crate) fn found(
    baseline: &Baseline,
    scorer: &str,
    faults: &[Fault<'_>],
    usual: f64,
) -> Result<Found, TrainError> {
    let mut all = Found::default();
    let share = FOUND.max(ABOVE_USUAL * usual);
    for fault in faults {
        let rows = fault.rows.ordered(baseline.width())?;
        if rows.rows() == 0 {
            continue;
        }
        let answer = run_named(scorer, baseline, &rows)?;
        let during = |time: &i64| (fault.from..=fault.to).contains(time);
        let (mut scored, mut above) = (0_usize, 0_usize);
        for ((score, told), time) in answer.scores.iter().zip(&answer.status).zip(&rows.time) {
            if *told == status::OK && during(time) {
                scored += 1;
                above += usize::from(*score > 1.0);
            }
        }
        all.scored += usize::from(scored > 0);
        all.found += usize::from(scored > 0 && above as f64 >= share * scored as f64);
    }
    Ok(all)
}
