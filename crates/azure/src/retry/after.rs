use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDateTime};

/// Longest wait that is believed; a service that asks for more is taken to ask for this.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads a `Retry-After` header: seconds, or an HTTP date (RFC 9110, section 10.2.3) seen from `now`.
/// Nonsense is `None`; a date in the past is no wait at all.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let seconds = DateTime::parse_from_rfc2822(value)
        .map(|date| date.timestamp())
        // The two older forms that receivers must still read.
        .or_else(|_| {
            let older = NaiveDateTime::parse_from_str(value, "%A, %d-%b-%y %H:%M:%S GMT");
            older
                .or_else(|_| NaiveDateTime::parse_from_str(value, "%a %b %e %H:%M:%S %Y"))
                .map(|d| d.and_utc().timestamp())
        })
        .ok()?;
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?);
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST))
}
