//! Time as the system keeps it: microseconds since the Unix epoch, UTC.

use chrono::{DateTime, SecondsFormat, Utc};

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// One second in [`Micros`].
pub const SECOND: Micros = 1_000_000;

/// Writes a time as RFC 3339 with microseconds and `Z`, e.g. `2026-11-22T10:00:00.000000Z`.
///
/// Times outside chrono's range (about ±262,000 years) are written as the epoch: no device clock is that wrong
/// without having been dead-lettered before.
pub fn iso(time: Micros) -> String {
    DateTime::<Utc>::from_timestamp_micros(time)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Reads ISO 8601 text; without an offset it is UTC, as `datetime.utcnow().isoformat()` of Python writes it.
pub fn parse_iso(text: &str) -> Option<Micros> {
    fast_iso(text.as_bytes()).or_else(|| {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|t| t.timestamp_micros())
            .or_else(|| text.parse::<chrono::NaiveDateTime>().ok().map(|t| t.and_utc().timestamp_micros()))
    })
}

/// The common shape `YYYY-MM-DDTHH:MM:SS[.ffffff…][Z]`, without going through chrono's general parser: this runs
/// once an event on the hot path.
fn fast_iso(text: &[u8]) -> Option<Micros> {
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    if text.len() < 19 || text[4] != b'-' || text[7] != b'-' || !matches!(text[10], b'T' | b' ') {
        return None;
    }
    if text[13] != b':' || text[16] != b':' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        text[range].iter().try_fold(0_i64, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 || year < 1 {
        return None;
    }
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let fraction = match text.get(19) {
        None => 0,
        Some(b'.') if text.len() > 20 => {
            let digits = &text[20..];
            if !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            (0..6).fold(0, |value, i| value * 10 + digits.get(i).map_or(0, |d| i64::from(d - b'0')))
        }
        Some(_) => return None,
    };
    Some(
        (days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * SECOND
            + fraction,
    )
}

/// Days since 1970-01-01 of a proleptic Gregorian date; months counted from March so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_devices_write() {
        for (text, expected) in [
            ("1970-01-01T00:00:00", Some(0)),
            ("1970-01-01T00:00:01.5Z", Some(1_500_000)),
            ("2024-02-29T12:00:00.123456789Z", Some(1_709_208_000_123_456)),
            ("2024-02-29T14:00:00+02:00", Some(1_709_208_000_000_000)),
            ("2023-02-29T12:00:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_iso(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(time in -62_000_000_000_000_000_i64..200_000_000_000_000_000) {
            prop_assert_eq!(parse_iso(&iso(time)), Some(time));
        }
    }
}
