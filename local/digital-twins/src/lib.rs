//! A local Azure Digital Twins data plane over HTTPS: models, twins, relationships, queries, event routes and jobs.
//!
//! [`LocalTwins`] starts and stops the service. `store` holds the graph in memory and decides what is allowed; it
//! knows nothing of HTTP. `storage` is the database that makes its changes durable. `query` is the query language,
//! `explorer` the page that shows the graph. `routing` takes events to endpoints, `history` hands rows of the data history tables to
//! whoever stores them, `jobs` imports and deletes in bulk. `http` turns requests into calls of the store and answers
//! as the service does, errors included. `limits` counts requests against the service's published limits. Nothing here
//! knows the rest of Twinwright: any client of Azure Digital Twins can use it alone.
//!
//! Source: the Azure Digital Twins data plane REST API 2023-10-31, "Azure Digital Twins service limits", and the
//! reference pages of its query language.

mod answer;
mod background;
mod clock;
mod config;
mod events;
mod explorer;
mod history;
mod http;
mod jobs;
mod limits;
mod patch;
mod query;
mod routing;
mod server;
mod storage;
mod store;
mod token;
mod twin;

pub use config::{Limits, Outage, TwinsConfig, TwinsError};
pub use events::{TwinEvent, TwinEventKind, WireDocument};
pub use history::{
    HistoryBatch, HistoryRow, HistorySink, PropertyAction, PropertyEvent, RelationshipLifeCycleEvent,
    TwinLifeCycleEvent,
};
pub use jobs::{BlobAccount, JobSettings};
pub use query::{QueryError, QueryLimits};
pub use routing::{
    CloudEvent, Delivery, EndpointConfig, EndpointKind, EventGridSchema, EventSink, SendError, check_filter,
};
pub use server::LocalTwins;

/// Parses a query and says what is wrong with it, without running it.
pub fn check_query(text: &str) -> Result<(), QueryError> {
    query::parse(text, &QueryLimits::default()).map(|_| ())
}

/// Applies a JSON Patch to a twin's document with these components, as the service does before it checks the result
/// against the model; says what is wrong with the patch otherwise.
pub fn apply_patch(
    twin: &serde_json::Map<String, serde_json::Value>,
    components: &[String],
    patch: &serde_json::Value,
) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    let mut patched = twin.clone();
    let operations = patch::parse(patch).map_err(|refusal| refusal.message)?;
    patch::apply_to_twin(&mut patched, &operations, components).map_err(|refusal| refusal.message)?;
    Ok(patched)
}
