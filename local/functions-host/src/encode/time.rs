//! Times as Json.NET writes them.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, Timelike, Utc};

/// ISO text without zone, the fraction with up to seven digits and no trailing zeros.
pub fn without_zone(time: DateTime<Utc>) -> String {
    // By hand: chrono's format strings take longer than the rest of an event's metadata.
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    let ticks = time.timestamp_subsec_nanos().min(999_999_999) / 100;
    if ticks > 0 {
        text.push('.');
        text.push_str(format!("{ticks:07}").trim_end_matches('0'));
    }
    text
}

/// The same with the offset of UTC.
pub fn with_offset(time: DateTime<Utc>) -> String {
    format!("{}+00:00", without_zone(time))
}

/// A time from microseconds since 1970; out of range becomes 1970.
pub fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A text that Json.NET takes for a date, and what kind of zone it had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JsonDate {
    /// No zone.
    Unspecified(NaiveDateTime),
    /// `Z`.
    Utc(DateTime<Utc>),
    /// An offset: becomes the host's local time, which is UTC in the cloud.
    Offset(DateTime<FixedOffset>),
}

impl JsonDate {
    /// Recognises `yyyy-MM-ddTHH:mm:ss[.fffffff][Z|±hh:mm]` and nothing else.
    pub fn recognise(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape =
            (19..=33).contains(&bytes.len()) && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':';
        if !shape || !text.is_ascii() {
            return None;
        }
        if text.ends_with('Z') {
            return DateTime::parse_from_rfc3339(text).ok().map(|time| Self::Utc(time.to_utc()));
        }
        match DateTime::parse_from_rfc3339(text) {
            Ok(time) => Some(Self::Offset(time)),
            Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(Self::Unspecified),
        }
    }

    /// As Json.NET writes it again.
    pub fn iso(&self) -> String {
        match self {
            Self::Unspecified(time) => without_zone(time.and_utc()),
            Self::Utc(time) => format!("{}Z", without_zone(*time)),
            Self::Offset(time) => with_offset(time.to_utc()),
        }
    }

    /// As .NET's invariant culture prints it.
    pub fn invariant(&self) -> String {
        let time = match self {
            Self::Unspecified(time) => *time,
            Self::Utc(time) => time.naive_utc(),
            Self::Offset(time) => time.naive_utc(),
        };
        time.format("%m/%d/%Y %H:%M:%S").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rewritten() {
        for (text, expected) in [
            ("2024-04-06T15:30:00.000Z", "2024-04-06T15:30:00Z"),
            ("2024-04-06T15:30:00.1230000", "2024-04-06T15:30:00.123"),
            ("2024-04-06T15:30:00+02:00", "2024-04-06T13:30:00+00:00"),
        ] {
            assert_eq!(JsonDate::recognise(text).unwrap().iso(), expected);
        }
        for text in
            ["2024-04-06", "20240406T153000Z", "2024-13-06T15:30:00Z", "hello", "2024-04-06 15:30:00Z"]
        {
            assert_eq!(JsonDate::recognise(text), None, "{text}");
        }
    }
}
