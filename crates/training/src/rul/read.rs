//! The NASA turbofan files (C-MAPSS): `train_<set>.txt`, `test_<set>.txt`, `RUL_<set>.txt`, plain or `.gz`.

use std::path::Path;

use super::LifeRun;
use crate::{TrainError, files};

/// Columns: engine, cycle, 3 settings, 21 signals.
const COLUMNS: usize = 26;
const SETTINGS: usize = 3;
/// A cycle counts as an hour.
const HOUR: i64 = 3_600_000_000;

/// Runs to failure, runs cut short, and what remained of those.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    /// E.g. `FD001`.
    pub name: String,
    /// Whole lives.
    pub train: Vec<LifeRun>,
    /// Lives cut short.
    pub test: Vec<LifeRun>,
    /// Cycles that each of `test` had left.
    pub remaining: Vec<f64>,
}

/// Reads every whole set of a folder, by name; none where there are no such files.
///
/// # Errors
/// [`TrainError`] where a file is not of this form, or counts do not fit together.
pub fn sets(folder: &Path) -> Result<Vec<Set>, TrainError> {
    let listed = files::list(folder)?;
    let find = |name: String| listed.iter().find(|(known, _)| *known == name).map(|(_, path)| path);
    let names = listed.iter().filter_map(|(name, _)| name.strip_prefix("train_")?.strip_suffix(".txt"));
    let mut sets = Vec::new();
    for name in names {
        let of = |part: &str| find(format!("{part}_{name}.txt"));
        let (Some(train), Some(test), Some(truth)) = (of("train"), of("test"), of("RUL")) else { continue };
        let set = Set {
            name: name.to_owned(),
            train: engines(train)?,
            test: engines(test)?,
            remaining: remaining(truth)?,
        };
        if set.test.is_empty() || set.test.len() != set.remaining.len() {
            let cause =
                format!("{} remaining lives, but {} test engines", set.remaining.len(), set.test.len());
            return Err(TrainError::file(truth, cause));
        }
        sets.push(set);
    }
    Ok(sets)
}

/// Names of the columns: all signals, settings first, and the settings.
pub fn names() -> (Vec<String>, Vec<String>) {
    let settings: Vec<String> = (1..=SETTINGS).map(|at| format!("setting{at}")).collect();
    let rest = (1..=COLUMNS - 2 - SETTINGS).map(|at| format!("sensor{at}"));
    (settings.iter().cloned().chain(rest).collect(), settings)
}

/// Reads engines: lines of 26 numbers, engine by engine, cycle by cycle.
pub fn engines(path: &Path) -> Result<Vec<LifeRun>, TrainError> {
    let mut runs: Vec<(f64, LifeRun)> = Vec::new();
    for (at, line) in files::text(path)?.lines().enumerate() {
        let fields: Vec<f64> =
            line.split_whitespace().map(|field| files::number(field, path, at)).collect::<Result<_, _>>()?;
        if fields.is_empty() {
            continue;
        }
        if fields.len() != COLUMNS {
            let cause = format!("line {} has {} numbers instead of {COLUMNS}", at + 1, fields.len());
            return Err(TrainError::file(path, cause));
        }
        if runs.last().is_none_or(|(engine, _)| *engine != fields[0]) {
            runs.push((fields[0], LifeRun::default()));
        }
        if let Some((_, run)) = runs.last_mut() {
            run.time.push(fields[1] as i64 * HOUR);
            run.values.extend_from_slice(&fields[2..]);
        }
    }
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

fn remaining(path: &Path) -> Result<Vec<f64>, TrainError> {
    let text = files::text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| files::number(line, path, at)).collect()
}
