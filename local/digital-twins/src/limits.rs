//! Counting requests against the limits of the service.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::answer::Refusal;
use crate::config::Limits;

const SECOND: Duration = Duration::from_secs(1);
/// Above this many gates the idle ones are swept.
const SWEEP_ABOVE: usize = 4096;

/// The times of the last requests, no more of them than the limit allows in a second.
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<Instant>);

impl Window {
    /// Counts one request now. False when the limit of the last second is reached.
    pub(crate) fn admit(&mut self, limit: u32, now: Instant) -> bool {
        if limit == 0 {
            return true;
        }
        while self.0.front().is_some_and(|first| now.duration_since(*first) >= SECOND) {
            self.0.pop_front();
        }
        let admitted = self.0.len() < limit as usize;
        if admitted {
            self.0.push_back(now);
        }
        admitted
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.0.back().is_none_or(|last| now.duration_since(*last) >= SECOND)
    }
}

/// What a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Patch,
    Create,
    Read,
    Query,
    Models,
}

/// Serialises the writes of one twin and counts them.
pub(crate) type Gate = Arc<Mutex<Window>>;

/// All counters of an instance.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    limits: Limits,
    classes: [Mutex<Window>; 5],
    gates: Mutex<HashMap<String, Gate>>,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Counts a request of a class, or refuses it.
    pub(crate) fn admit(&self, class: Class) -> Result<(), Refusal> {
        let (limit, code) = match class {
            Class::Patch => (self.limits.patches, None),
            Class::Create => (self.limits.creates, None),
            Class::Read => (self.limits.reads, None),
            Class::Query => (self.limits.queries, Some("QuotaReachedError")),
            Class::Models => (self.limits.models, None),
        };
        let mut window = self.classes[class as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if window.admit(limit, Instant::now()) {
            return Ok(());
        }
        Err(Refusal::throttled(
            code,
            format!("the instance takes {limit} such requests a second: retry after the given time"),
        ))
    }

    /// The gate of one twin. Whoever holds its lock is the only writer of that twin.
    pub(crate) fn gate(&self, twin: &str) -> Gate {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() > SWEEP_ABOVE && !gates.contains_key(twin) {
            let now = Instant::now();
            gates.retain(|_, gate| {
                Arc::strong_count(gate) > 1 || gate.try_lock().is_ok_and(|window| !window.is_idle(now))
            });
        }
        Arc::clone(gates.entry(twin.to_owned()).or_default())
    }

    /// Counts a write of one twin, or refuses it.
    pub(crate) fn admit_write(&self, window: &mut Window, twin: &str) -> Result<(), Refusal> {
        let limit = self.limits.writes_per_twin;
        if window.admit(limit, Instant::now()) {
            return Ok(());
        }
        Err(Refusal::throttled(
            None,
            format!(
                "the twin '{twin}' takes {limit} writes a second: gather changes into one patch and retry after the given time"
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_admits_its_limit_in_any_second() {
        let (mut window, start) = (Window::default(), Instant::now());
        assert!((0..10).all(|_| window.admit(10, start)));
        assert!(!window.admit(10, start + Duration::from_millis(999)));
        assert!(window.admit(10, start + Duration::from_millis(1000)));
    }
}
