//! Clients of Azure's REST services. This is the only crate of Twinwright that knows Azure's REST contracts, and it
//! knows nothing of telemetry, frames or alerts: callers hand over ids, JSON and text, and get typed outcomes back.
//!
//! | Module | What it is |
//! |---|---|
//! | [`twins`] | Azure Digital Twins: twins, relationships, models, query, telemetry |
//! | [`hub`] | IoT Hub's service side: device identities and direct methods |
//! | [`notify`] | signed webhooks, Teams, e-mail, Event Grid |
//! | [`identity`] | where tokens come from, cached and renewed |
//! | [`connection`] | IoT Hub connection strings and shared access signatures |
//! | [`retry`] | the one retry policy: a pure decision and a thin loop |
//! | [`http`] | time-outs, extra certificate authorities, bounds on answers |
//! | [`secret`] | values that never show in logs, and the files they are read from |
//!
//! Every error is an [`Error`]; those of a service say what was tried, how often and for how long. No secret, token
//! or signed address shows in any `Debug` or `Display` output.

pub mod connection;
mod encode;
mod error;
pub mod http;
pub mod hub;
pub mod identity;
pub mod notify;
pub mod retry;
pub mod secret;
pub mod twins;

pub use error::{Error, ServiceError};
