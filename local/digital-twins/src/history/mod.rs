//! The rows of Azure Digital Twins' data history tables.
//!
//! Each durable change of the graph gives rows for three tables: updates of properties, the life of twins and the
//! life of relationships. Rows wait in the database, in order, until a [`HistorySink`] says that it has stored them;
//! a killed process loses none, and a sink that sees rows twice can tell by their numbers.
//!
//! Source: the page "Data history" of Azure Digital Twins, for tables, columns and their meaning.

mod feed;
mod rows;
mod sink;

pub(crate) use feed::{HISTORY_QUEUE, run};
pub(crate) use rows::rows_of;
pub use rows::{HistoryRow, PropertyAction, PropertyEvent, RelationshipLifeCycleEvent, TwinLifeCycleEvent};
pub use sink::{HistoryBatch, HistorySink};
