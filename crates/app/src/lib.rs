//! The way of an event: what the functions do, shared by Azure and the local platform; only ports differ.
//!
//! | Module | What it is |
//! |---|---|
//! | [`config`] | defaults, file, app settings; checked whole before the port opens |
//! | [`app`] | the parts put together |
//! | [`partition`] | a partition's state, the pure steps, and `ingest` with its IO |
//! | [`catalog`] | which scorer and baseline an equipment model uses |
//! | [`scorers`] | published scorers: packages, decisions, trials |
//! | [`patcher`] | twin updates on their way out |
//! | [`history`] | reading and compacting stored history |
//! | [`documents`] | alerts and commands as create-only documents |
//! | [`respond`] | sending a command to a device |
//! | [`train`] | from rows to a promoted baseline |
//! | [`watch`] | silent devices, twins that lag, commands that wait |
//! | [`functions`] | the routes that the host calls, and the API |
//! | [`ports`], [`adapters`] | the outside as traits, and Azure behind them |

pub mod adapters;
pub mod app;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod counters;
pub mod documents;
pub mod functions;
pub mod history;
pub mod kill;
pub mod messages;
pub mod partition;
pub mod patcher;
pub mod ports;
pub mod respond;
pub mod scorers;
pub mod scores;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod train;
pub mod watch;
