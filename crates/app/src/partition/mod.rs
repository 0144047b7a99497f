//! A partition's state and the steps that change it. [`state`] is what a snapshot holds; [`check`] and [`apply`] are
//! the pure steps 2 and 4 to 6; [`ingest`] brings the IO: commit and reply; `replay` the cold start,
//! `look_back` states for scorers that cannot read the one of before.

pub mod apply;
pub mod check;
pub mod ingest;
mod look_back;
mod replay;
pub mod scorer;
pub mod state;

#[cfg(test)]
mod tests;
