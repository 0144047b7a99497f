//! What a running instance can reach: its limits, and a log line.

use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};

use crate::bindings::twinwright::scoring::log::{Host, Level};
use crate::text::tame;

/// Lines that one call may log.
const LINES_A_CALL: u32 = 20;

/// The data of an instance's store.
pub(crate) struct Guest {
    pub(crate) id: String,
    limits: StoreLimits,
    memory_limit: usize,
    memory: usize,
    lines: u32,
    dropped: u64,
    memory_refused: Option<usize>,
}

impl Guest {
    pub(crate) fn new(id: String, memory_limit: usize, table_elements: usize) -> Self {
        let limits =
            StoreLimitsBuilder::new().memory_size(memory_limit).table_elements(table_elements).build();
        Self { id, limits, memory_limit, memory: 0, lines: 0, dropped: 0, memory_refused: None }
    }

    /// Before a call: a new allowance of log lines.
    pub(crate) fn begin(&mut self) {
        self.lines = 0;
        self.memory_refused = None;
    }

    /// After a call: says how much was dropped, and answers it.
    pub(crate) fn end(&mut self) -> u64 {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            tracing::warn!(target: "scorer", scorer = %self.id, dropped, "log lines dropped");
        }
        dropped
    }

    /// Bytes of its largest memory.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// What its memory may grow to.
    pub(crate) fn memory_limit(&self) -> usize {
        self.memory_limit
    }

    /// The size in bytes that memory was refused to grow to during the call.
    pub(crate) fn memory_refused(&self) -> Option<usize> {
        self.memory_refused
    }
}

impl Host for Guest {
    fn log(&mut self, level: Level, message: String) {
        if self.lines >= LINES_A_CALL {
            self.dropped += 1;
            return;
        }
        self.lines += 1;
        let (scorer, message) = (&self.id, tame(&message));
        match level {
            Level::Trace => tracing::trace!(target: "scorer", %scorer, "{message}"),
            Level::Debug => tracing::debug!(target: "scorer", %scorer, "{message}"),
            Level::Info => tracing::info!(target: "scorer", %scorer, "{message}"),
            Level::Warn => tracing::warn!(target: "scorer", %scorer, "{message}"),
            Level::Error => tracing::error!(target: "scorer", %scorer, "{message}"),
        }
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = self.limits.memory_growing(current, desired, maximum)?;
        if allowed {
            self.memory = self.memory.max(desired);
        } else {
            self.memory_refused = Some(desired);
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }
}
