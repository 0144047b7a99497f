//! The database of a folder: what survives a kill.
//!
//! One redb file holds models, twins, relationships, event routes, jobs and the events that wait for delivery. A batch
//! of changes is one transaction with one fsync; it is acknowledged after it. Twins and relationships go to a log
//! first and reach their tables later (`log` says why). Nothing is read from the file while the service runs but
//! events for delivery: the graph is loaded once and kept in memory.

mod load;
mod log;
mod tables;
mod write;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use redb::{Builder, Database, DatabaseError, ReadableDatabase};

pub(crate) use load::Loaded;
pub(crate) use log::Key;
pub(crate) use tables::Waiting;
pub(crate) use write::Outgoing;

use crate::config::TwinsError;

/// Pages kept in memory; the graph itself is in memory, so this only serves the pages that writes touch again.
const CACHE_BYTES: usize = 48 * 1024 * 1024;

/// An open database, held by one process.
#[derive(Debug)]
pub(crate) struct Storage {
    file: PathBuf,
    database: Database,
    log: Mutex<log::Log>,
    // Held for its lock: a second service on the same folder must not start.
    _lock: File,
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> Result<File, TwinsError> {
    let fault = |source| TwinsError::Folder { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(fault)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("twins.lock"))
        .map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(TwinsError::InUse(folder.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(fault(source)),
    }
}

impl Storage {
    /// Opens the database of a folder, or creates it.
    pub(crate) fn open(folder: &Path) -> Result<Self, TwinsError> {
        let lock = lock(folder)?;
        let file = folder.join("twins.redb");
        let journal = folder.join("twins.journal");
        if journal.exists() && !file.exists() {
            return Err(TwinsError::OldJournal(journal));
        }
        let database =
            Builder::new().set_cache_size(CACHE_BYTES).create(&file).map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => TwinsError::InUse(folder.to_owned()),
                other => TwinsError::Database { file: file.clone(), reason: other.to_string() },
            })?;
        let storage = Self { file, database, log: Mutex::default(), _lock: lock };
        storage.check_format()?;
        // The name of a new file is durable only when its folder is.
        #[cfg(unix)]
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| TwinsError::Folder { folder: folder.to_owned(), source })?;
        Ok(storage)
    }

    pub(crate) fn fault(&self, error: impl std::fmt::Display) -> TwinsError {
        TwinsError::Database { file: self.file.clone(), reason: error.to_string() }
    }

    fn check_format(&self) -> Result<(), TwinsError> {
        let found = tables::create(&self.database).map_err(|error| self.fault(error))?;
        if found > tables::FORMAT {
            return Err(TwinsError::NewerFormat { file: self.file.clone(), found, known: tables::FORMAT });
        }
        Ok(())
    }

    /// Events that wait for a queue, after a number, in order.
    pub(crate) fn waiting(&self, queue: &str, after: u64, most: usize) -> Result<Vec<Waiting>, redb::Error> {
        let transaction = self.database.begin_read()?;
        tables::waiting(&transaction, queue, after, most)
    }

    /// Numbers of waiting events by queue, and the highest number of any.
    pub(crate) fn backlog(&self) -> Result<std::collections::HashMap<String, u64>, redb::Error> {
        tables::backlog(&self.database.begin_read()?)
    }
}
