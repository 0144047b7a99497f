//! An IoT Hub on loopback that unmodified Microsoft device SDKs connect to.
//!
//! The hub speaks MQTT 3.1.1 over TLS to devices, keeps what they send in a durable log of partitions, and
//! offers the registry, twins and direct methods over HTTPS as the service does. It knows nothing of whoever
//! reads its events: [`LocalHub::events`] hands out a log with gapless sequence numbers, and that is all.
//!
//! - [`LocalHub`], [`HubConfig`]: start, stop, connection strings
//! - [`certs`]: a certificate authority and a server certificate, made once per folder
//! - [`ports`]: binds a port, and names the holder of a taken one
//! - [`sas`]: shared access signatures, made and checked
//! - [`bag`]: the property bag at the end of a telemetry topic
//! - [`events`]: the event log, one append-only file set per partition
//! - [`registry`]: device identities, keys, twins and policies
//! - `connections`: who is online, kicks, direct methods in flight
//! - `mqtt`: one task per device connection
//! - `rest`: the service side over HTTPS

pub mod bag;
pub mod certs;
mod config;
mod connections;
mod error;
pub mod events;
mod files;
mod hub;
mod mqtt;
pub mod percent;
pub mod ports;
pub mod registry;
mod rest;
pub mod sas;

pub use config::HubConfig;
pub use connections::{MethodError, MethodReply};
pub use error::HubError;
pub use events::{EventLog, HubEvent, NewEvent};
pub use hub::LocalHub;
pub use registry::{Device, Registry};
