//! A local Azure Functions host for custom handlers.
//!
//! It reads an app folder as the real host does (`host.json` and one folder with a `function.json` per function),
//! starts the custom handler as a child process, and calls it over HTTP with the same bytes: double-encoded
//! trigger data, metadata arrays, framing and headers. Event Hub, queue, timer and HTTP triggers are driven with the
//! real host's delivery rules: a batch is checkpointed whether or not the function succeeded unless a retry policy
//! holds it, a poisoned queue message moves aside, an empty 200 hangs until the function times out, the third
//! crash of the handler stops the host, and stopping is a SIGKILL.
//!
//! Module map
//! - [`settings`]: `host.json`, `function.json` and [`HostConfig`].
//! - [`ncrontab`]: six-field timer schedules.
//! - [`encode`]: what goes over the wire to the handler (pure).
//! - [`reply`]: what the handler's answer means (pure).
//! - [`source`], [`queues`]: the two ports, where events come from and where queue messages live.
//! - `checkpoint`: small durable documents, one per function and partition, one per timer.
//! - `handler`: the child process, its readiness, restarts and end.
//! - `invoke`: one invocation, with its timeout, retry policy and output bindings.
//! - `triggers`, `http`: what calls the functions.
//! - [`host`]: puts the parts together. `conductor`: ends them in order. [`events`]: what one can observe.
//!
//! Differences from the cloud, on purpose: authorisation levels are not checked (Core Tools does the same), schedules run
//! in UTC, exponential retry delays have no jitter, and a poll finds a new queue message within two seconds.
//!
//! It runs on Linux and macOS, where a process group and signals exist.

mod checkpoint;
mod conductor;
pub mod encode;
pub mod error;
pub mod events;
mod handler;
pub mod host;
mod http;
mod invoke;
pub mod ncrontab;
pub mod queues;
pub mod reply;
pub mod settings;
pub mod source;
mod triggers;

pub use error::{HostError, QueueError};
pub use events::{HostEvent, LogLevel};
pub use host::FunctionsHost;
pub use queues::{AzureQueues, FolderQueues, MessageEncoding, QueueMessage, QueueService};
pub use settings::{Bind, Framing, Handler, HostConfig};
pub use source::{EventSource, MemoryEventSource, SourceError, SourceEvent};
