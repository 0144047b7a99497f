//! Who stores the rows.

use std::time::Duration;

use super::HistoryRow;

/// Rows of consecutive changes, in the order of the changes.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryBatch {
    /// Number of the first change in the batch; numbers grow and are never used twice in a folder.
    pub first: u64,
    /// Number of the last change in the batch. After a kill rows may come again, perhaps in a longer batch: to store
    /// nothing twice, remember the highest `last` that was stored and skip the rows up to it.
    pub last: u64,
    /// The rows, with the number of the change each one belongs to.
    pub rows: Vec<(u64, HistoryRow)>,
}

/// Stores the rows of the data history tables.
#[async_trait::async_trait]
pub trait HistorySink: std::fmt::Debug + Send + Sync {
    /// Stores a batch. Rows are kept until this returns `Ok`, and delivered again after an error or a restart, so every row
    /// arrives at least once.
    ///
    /// # Errors
    /// A sentence for the log; the batch comes again after a pause that grows up to a minute.
    async fn store(&self, batch: HistoryBatch) -> Result<(), String>;

    /// How long rows wait for others to come in one batch with them; a sink that writes files wants few large ones. They
    /// wait in the database, so a kill loses none.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }
}
