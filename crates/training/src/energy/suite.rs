//! Loads by quarter of an hour: comma-separated, the time in the first column, the load in the second.
//!
//! A time is the end of its interval, `day/month/year hour:minute` or `year-month-day hour:minute`. Several files are
//! one series. `days_off.txt` beside them, a date a line (`year-month-day`), tells holidays and shutdowns that
//! were known beforehand. No other column is read: what was measured at the same moment must not help.
//! Protocol: told at midnight for the 96 quarters of an hour that follow, fitted anew every week on all days before.

use std::collections::HashSet;
use std::path::Path;

use super::series::{self, Day, SLOTS, day_number};
use super::{EnergyOptions, fit, walk_forward};
use crate::learners::bootstrap;
use crate::report::Report;
use crate::{TrainError, files};

/// Measures the series in a folder.
///
/// # Errors
/// [`TrainError`] where there is no such file or too few days.
pub fn run(folder: &Path, options: &EnergyOptions) -> Result<Report, TrainError> {
    let days = read(folder)?;
    let mut report = Report::new("steel");
    let lived = walk_forward(&days, options)?;
    let model = fit("steel", &days, options)?;
    let first = lived.first;
    let truth = &days[first..];
    let count = truth.len();
    let error = |forecasts: &[Vec<f64>], which: &[usize]| relative_error(forecasts, truth, which);
    let all: Vec<usize> = (0..count).collect();
    let interval = bootstrap(count, 3, |draw| error(&lived.load, draw));
    report.tell_with("steel_day_ahead_cv_rmse", error(&lived.load, &all), "%", interval);
    let last = &all[count - count.div_ceil(4)..];
    report.tell("steel_day_ahead_cv_rmse_last_quarter", error(&lived.load, last), "%");
    let level = |day: &[f64]| vec![series::mean(day.iter().copied()); SLOTS];
    let by_day: Vec<Vec<f64>> = lived.load.iter().map(|day| level(day)).collect();
    let days_truth: Vec<Day> =
        truth.iter().map(|day| Day { load: level(&day.load), ..day.clone() }).collect();
    report.tell("steel_day_total_cv_rmse", relative_error(&by_day, &days_truth, &all), "%");
    let inside = |(forecast, truth): (&f64, &f64)| {
        let (low, high) = model.bands.interval(*forecast, 0.9);
        truth.is_finite().then_some(low <= *truth && *truth <= high)
    };
    let held: Vec<bool> = lived
        .load
        .iter()
        .zip(truth)
        .flat_map(|(forecast, day)| forecast.iter().zip(&day.load).filter_map(inside))
        .collect();
    let share = held.iter().filter(|held| **held).count() as f64 / held.len().max(1) as f64;
    report.tell("steel_interval_coverage", 100.0 * share, "% of 90, in sample");
    report.tell("steel_days", count as f64, "days");
    let past = |back: usize| -> Vec<Vec<f64>> {
        (first..days.len()).map(|at| days[at - back].load.clone()).collect()
    };
    report.control("steel_cv_rmse_yesterday", error(&past(1), &all), "%");
    report.control("steel_cv_rmse_last_week", error(&past(7), &all), "%");
    let weeks: Vec<Vec<Vec<f64>>> = [7, 14, 21, 28].map(past).into();
    let mean: Vec<Vec<f64>> = (0..count)
        .map(|day| (0..SLOTS).map(|slot| series::mean(weeks.iter().map(|week| week[day][slot]))).collect())
        .collect();
    report.control("steel_cv_rmse_mean_of_four_weeks", error(&mean, &all), "%");
    report.notes.push(
        "root mean squared error over the mean load; forecasts from midnight, no same-moment column"
            .to_owned(),
    );
    let document = serde_json::to_vec(&model).map_err(TrainError::numeric)?;
    report.models.push(("day-ahead-load".to_owned(), document));
    Ok(report)
}

/// Root mean squared error of some days over their mean load, in %; absent values on either side are left out.
fn relative_error(forecasts: &[Vec<f64>], truth: &[Day], which: &[usize]) -> f64 {
    let (mut squares, mut sum, mut count) = (0.0, 0.0, 0.0);
    for &day in which {
        for (forecast, truth) in forecasts[day].iter().zip(&truth[day].load) {
            let error = forecast - truth;
            if error.is_finite() {
                squares += error * error;
                sum += truth;
                count += 1.0;
            }
        }
    }
    100.0 * (squares / count).sqrt() / (sum / count)
}

/// Reads a folder.
///
/// # Errors
/// [`TrainError::File`] names the file and the line.
pub fn read(folder: &Path) -> Result<Vec<Day>, TrainError> {
    let listed = files::list(folder)?;
    let mut readings: Vec<(i64, usize, f64)> = Vec::new();
    for (_, path) in listed.iter().filter(|(name, _)| name.ends_with(".csv")) {
        readings.extend(read_file(path)?);
    }
    if readings.is_empty() {
        return Err(TrainError::file(folder, "it has no .csv files with a time and a load in each line"));
    }
    let mut off = Vec::new();
    if let Some((_, path)) = listed.iter().find(|(name, _)| name == "days_off.txt") {
        for (at, line) in files::text(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let numbers = numbers(line);
            let day = match numbers.as_slice() {
                [year, month, day] => day_number(*year, *month, *day),
                _ => None,
            };
            off.push(day.ok_or_else(|| {
                TrainError::file(path, format!("line {}: a date is year-month-day", at + 1))
            })?);
        }
    }
    series::days(&readings, &off)
}

fn numbers(text: &str) -> Vec<i64> {
    let parts = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.filter_map(|part| part.parse().ok()).collect()
}

fn read_file(path: &Path) -> Result<Vec<(i64, usize, f64)>, TrainError> {
    let text = files::text(path)?;
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()).collect();
    let day_first = day_first(&lines);
    let mut readings = Vec::with_capacity(lines.len());
    let mut before: Option<(i64, i64)> = None;
    let mut seen = HashSet::new();
    for (at, line) in lines {
        let bad = |what: &str| TrainError::file(path, format!("line {}: {what}", at + 1));
        let mut fields = line.split(',');
        let (Some(time), Some(load)) = (fields.next(), fields.next()) else {
            return Err(bad("there must be a time and a load"));
        };
        let parts = numbers(time);
        let (&[a, b, c, hour, minute] | &[a, b, c, hour, minute, _]) = parts.as_slice() else {
            return Err(bad("the time must be like 31/12/2018 23:45 or 2018-12-31 23:45"));
        };
        let (year, month, day) = match (a > 31, day_first) {
            (true, _) => (a, b, c),
            (_, true) => (c, b, a),
            (_, false) => (c, a, b),
        };
        let day = day_number(year, month, day).ok_or_else(|| bad("there is no such date"))?;
        let minutes = hour * 60 + minute;
        if !(0..1_440).contains(&minutes) {
            return Err(bad("there is no such time of day"));
        }
        // An interval that ends at midnight belongs to the day that ends; some files name that day, some the next.
        let (day, slot) = match (minutes, before) {
            (0, Some((last, 1_380..=1_439))) => (last, SLOTS - 1),
            (0, _) => (day - 1, SLOTS - 1),
            _ => (day, ((minutes - 1) / 15) as usize),
        };
        before = Some((day, minutes));
        let load = files::number(load, path, at)?;
        if seen.insert((day, slot)) {
            readings.push((day, slot, load));
        }
    }
    Ok(readings)
}

/// Whether dates with slashes begin with the day: so unless a second number is above 12.
fn day_first(lines: &[(usize, &str)]) -> bool {
    !lines.iter().any(|(_, line)| {
        let parts = numbers(line.split(',').next().unwrap_or_default());
        parts.first().is_some_and(|first| *first <= 31) && parts.get(1).is_some_and(|second| *second > 12)
    })
}
