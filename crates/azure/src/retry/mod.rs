//! The one retry policy: bounded exponential back-off with full jitter under a total deadline. [`RetryPolicy::decide`]
//! is a pure function of what happened; [`run`] is the thin loop around it.
//!
//! A call is tried again only if that cannot do harm: it never reached the service, or the service refused it unread
//! (429, or 503 with `Retry-After`), or doing it twice equals doing it once ([`Safety::Idempotent`]).

mod after;
mod run;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

pub use after::retry_after;
pub use run::run;

use crate::{Error, ServiceError};

/// How often, how fast and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all; 1 means no retry.
    pub attempts: u32,
    /// Upper bound of the first wait; it doubles with every attempt.
    pub first_wait: Duration,
    /// Upper bound of every wait that the service did not ask for.
    pub longest_wait: Duration,
    /// All attempts and waits together take no longer than this.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
            deadline: Duration::from_secs(90),
        }
    }
}

/// Whether doing a call twice equals doing it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// It does.
    Idempotent,
    /// It does not: try again only when the service certainly did not act.
    Once,
}

/// Why an attempt failed.
#[derive(Debug)]
pub enum Failure {
    /// The connection could not be made: the service has not seen the call.
    NotSent(String),
    /// The connection broke or timed out: the service may have acted.
    Lost(String),
    /// The service answered with a failure that may pass.
    Refused(Box<ServiceError>),
    /// Trying again cannot help.
    Final(Error),
}

/// How often and how long something was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// Attempts made.
    pub attempts: u32,
    /// Time from the first attempt's start to the last one's end.
    pub elapsed: Duration,
}

impl fmt::Display for Tried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "" } else { "s" };
        write!(formatter, "after {} attempt{plural} in {:.1} s", self.attempts, self.elapsed.as_secs_f64())
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Wait so long, then try again.
    Wait(Duration),
    /// Give up.
    Stop,
}

impl RetryPolicy {
    /// Decides after a failure. `jitter` is a random number in 0..1.
    ///
    /// A wait that the service asked for is never cut short: if it does not fit the deadline, the answer is to stop, and the
    /// caller finds the wait in the error.
    #[must_use]
    pub fn decide(&self, safety: Safety, tried: Tried, failure: &Failure, jitter: f64) -> Decision {
        let asked = match failure {
            Failure::Final(_) => return Decision::Stop,
            Failure::NotSent(_) => None,
            Failure::Lost(_) if safety == Safety::Once => return Decision::Stop,
            Failure::Lost(_) => None,
            Failure::Refused(service) => {
                let unread =
                    service.status == 429 || (service.status == 503 && service.retry_after.is_some());
                let may_pass = matches!(service.status, 408 | 429 | 500 | 502 | 503 | 504);
                if !may_pass || (safety == Safety::Once && !unread) {
                    return Decision::Stop;
                }
                service.retry_after
            }
        };
        if tried.attempts >= self.attempts {
            return Decision::Stop;
        }
        let doubled = self.first_wait.saturating_mul(2_u32.saturating_pow(tried.attempts.saturating_sub(1)));
        let back_off = doubled.min(self.longest_wait).mul_f64(jitter.clamp(0.0, 1.0));
        // The jitter goes on top of a wait that was asked for, so that callers do not come back all at once.
        let wait = asked.map_or(back_off, |asked| asked.saturating_add(back_off.min(self.first_wait)));
        if tried.elapsed.saturating_add(wait) >= self.deadline {
            Decision::Stop
        } else {
            Decision::Wait(wait)
        }
    }
}
