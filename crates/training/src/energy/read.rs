//! Loads by quarter of an hour: comma-separated, the time in the first column, the load in the second.
//!
//! A time is the end of its interval, `day/month/year hour:minute` or `year-month-day hour:minute`. Several files are
//! one series. `days_off.txt` beside them, a date a line (`year-month-day`), tells holidays and shutdowns that
//! were known beforehand. No other column is read: what was measured at the same moment must not help.

use std::collections::HashSet;
use std::path::Path;

use super::series::{self, Day, SLOTS, day_number};
use crate::{TrainError, files};

/// Reads a folder; no days where it has no such file.
///
/// # Errors
/// [`TrainError::File`] names the file and the line.
pub fn read(folder: &Path) -> Result<Vec<Day>, TrainError> {
    let listed = files::list(folder)?;
    let mut readings: Vec<(i64, usize, f64)> = Vec::new();
    for (_, path) in listed.iter().filter(|(name, _)| name.ends_with(".csv")) {
        readings.extend(read_file(path)?);
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
