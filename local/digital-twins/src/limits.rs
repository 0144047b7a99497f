//! Counting requests against the limits of the service.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::answer::Refusal;
use crate::config::Limits;

const SECOND: Duration = Duration::from_secs(1);
/// Above this many twins the idle ones are swept.
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
    Routes,
    Jobs,
}

/// All counters of an instance.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    limits: Limits,
    classes: [Mutex<Window>; 7],
    twins: Mutex<HashMap<String, Window>>,
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
            Class::Routes => (self.limits.routes, None),
            Class::Jobs => (self.limits.jobs, None),
        };
        if limit == 0 {
            return Ok(());
        }
        let mut window = self.classes[class as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if window.admit(limit, Instant::now()) {
            return Ok(());
        }
        Err(Refusal::throttled(
            code,
            format!("the instance takes {limit} such requests a second: retry after the given time"),
        ))
    }

    /// Counts a write of one twin, or refuses it.
    pub(crate) fn admit_write(&self, twin: &str) -> Result<(), Refusal> {
        let limit = self.limits.writes_per_twin;
        if limit == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        if twins.len() > SWEEP_ABOVE && !twins.contains_key(twin) {
            twins.retain(|_, window| !window.is_idle(now));
        }
        if twins.entry(twin.to_owned()).or_default().admit(limit, now) {
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
