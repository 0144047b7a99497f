//! The host against handlers in this process and against the example handler as a child process.

// Helpers outside of test functions may fail a test by a panic, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod conformance;
mod event_hub;
mod http;
mod lifecycle;
mod queue;
mod schedules;
mod support;
mod timer;
