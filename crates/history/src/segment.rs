//! A frame as a Parquet file, and back.
//!
//! Columns: `device_id`, `ts` and `enqueued` (µs UTC), `partition`, `seq`, one `double` a signal and one string a state
//! under their own names, `quality` (see [`crate::quality`]) where the frame was checked, `properties` and `extra` (JSON
//! text) where a row has them. An absent signal is null. Names are unique without regard to case, because Spark, Fabric
//! and Power BI read them so. A name that cannot be a column's is changed, in this order:
//!
//! 1. control characters become `_`, an empty name becomes `_`;
//! 2. a name above 128 bytes is cut to 100 and gets `~` and 16 hex digits of its SHA-256;
//! 3. a name that is taken (by a fixed column, or by a signal where a state has the same name) gets `_signal` or
//!    `_state`, and then `_2`, `_3`, … until it is free.
//!
//! The key-value metadata say whose columns these are, so reading gives the devices' names back: `twinwright.format`,
//! `.hub`, `.partition`, `.first`, `.last`, `.first_enqueued`, `.last_enqueued` (µs), `.epoch`, `.versions` (JSON), `.columns` (JSON).

mod columns;
mod decode;
mod encode;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::names::{SegmentName, parse_path, path};
pub use columns::Kind;
pub(crate) use columns::{
    Columns, DEVICE_ID, ENQUEUED, EXTRA, FIXED, PARTITION, PROPERTIES, QUALITY, SEQUENCE, TIME, free_name,
    safe_name,
};
pub use decode::decode;
pub use encode::encode;

/// Version of the layout.
pub(crate) const FORMAT: &str = "1";

/// What scored an equipment's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Scorer's name and version, e.g. `ewma-chart@1.0.0`.
    pub scorer: String,
    /// Hash of the scorer's bytes.
    pub scorer_hash: String,
    /// Version of the baseline.
    pub baseline: String,
}

/// What is true of a whole segment and in none of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentMetadata {
    /// What scored the rows, by equipment (or equipment model, as the caller keeps it).
    pub versions: BTreeMap<String, Version>,
    /// Counts how often the hub was made anew: sequence numbers start again with each.
    pub epoch: u32,
}

#[cfg(test)]
mod tests;
