//! The tables of the database.

use std::collections::HashMap;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};

/// Raised when an older version could misread the file.
pub(super) const FORMAT: u64 = 1;
pub(super) const FORMAT_KEY: &str = "format";
/// The highest number that any event had, so that numbers are never used twice.
pub(super) const EVENT_KEY: &str = "event";

pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Models by the number of their upload, so that the order of lists survives.
pub(super) const MODELS: TableDefinition<u64, &[u8]> = TableDefinition::new("models");
pub(super) const TWINS: TableDefinition<&str, &[u8]> = TableDefinition::new("twins");
/// Relationships by source twin and identifier.
pub(super) const RELATIONSHIPS: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("relationships");
/// Recent changes of twins and relationships, which win over the two tables above.
pub(super) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
pub(super) const ROUTES: TableDefinition<&str, &[u8]> = TableDefinition::new("routes");
/// Jobs by kind and identifier.
pub(super) const JOBS: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("jobs");
/// Events that wait for delivery, by queue and number.
pub(super) const OUTBOX: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("outbox");

/// An event that waits: its number and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Creates missing tables, and gives back the format that the file says.
pub(super) fn create(database: &Database) -> Result<u64, redb::Error> {
    let existing = {
        let transaction = database.begin_read()?;
        match transaction.open_table(META) {
            Ok(meta) => meta.get(FORMAT_KEY)?.map(|value| value.value()),
            Err(redb::TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(error.into()),
        }
    };
    if let Some(format) = existing {
        return Ok(format);
    }
    let transaction = database.begin_write()?;
    {
        transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
        transaction.open_table(MODELS)?;
        transaction.open_table(TWINS)?;
        transaction.open_table(RELATIONSHIPS)?;
        transaction.open_table(LOG)?;
        transaction.open_table(ROUTES)?;
        transaction.open_table(JOBS)?;
        transaction.open_table(OUTBOX)?;
    }
    transaction.commit()?;
    Ok(FORMAT)
}

pub(super) fn waiting(
    transaction: &ReadTransaction,
    queue: &str,
    after: u64,
    most: usize,
) -> Result<Vec<Waiting>, redb::Error> {
    let outbox = transaction.open_table(OUTBOX)?;
    let mut found = Vec::new();
    for entry in outbox.range((queue, after.saturating_add(1))..=(queue, u64::MAX))?.take(most) {
        let (key, value) = entry?;
        found.push(Waiting { number: key.value().1, bytes: value.value().to_vec() });
    }
    Ok(found)
}

pub(super) fn backlog(transaction: &ReadTransaction) -> Result<HashMap<String, u64>, redb::Error> {
    let outbox = transaction.open_table(OUTBOX)?;
    let mut counts: HashMap<String, u64> = HashMap::new();
    for entry in outbox.iter()? {
        let (key, _) = entry?;
        let queue = key.value().0;
        match counts.get_mut(queue) {
            Some(count) => *count += 1,
            None => {
                counts.insert(queue.to_owned(), 1);
            }
        }
    }
    Ok(counts)
}
