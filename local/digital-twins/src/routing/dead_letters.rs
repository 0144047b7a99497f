//! Events that no endpoint took: lines in files by endpoint and hour, bounded in size.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::clock;

/// Bytes kept for each endpoint; the oldest files go first.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The dead letters of an instance, below `dead-letters/<endpoint>/` of its folder.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    folder: PathBuf,
    // Two writers at once would mix their lines.
    turn: Mutex<()>,
}

impl DeadLetters {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.join("dead-letters"), turn: Mutex::new(()) }
    }

    /// Keeps events with the reason why they were not delivered.
    pub(crate) fn add(
        &self,
        endpoint: &str,
        events: &[Value],
        reason: &str,
        attempts: u32,
    ) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.folder.join(endpoint);
        std::fs::create_dir_all(&folder)?;
        let now = clock::now();
        let mut bytes = Vec::new();
        for event in events {
            let line = json!({"deadLetterReason": reason, "deliveryAttempts": attempts, "deadLetterTime": now, "event": event});
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        let hour = now.get(..13).unwrap_or("unknown");
        let mut file =
            OpenOptions::new().create(true).append(true).open(folder.join(format!("{hour}.ndjson")))?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        sweep(&folder)
    }
}

/// Removes the oldest files above the bound, never the newest.
fn sweep(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.file_name(), entry.metadata()?.len()));
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, length)| length).sum();
    files.pop();
    for (name, length) in files {
        if total <= MOST_BYTES {
            break;
        }
        tracing::warn!(file = ?name, folder = %folder.display(), "removed the oldest dead letters, there are too many");
        std::fs::remove_file(folder.join(name))?;
        total -= length;
    }
    Ok(())
}
