//! The domain of Twinwright, pure: no IO, no clock, no async.
//!
//! An invocation's events become a [`frame::Frame`] (columnar, one partition); [`quality`] flags and masks what
//! cannot be trusted; a [`scoring::Scorer`] turns rows into scores with contributions; [`alert`] decides what to
//! raise and clear; [`patch`] keeps the newest value of every twin and writes one JSON Patch each. Time always
//! comes from the events or from the invocation, so the same input gives the same state.

pub mod alert;
pub mod command;
pub mod decode;
pub mod frame;
pub mod gate;
pub mod outgoing;
pub mod patch;
pub mod policy;
pub mod quality;
pub mod scoring;
pub mod time;
