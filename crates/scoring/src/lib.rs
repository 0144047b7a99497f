//! The WebAssembly host: loads scorers, limits them, scores with them, swaps them.
//!
//! A scorer is foreign code. It gets no import but `log`, a bounded memory, a deadline, and its answers are
//! checked before anyone sees them; whatever it does ends in an error value and a fresh instance for the next
//! batch. [`engine`] holds the settings and the tick thread; [`loaded`] checks a component and knows its name;
//! [`instance`] is one running instance behind the domain's `Scorer` trait; [`native`] runs the built-in
//! kernels behind the same trait, among them the stand-in for a scorer that fails; [`registry`] is where a
//! scorer is swapped; `cache` keeps compiled machine code, and is the only place with unsafe code.
//!
//! What this crate must not know: partitions, alerts, storage, which scorer an equipment uses.

mod bindings;
mod cache;
pub mod engine;
mod error;
mod guest;
pub mod instance;
pub mod loaded;
pub mod native;
pub mod registry;
mod text;

pub use engine::{EngineConfig, ScoringEngine};
pub use error::LoadError;
pub use instance::WasmScorer;
pub use loaded::{Descriptor, LoadedScorer};
pub use native::{NativeScorer, StandIn};
pub use registry::ScorerRegistry;
