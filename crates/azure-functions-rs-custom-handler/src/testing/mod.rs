//! Bodies as the Functions host writes them, for tests, benchmarks and hosts that stand in for the real one.
//!
//! The host turns each value of `Data` and `Metadata` into JSON by one rule: bytes become base64, times lose
//! their fraction, objects stay objects, and everything else (strings, numbers, arrays) becomes a JSON string
//! that holds JSON text.

mod body;
mod event;

pub use body::{BatchOptions, Cardinality, event_hub_body, queue_body, timer_body};
pub use event::EventSpec;
