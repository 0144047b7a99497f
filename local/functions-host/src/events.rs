//! What one can observe of a running host.

use std::time::Duration;

use tokio::sync::broadcast;
use uuid::Uuid;

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Standard output of the handler, and `Logs` of a reply.
    Information,
    /// Standard error with "warn" in it, and what the host finds odd.
    Warning,
    /// Standard error, and what the host finds wrong.
    Error,
}

/// Something that happened. A slow reader loses the oldest ones (see [`broadcast`]).
#[derive(Debug, Clone, PartialEq)]
pub enum HostEvent {
    /// The child process runs; it may not listen yet.
    HandlerStarted {
        /// Process id; none for an external handler.
        pid: Option<u32>,
        /// New for every process.
        worker_id: Uuid,
    },
    /// The handler answered its first `GET /`.
    HandlerReady {
        /// Since the process was started.
        after: Duration,
    },
    /// The child process ended.
    HandlerExited {
        /// Exit code, when it was not a signal.
        code: Option<i32>,
        /// Whether this counts towards the limit that stops the host.
        counted: bool,
        /// Exit status and last lines of standard error.
        detail: String,
    },
    /// A call is about to be sent.
    InvocationStarted {
        /// Function name.
        function: String,
        /// The same for all retries of one invocation.
        id: Uuid,
    },
    /// The handler answered and all output bindings were written.
    InvocationSucceeded {
        /// Function name.
        function: String,
        /// Invocation id.
        id: Uuid,
        /// From the call until the outputs were written.
        duration: Duration,
    },
    /// The call, its reply or an output binding failed.
    InvocationFailed {
        /// Function name.
        function: String,
        /// Invocation id.
        id: Uuid,
        /// From the call until the failure.
        duration: Duration,
        /// What went wrong.
        cause: String,
    },
    /// A partition's position became durable.
    Checkpointed {
        /// Function name.
        function: String,
        /// Partition number.
        partition: u32,
        /// Last sequence number that will not be delivered again.
        sequence_number: i64,
    },
    /// A message failed too often and moved to the poison queue.
    QueueMessagePoisoned {
        /// Function name.
        function: String,
        /// The poison queue.
        queue: String,
        /// Id of the original message.
        id: String,
    },
    /// A line of the handler or of the host.
    Log {
        /// Severity.
        level: LogLevel,
        /// The function, when the line came in a reply's `Logs`.
        function: Option<String>,
        /// The line, cut to 16 KiB.
        line: String,
    },
    /// The host stopped.
    Stopped {
        /// Why.
        reason: String,
    },
}

/// The host's own end of the event channel.
#[derive(Debug, Clone)]
pub(crate) struct Events(broadcast::Sender<HostEvent>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(4096).0)
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<HostEvent> {
        self.0.subscribe()
    }

    pub(crate) fn emit(&self, event: HostEvent) {
        // Nobody listening is fine: events are for observers only.
        let _ = self.0.send(event);
    }

    pub(crate) fn log(&self, level: LogLevel, function: Option<&str>, line: impl Into<String>) {
        let line = line.into();
        match level {
            LogLevel::Information => tracing::info!(target: "handler", function, "{line}"),
            LogLevel::Warning => tracing::warn!(target: "handler", function, "{line}"),
            LogLevel::Error => tracing::error!(target: "handler", function, "{line}"),
        }
        self.emit(HostEvent::Log { level, function: function.map(str::to_owned), line });
    }
}
