//! Small durable documents: a partition's position, a timer's status. Written beside, synced, renamed: never torn.

use std::{fs, io, path::PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{HostError, encode::timer::ScheduleStatus};

/// How far a function came in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) sequence_number: i64,
    pub(crate) offset: String,
    pub(crate) written: DateTime<Utc>,
}

/// A timer's status, and the schedule it was computed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TimerState {
    pub(crate) schedule: String,
    pub(crate) status: ScheduleStatus,
}

/// The folder of all documents.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    root: PathBuf,
}

impl Documents {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Makes the folder, so that a full or read-only disk is found at start.
    pub(crate) fn prepare(&self) -> Result<(), HostError> {
        fs::create_dir_all(&self.root).map_err(|source| HostError::File {
            action: "create folder",
            path: self.root.clone(),
            source,
        })
    }

    pub(crate) async fn checkpoint(
        &self,
        function: &str,
        partition: u32,
    ) -> Result<Option<Checkpoint>, HostError> {
        self.read(self.checkpoint_path(function, partition)).await
    }

    pub(crate) async fn set_checkpoint(
        &self,
        function: &str,
        partition: u32,
        checkpoint: &Checkpoint,
    ) -> Result<(), HostError> {
        self.write(self.checkpoint_path(function, partition), checkpoint).await
    }

    pub(crate) async fn timer(&self, function: &str) -> Result<Option<TimerState>, HostError> {
        self.read(self.timer_path(function)).await
    }

    pub(crate) async fn set_timer(&self, function: &str, state: &TimerState) -> Result<(), HostError> {
        self.write(self.timer_path(function), state).await
    }

    fn checkpoint_path(&self, function: &str, partition: u32) -> PathBuf {
        self.root.join("checkpoints").join(function).join(format!("{partition}.json"))
    }

    fn timer_path(&self, function: &str) -> PathBuf {
        self.root.join("timers").join(format!("{function}.json"))
    }

    async fn read<T: DeserializeOwned + Send + 'static>(
        &self,
        path: PathBuf,
    ) -> Result<Option<T>, HostError> {
        match tokio::fs::read(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HostError::File { action: "read", path, source }),
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| HostError::Damaged { path, reason: error.to_string() }),
        }
    }

    async fn write<T: Serialize>(&self, path: PathBuf, value: &T) -> Result<(), HostError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| HostError::Damaged { path: path.clone(), reason: error.to_string() })?;
        let target = path.clone();
        let written = tokio::task::spawn_blocking(move || replace(&target, &bytes)).await;
        written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|source| HostError::File {
            action: "write",
            path,
            source,
        })
    }
}

fn replace(path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a document needs a folder"))?;
    fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let mut file = fs::File::create(&part)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_checkpoint_comes_back_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let documents = Documents::new(folder.path().to_owned());
        assert_eq!(documents.checkpoint("ingest", 3).await.unwrap(), None);
        let checkpoint = Checkpoint { sequence_number: 7, offset: "700".to_owned(), written: Utc::now() };
        documents.set_checkpoint("ingest", 3, &checkpoint).await.unwrap();
        assert_eq!(documents.checkpoint("ingest", 3).await.unwrap(), Some(checkpoint));
        fs::write(documents.checkpoint_path("ingest", 3), "{").unwrap();
        let error = documents.checkpoint("ingest", 3).await.unwrap_err().to_string();
        assert!(error.contains("delete it"), "{error}");
    }
}
