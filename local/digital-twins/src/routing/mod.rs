//! Event routes: from a change of the graph to endpoints outside.
//!
//! A route names an endpoint and a filter. An event that a filter lets through is written to the database in the same
//! transaction as the change that caused it, and stays there until the endpoint has taken it: a killed process
//! delivers it after its restart. So events arrive at least once, in order for each endpoint, under the same id.
//! What an endpoint refuses for good, or keeps refusing, becomes a dead letter: a line in a file, with the reason.
//!
//! Source: the pages "Event notifications", "Create event routes and filters" and "Endpoints and event routes" of Azure
//! Digital Twins; CloudEvents 1.0.

mod cloud_event;
mod dead_letters;
mod deliver;
mod endpoint;
mod filter;
mod partition_log;
mod post;
mod queues;
mod route;

pub use cloud_event::CloudEvent;
pub(crate) use dead_letters::DeadLetters;
pub(crate) use deliver::deliver;
pub(crate) use endpoint::open_sink;
pub use endpoint::{Delivery, EndpointConfig, EndpointKind, EventGridSchema, EventSink, SendError};
pub(crate) use queues::{Queue, Queues};
pub(crate) use route::{CompiledRoute, EventRoute, check_route_id};

/// Parses the filter of an event route and says what is wrong with it.
///
/// # Errors
/// A sentence that names the place and the fix.
pub fn check_filter(text: &str) -> Result<(), String> {
    filter::parse(text).map(|_| ())
}
