//! What a run left behind, to be compared with another run's.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;
use twinwright_app::clock::now;
use twinwright_app::documents::{AlertStore, CommandStore};
use twinwright_core::time::SECOND;
use twinwright_history::dead_letter::DeadLetters;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;

use crate::line::{Line, until};

/// Everything that must not depend on kills and replays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    /// Rows, each counted once.
    pub committed: u64,
    /// Rows stored more than once.
    pub duplicates: u64,
    /// Sequence numbers of dead letters, by partition.
    pub dead_letters: BTreeSet<(u32, i64)>,
    /// Alerts by id: severity, and whether over.
    pub alerts: BTreeMap<String, (String, bool)>,
    /// Commands asked for, by id.
    pub commands: BTreeSet<String>,
    /// The twin's newest values and health.
    pub twin: Value,
}

/// Rows and dead letters in storage.
///
/// # Errors
/// Storage cannot be read.
pub async fn stored(store: &Store) -> anyhow::Result<Books> {
    let mut books = Books::default();
    let log = SegmentLog::new(store.clone(), "local");
    let mut seen = HashSet::new();
    let day = 86_400 * SECOND;
    for name in log.range(now() - 30 * day, now() + day).await? {
        let (frame, metadata) = log.load(&name).await?;
        for &sequence in &frame.sequence {
            if seen.insert((frame.partition, metadata.epoch, sequence)) {
                books.committed += 1;
            } else {
                books.duplicates += 1;
            }
        }
    }
    let letters = DeadLetters::new(store.clone(), "local");
    for batch in letters.list(None).await? {
        for letter in letters.read(&batch.path).await? {
            books.dead_letters.insert((letter.partition, letter.sequence));
        }
    }
    Ok(books)
}

/// Waits until exactly so many rows and dead letters are stored, none twice.
///
/// # Errors
/// They are not in time.
pub async fn settled(line: &Line, rows: u64, letters: usize) -> anyhow::Result<()> {
    until("everything stored", async || {
        let books = stored(&line.store).await?;
        let (got_rows, got_letters) = (books.committed, books.dead_letters.len());
        let done = got_rows == rows && got_letters == letters && books.duplicates == 0;
        Ok(if done { Ok(()) } else { Err(format!("{got_rows} rows, {got_letters} dead letters")) })
    })
    .await
}

/// The whole books of a line, with one machine's twin.
///
/// # Errors
/// Storage or the twins cannot be read.
pub async fn read(line: &Line, device: &str) -> anyhow::Result<Books> {
    let mut books = stored(&line.store).await?;
    for alert in AlertStore::new(line.store.clone()).list(now(), false, 1_000).await? {
        books.alerts.insert(alert.id, (format!("{:?}", alert.severity), alert.cleared_at.is_some()));
    }
    books.commands =
        CommandStore::new(line.store.clone()).list(now()).await?.into_iter().map(|c| c.id).collect();
    let twin = line.twin(device).await?;
    // Times and etags of the service differ from run to run; values must not.
    let mut health = twin["health"].clone();
    if let Some(health) = health.as_object_mut() {
        health.remove("$metadata");
        health.remove("lastCommand");
    }
    books.twin = serde_json::json!({
        "latest": twin["latest"], "states": twin["states"], "observedAt": twin["observedAt"], "health": health,
    });
    Ok(books)
}
