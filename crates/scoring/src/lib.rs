//! The WebAssembly host: loads scorers, limits them, scores with them, swaps them.
//!
//! A scorer is foreign code. It gets no import but `log`, a bounded memory, a deadline, and its answers are
//! checked before anyone sees them; whatever it does ends in an error value and a fresh instance for the next
//! batch. [`engine`] holds the settings and the tick thread; [`loaded`] checks a component and knows its name;
//! [`instance`] is one running instance behind the domain's `Scorer` trait; [`native`] runs the built-in
//! kernels behind the same trait, among them the stand-in for a scorer that fails; [`registry`] is where a
//! scorer is swapped; `cache` keeps compiled machine code, and is the only place with unsafe code.
//!
//! How a scorer gets there: [`package`] is what is signed and verified before anything is parsed, `survey` bounds a
//! component before it is compiled, [`compiler`] compiles in a process of its own, [`conformance`] is the self-test,
//! and [`swap`] decides from what shadow and canary show whether a new version is promoted or rolled back.
//!
//! What this crate must not know: partitions, alerts, storage, which scorer an equipment uses.

mod bindings;
mod cache;
mod carried;
pub mod compiler;
pub mod conformance;
pub mod engine;
mod error;
mod guest;
pub mod instance;
pub mod loaded;
pub mod metrics;
pub mod native;
pub mod package;
pub mod registry;
mod survey;
pub mod swap;
mod text;

pub use engine::{EngineConfig, ScoringEngine};
pub use error::LoadError;
pub use instance::{Limits, WasmScorer};
pub use loaded::{Descriptor, LoadedScorer, has_hash};
pub use native::{NativeScorer, StandIn};
pub use registry::ScorerRegistry;
