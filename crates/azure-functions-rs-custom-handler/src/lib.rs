#![doc = include_str!("../README.md")]
//! # Map of the crate
//! - [`EventHubBatch`], [`TimerInvocation`], [`QueueInvocation`], [`HttpInvocation`]: one invocation of each
//!   trigger, decoded from the body that the host posts. They need no server and no runtime.
//! - [`EventHubTrigger`] and its siblings: the same as axum extractors, with [`InvocationContext`] for the headers.
//! - [`Reply`]: what the host may be answered, and nothing that would make it wait for ever.
//! - [`serve()`], [`HandlerPort`], [`terminated`]: port, readiness and orderly end of the process.
//! - [`testing`]: bodies as the host writes them, for tests and benchmarks.

mod context;
mod envelope;
mod error;
mod event_hub;
mod extract;
mod http;
mod logging;
mod queue;
mod reply;
mod scan;
mod serve;
mod spare;
pub mod testing;
mod time;
mod timer;

pub use context::{InvocationContext, TraceParent};
pub use envelope::{RetryContext, SystemMetadata};
pub use error::{DecodeError, MAX_DEPTH, Problem};
pub use event_hub::{BodyEncoding, DecodeOptions, Event, EventHubBatch};
pub use extract::{
    BindingName, BodyLimit, EventHubJsonTrigger, EventHubTextTrigger, EventHubTrigger, HttpTrigger,
    QueueTrigger, TimerTrigger, TriggerRejection,
};
pub use http::HttpInvocation;
pub use logging::log_to_stdout;
pub use queue::QueueInvocation;
pub use reply::{HttpOutput, Reply, ReplyError, would_be_decoded};
pub use serve::{
    DRAIN_LIMIT, HandlerPort, PORT_VARIABLE, ServeError, bind, handler, serve, serve_on, terminated,
};
pub use timer::{ScheduleStatus, TimerInvocation};
