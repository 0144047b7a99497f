//! A partition's state and the steps that change it. [`state`] is what a snapshot holds; [`check`] and [`apply`] are
//! the pure steps 2 and 4 to 6; [`ingest`] brings the IO: commit and reply; `replay` the cold start.

pub mod apply;
pub mod check;
pub mod ingest;
mod replay;
pub mod scorer;
pub mod state;

#[cfg(test)]
mod tests;
