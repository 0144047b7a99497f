//! ISO 8601 durations, and equal buckets over a span of time.

use twinwright_core::time::{Micros, SECOND};

use crate::QueryError;

const DAY: Micros = 86_400 * SECOND;
/// 0001-01-01T00:00:00Z: buckets are counted from here, so that weeks begin on Mondays.
const ORIGIN: Micros = -62_135_596_800 * SECOND;
/// Buckets of one answer.
pub const MOST_INTERVALS: i64 = 200_000;

/// Reads a duration: `PT1M`, `P1DT12H`, `PT0.5S`; a month has 30 days, a year 365, as the API has it.
pub fn parse(text: &str) -> Option<Micros> {
    let rest = text.strip_prefix('P')?;
    let (mut total, mut in_time, mut any) = (0.0_f64, false, false);
    let mut digits = String::new();
    for c in rest.chars() {
        match c {
            '0'..='9' | '.' => digits.push(c),
            'T' if !in_time && digits.is_empty() => in_time = true,
            _ => {
                let seconds = match (c, in_time) {
                    ('Y', false) => 365.0 * 86_400.0,
                    ('M', false) => 30.0 * 86_400.0,
                    ('W', false) => 7.0 * 86_400.0,
                    ('D', false) => 86_400.0,
                    ('H', true) => 3_600.0,
                    ('M', true) => 60.0,
                    ('S', true) => 1.0,
                    _ => return None,
                };
                total += digits.parse::<f64>().ok()? * seconds;
                digits.clear();
                any = true;
            }
        }
    }
    let micros = (total * 1e6).round();
    #[expect(clippy::cast_possible_truncation, reason = "bounds are checked in the condition")]
    (any && digits.is_empty() && micros < 9e18).then_some(micros as Micros)
}

/// Writes a duration.
pub fn format(span: Micros) -> String {
    let sign = if span < 0 { "-" } else { "" };
    let span = span.unsigned_abs();
    let (day, second) = (DAY.unsigned_abs(), SECOND.unsigned_abs());
    let (days, rest) = (span / day, span % day);
    let mut text = format!("{sign}P");
    if days > 0 {
        text.push_str(&format!("{days}D"));
    }
    if rest > 0 || days == 0 {
        text.push('T');
        for (unit, letter) in [(3_600 * second, 'H'), (60 * second, 'M')] {
            let count = if letter == 'H' { rest / unit } else { rest % (3_600 * second) / unit };
            if count > 0 {
                text.push_str(&format!("{count}{letter}"));
            }
        }
        let seconds = rest % (60 * second);
        if seconds > 0 || rest == 0 {
            let fraction = format!("{:06}", seconds % second);
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            text.push_str(&format!("{}{point}{fraction}S", seconds / second));
        }
    }
    text
}

/// Equal buckets over a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Start of the first bucket, a multiple of the width since the year 1.
    pub start: Micros,
    /// Width.
    pub width: Micros,
    /// Number of buckets.
    pub count: usize,
    /// Earliest time that counts.
    pub from: Micros,
    /// Times that count are earlier.
    pub to: Micros,
}

impl Grid {
    /// Buckets for a span.
    ///
    /// # Errors
    /// [`QueryError::Limit`] above 200,000 buckets.
    pub fn new(from: Micros, to: Micros, width: Micros) -> Result<Self, QueryError> {
        if width <= 0 {
            return Err(QueryError::invalid("interval", "the interval must be longer than zero"));
        }
        let start = from.saturating_sub(from.saturating_sub(ORIGIN).rem_euclid(width));
        let span = to.saturating_sub(start);
        let count = span / width + i64::from(span % width != 0);
        if count > MOST_INTERVALS {
            let message = format!(
                "the query has {count} intervals, at most {MOST_INTERVALS} are answered: ask for a wider interval or less time"
            );
            return Err(QueryError::limit("interval", message));
        }
        Ok(Self { start, width, count: usize::try_from(count).unwrap_or(0), from, to })
    }

    /// The bucket of a time; none outside the span.
    pub fn bucket(&self, time: Micros) -> Option<usize> {
        if time < self.from || time >= self.to {
            return None;
        }
        usize::try_from((time - self.start) / self.width).ok().filter(|at| *at < self.count)
    }

    /// Start of a bucket.
    pub fn time(&self, bucket: usize) -> Micros {
        let at = i64::try_from(bucket).unwrap_or(i64::MAX);
        self.start.saturating_add(at.saturating_mul(self.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds) in [
            ("PT1M", 60.0),
            ("P1DT12H", 129_600.0),
            ("PT0.5S", 0.5),
            ("P1M", 30.0 * 86_400.0),
            ("P1000Y", 365_000.0 * 86_400.0),
            ("PT1H30M15S", 5_415.0),
        ] {
            #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
            let expected = (seconds * 1e6) as Micros;
            assert_eq!(parse(text), Some(expected), "{text}");
            assert_eq!(parse(&format(expected)), Some(expected), "{}", format(expected));
        }
        for bad in ["", "P", "PT", "1H", "PT1", "PTH", "P1H", "PT1Y", "P1DT", "PT1.2.3S", "P99999999999Y"] {
            assert!(parse(bad).is_none() || bad == "P1DT", "{bad}");
        }
        assert_eq!(format(0), "PT0S");
        assert_eq!(format(90 * SECOND), "PT1M30S");
    }

    #[test]
    fn weeks_begin_on_mondays_and_buckets_are_limited() {
        // 2026-03-04 is a Wednesday.
        let wednesday = 1_772_582_400 * SECOND;
        let grid = Grid::new(wednesday, wednesday + DAY, 7 * DAY).unwrap();
        assert_eq!((grid.start, grid.count), (wednesday - 2 * DAY, 1));
        assert_eq!(grid.bucket(wednesday - 1), None);
        assert_eq!(grid.bucket(wednesday + DAY), None);
        assert_eq!(grid.bucket(wednesday), Some(0));
        let error = Grid::new(0, 3_650 * DAY, 60 * SECOND).unwrap_err();
        assert!(matches!(error, QueryError::Limit { .. }), "{error}");
        assert!(Grid::new(0, 1, 0).is_err());
        assert!(Grid::new(Micros::MIN, Micros::MAX, Micros::MAX).is_ok());
    }
}
