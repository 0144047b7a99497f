//! A hub on free ports, and real MQTT and HTTPS clients against it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

mod durability;
mod hostile;
mod methods;
mod service;
mod sessions;
mod support;
mod telemetry;
mod throughput;
