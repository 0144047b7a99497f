//! The one place that reads the clock: functions read it once an invocation and hand the time on.

use std::time::{SystemTime, UNIX_EPOCH};

use twinwright_core::time::Micros;

/// Now, in microseconds since 1970, UTC.
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
