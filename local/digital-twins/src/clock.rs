//! Times as the service writes them.

use chrono::{DateTime, SecondsFormat, Timelike, Utc};

/// Now, with 7 fractional digits and `Z`, as in `2026-01-31T12:00:00.1234567Z`.
pub(crate) fn now() -> String {
    format(Utc::now())
}

/// Now, in the form that upload times of models have: `+00:00` in place of `Z`.
pub(crate) fn now_with_offset() -> String {
    now().replace('Z', "+00:00")
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    Utc::now().timestamp_micros()
}

/// Microseconds since 1970 as the service writes times.
pub(crate) fn from_us(us: i64) -> String {
    format(DateTime::from_timestamp_micros(us).unwrap_or_default())
}

/// Now, as headers of HTTP have it.
pub(crate) fn http_date() -> String {
    Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(crate) fn format(time: DateTime<Utc>) -> String {
    let seconds = time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let ticks = (time.nanosecond() % 1_000_000_000) / 100;
    format!("{}.{ticks:07}Z", seconds.trim_end_matches('Z'))
}

/// Reads an RFC 3339 time and writes it as the service does.
pub(crate) fn normalise(text: &str) -> Option<String> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| format(time.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_digits() {
        assert_eq!(
            normalise("2026-01-31T12:00:00.123+01:00").as_deref(),
            Some("2026-01-31T11:00:00.1230000Z")
        );
        assert_eq!(now().len(), "2026-01-31T11:00:00.1230000Z".len());
    }
}
