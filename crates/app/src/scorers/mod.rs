//! Scorers that people publish while the line runs: where packages and decisions are kept, how a release is loaded,
//! and what a partition needs so that shadow and canary work.
//!
//! [`registry`] keeps signed packages, [`decisions`] the numbered documents by which every instance comes to the same
//! standing, [`loader`] verifies, compiles and rehearses on stored rows, [`canary`] splits the rows of a batch, [`document`] tells what training wrote for them, [`trials`] carries verdicts back
//! into decisions, [`report`] what each scorer did and cost.

pub mod assets;
pub mod backtest;
pub mod canary;
pub mod decisions;
pub mod document;
pub mod loader;
pub mod registry;
mod rehearsal;
pub mod report;
#[cfg(test)]
mod tests;
pub mod trials;
