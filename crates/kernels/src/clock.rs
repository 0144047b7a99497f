//! Where a row stands in a device's time.

/// Consecutive rows far in the past after which the past is believed: a single row with a wild future time must
/// not lock a device out for ever.
const BELIEVE_AFTER: u16 = 10;

/// Newest event time of a device and the rows that contradict it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) newest: Option<i64>,
    pub(crate) contradictions: u16,
}

/// What a row's time means for the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on.
    Continue,
    /// The state starts anew with this row.
    Reset,
    /// The row is too old to belong to the state.
    Refuse,
}

impl Clock {
    pub(crate) fn step(&mut self, time: i64, gap: i64) -> Step {
        let Some(newest) = self.newest else {
            self.newest = Some(time);
            return Step::Continue;
        };
        let elapsed = time.saturating_sub(newest);
        if elapsed < -gap {
            self.contradictions = self.contradictions.saturating_add(1);
            if self.contradictions < BELIEVE_AFTER {
                return Step::Refuse;
            }
        }
        self.contradictions = 0;
        if elapsed.saturating_abs() > gap {
            self.newest = Some(time);
            return Step::Reset;
        }
        self.newest = Some(newest.max(time));
        Step::Continue
    }
}

/// Seconds of the baseline as µs.
pub(crate) fn gap_micros(seconds: f64) -> i64 {
    // At most 1e15 by the baseline's validation, so the cast is exact enough and never wraps.
    (seconds * 1e6) as i64
}
