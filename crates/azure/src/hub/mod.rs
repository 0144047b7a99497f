//! IoT Hub's service side, version 2021-04-12: device identities and direct methods.

mod client;
mod method;
mod types;
mod wire;

pub use client::HubClient;
pub use types::{Device, MethodOutcome, NewDevice};

/// The version of the REST contract that is spoken.
pub const API_VERSION: &str = "2021-04-12";
