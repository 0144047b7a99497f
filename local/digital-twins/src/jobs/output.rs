//! The log that an import leaves: a JSON line for each thing worth telling.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::blob;
use super::place::Place;
use crate::clock;

/// Lines about refused entities in one log; a bad input must not fill the disk.
pub(super) const MOST_ERRORS: u64 = 100_000;

/// A log that is being written.
pub(super) struct Output {
    job: String,
    place: Place,
    sink: Sink,
}

enum Sink {
    File(BufWriter<File>),
    /// A blob is written whole, at the end.
    Blob(Vec<u8>),
}

impl Output {
    pub(super) fn open(job: &str, place: Place) -> Result<Self, String> {
        let sink = match &place {
            Place::File(path) => {
                let file = OpenOptions::new().create(true).write(true).truncate(true).open(path);
                let file = file.map_err(|error| format!("the output cannot be written: {error}"))?;
                Sink::File(BufWriter::new(file))
            }
            Place::Blob { .. } => Sink::Blob(Vec::new()),
        };
        Ok(Self { job: job.to_owned(), place, sink })
    }

    pub(super) fn info(&mut self, details: &Value) -> Result<(), String> {
        self.line("Info", details)
    }

    pub(super) fn error(&mut self, details: &Value) -> Result<(), String> {
        self.line("Error", details)
    }

    fn line(&mut self, kind: &str, details: &Value) -> Result<(), String> {
        let line = json!({"timestamp": clock::now(), "jobId": self.job, "jobType": "Import", "logType": kind, "details": details});
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        match &mut self.sink {
            Sink::File(file) => {
                file.write_all(&bytes).map_err(|error| format!("the output cannot be written: {error}"))
            }
            Sink::Blob(buffer) => {
                buffer.extend_from_slice(&bytes);
                Ok(())
            }
        }
    }

    /// Writes what is still in memory.
    pub(super) fn finish(self, client: &Client, runtime: &Handle) -> Result<(), String> {
        match (self.sink, self.place) {
            (Sink::File(mut file), _) => file
                .flush()
                .and_then(|()| file.get_ref().sync_all())
                .map_err(|error| format!("the output cannot be written: {error}")),
            (Sink::Blob(buffer), Place::Blob { url, account }) => {
                runtime.block_on(blob::put(&url, &account, client, buffer))
            }
            (Sink::Blob(_), Place::File(_)) => Ok(()),
        }
    }
}
