//! Alerts and commands as create-only documents: their history is their audit trail, and every process of the app
//! (and a person with a file browser) reads the same.

pub mod alerts;
pub mod commands;
mod journal;

pub use alerts::{AlertStore, AlertView};
pub use commands::{CommandStore, CommandView};
