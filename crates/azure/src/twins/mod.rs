//! Azure Digital Twins' data plane, version 2023-10-31: twins, relationships, models, query, telemetry.
//!
//! Reads and replacements are retried; [`TwinsClient::patch_twin`] is not, because its caller coalesces: while a patch
//! waits, newer values take its place.

mod client;
mod component;
mod decommission;
mod jobs;
mod model;
mod pages;
mod patch;
mod relationship;
mod routes;
mod types;
mod wire;

pub use client::TwinsClient;
pub use jobs::ImportJob;
pub use pages::{Page, Pages};
pub use routes::EventRoute;
pub use types::{IncomingRelationship, Model, PatchOutcome, Relationship, Twin};

/// The version of the REST contract that is spoken.
pub const API_VERSION: &str = "2023-10-31";
