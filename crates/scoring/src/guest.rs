//! What a running instance can reach: its limits, and a log line.

use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};

use crate::bindings::twinwright::scoring::log::{Host, Level};
use crate::engine::EngineConfig;
use crate::text::tame;

/// Lines that one call may log.
const LINES_A_CALL: u32 = 20;

/// The data of an instance's store.
pub(crate) struct Guest {
    pub(crate) id: String,
    limits: StoreLimits,
    lines: u32,
    dropped: u64,
    memory_refused: Option<usize>,
}

impl Guest {
    pub(crate) fn new(id: String, config: &EngineConfig) -> Self {
        let limits = StoreLimitsBuilder::new()
            .memory_size(config.memory_limit)
            .table_elements(config.table_elements)
            .build();
        Self { id, limits, lines: 0, dropped: 0, memory_refused: None }
    }

    /// Before a call: a new allowance of log lines.
    pub(crate) fn begin(&mut self) {
        self.lines = 0;
        self.memory_refused = None;
    }

    /// After a call: says how much was dropped.
    pub(crate) fn end(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(target: "scorer", scorer = %self.id, dropped = self.dropped, "log lines dropped");
            self.dropped = 0;
        }
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
        if !allowed {
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
