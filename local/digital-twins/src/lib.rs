//! A local Azure Digital Twins data plane: models, twins, relationships, patches and queries over HTTPS.
//!
//! [`LocalTwins`] starts and stops the service. `store` holds the graph in memory, behind a journal in a folder, and
//! decides what is allowed; it knows nothing of HTTP. `query` is the query language, `explorer` the
//! page that shows the graph.
//! `http` turns requests into calls of the store and answers as the service does, errors included. `limits` counts
//! requests against the service's published limits. Nothing here knows the rest of Twinwright: any client of
//! Azure Digital Twins can use it alone.
//!
//! Source: the Azure Digital Twins data plane REST API 2023-10-31, "Azure Digital Twins service limits", and the
//! reference pages of its query language.

mod answer;
mod clock;
mod config;
mod events;
mod explorer;
mod http;
mod journal;
mod limits;
mod patch;
mod query;
mod server;
mod store;
mod token;
mod twin;

pub use config::{Limits, Outage, TwinsConfig, TwinsError};
pub use events::{TwinEvent, TwinEventKind};
pub use query::{QueryError, QueryLimits};
pub use server::LocalTwins;

/// Parses a query and says what is wrong with it, without running it.
pub fn check_query(text: &str) -> Result<(), QueryError> {
    query::parse(text, &QueryLimits::default()).map(|_| ())
}
