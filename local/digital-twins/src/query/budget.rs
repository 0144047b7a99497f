//! How long a query may work, and how long it may hold the lock of the graph at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A query lets writers in after so long.
const SLICE: Duration = Duration::from_millis(8);
/// Steps between two looks at the clock.
const STRIDE: u32 = 512;
/// Numbers that the paths of one stretch of several hops may take up, in all: 256 MB.
const MOST_REMEMBERED: u64 = 64 * 1024 * 1024;

/// Why a query was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// It took too long, or too much memory.
    Timeout,
    /// Nobody waits for the answer any more.
    Abandoned,
}

/// The work of one request.
#[derive(Debug)]
pub(crate) struct Budget {
    deadline: Instant,
    slice_ends: Instant,
    abandoned: Arc<AtomicBool>,
    slice: Duration,
    stride: u32,
    until_clock: u32,
    slice_over: bool,
    remembered: u64,
    /// Twins, relationships and paths looked at.
    pub(crate) examined: u64,
}

impl Budget {
    pub(crate) fn new(timeout: Duration, abandoned: Arc<AtomicBool>) -> Self {
        let now = Instant::now();
        Self {
            deadline: now + timeout,
            slice_ends: now + SLICE,
            abandoned,
            slice: SLICE,
            stride: STRIDE,
            until_clock: STRIDE,
            slice_over: false,
            remembered: 0,
            examined: 0,
        }
    }

    /// Lets writers in after every step, and looks at the clock each time.
    #[cfg(test)]
    pub(crate) fn hasty(self) -> Self {
        Self { slice: Duration::ZERO, stride: 1, until_clock: 1, ..self }
    }

    /// Begins the time for which the lock may be held.
    pub(crate) fn start_slice(&mut self) {
        self.slice_ends = Instant::now() + self.slice;
        self.slice_over = false;
    }

    /// True when the lock should be let go at the next occasion.
    pub(crate) fn slice_is_over(&self) -> bool {
        self.slice_over
    }

    /// Counts one step.
    pub(crate) fn step(&mut self) -> Result<(), GivenUp> {
        self.examined += 1;
        self.until_clock -= 1;
        if self.until_clock > 0 {
            return Ok(());
        }
        self.until_clock = self.stride;
        let now = Instant::now();
        self.slice_over = now >= self.slice_ends;
        if now >= self.deadline {
            return Err(GivenUp::Timeout);
        }
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(GivenUp::Abandoned);
        }
        Ok(())
    }

    /// Counts memory that a stretch of several hops takes.
    pub(crate) fn remember(&mut self, numbers: usize) -> Result<(), GivenUp> {
        self.remembered += numbers as u64;
        if self.remembered > MOST_REMEMBERED { Err(GivenUp::Timeout) } else { Ok(()) }
    }
}
