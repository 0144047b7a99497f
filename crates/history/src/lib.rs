//! Stored history of Twinwright, and the only crate that knows Parquet, Arrow and object stores.
//!
//! Everything here rests on one primitive, the create-only PUT of [`store::Store::create`]: a batch becomes a
//! segment under a name that follows from the batch alone ([`segments::SegmentLog`]), agreement between instances is
//! the next numbered document ([`numbered::NumberedDocuments`]), and nothing is ever changed in place. What can be
//! rebuilt from the segments (snapshots, score files) lies beside them under its own prefix.
//!
//! | Module | What it keeps |
//! |---|---|
//! | [`store`] | objects in a folder, in memory, on Azure Blob Storage or Azurite |
//! | [`numbered`] | documents `{prefix}/000000123.json`; the highest number rules |
//! | [`names`] | what a segment's name says, written and read |
//! | [`segment`] | a frame as Parquet bytes, and back |
//! | [`segments`] | commit, replay and range reads over segments |
//! | [`dead_letter`] | events that could not be read, with the reason and the whole body |
//! | [`snapshot`] | state of a partition, named by its last sequence number |
//! | [`scores`] | scores of a segment's rows |
//! | [`manifest`] | which files are the history, and which sequence numbers are in them |
//! | [`compact`] | segments become sorted days with roll-ups |
//! | [`reader`] | rows and summaries of everything, the same whatever compaction does |
//! | [`delta`] | the Delta Lake table over the same files |
//! | [`verify`] | proof that every sequence number is there once |
//! | [`change_table`] | changes of twins, as tables |
//! | [`erase`] | a device's data go |
//! | [`progress`] | how far a compaction or an erasure is |
//! | [`import`], [`export`] | CSV, JSON Lines, Parquet, the cold store of Time Series Insights |

mod block;
pub mod change_table;
mod column_chunk;
pub mod compact;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod coverage;
pub mod dead_letter;
pub mod delta;
pub mod erase;
mod error;
pub mod export;
#[cfg(any(test, feature = "conformance"))]
pub mod faults;
pub mod import;
mod input;
pub mod manifest;
pub mod names;
pub mod numbered;
mod numbers;
mod output;
mod parquet_file;
mod parquet_store;
pub mod progress;
pub mod quality;
pub mod reader;
mod registry;
mod rows;
mod scan;
pub mod scores;
pub mod segment;
pub mod segments;
pub mod snapshot;
pub mod store;
mod table;
#[cfg(test)]
mod testing;
pub mod verify;

pub use error::StoreError;
pub use registry::ColumnName;
pub use table::Rows;
