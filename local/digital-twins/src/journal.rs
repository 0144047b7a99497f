//! The journal: one JSON line for each change, written before the change is seen by anyone.
//!
//! A line is written with one call and ends in a line break; what follows the last line break of a file is a torn
//! write of a killed process and is dropped. On start the graph is written anew as one short journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::TwinsError;

/// An open journal, held by one process.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    length: u64,
    // Held for its lock: a second service on the same folder must not start.
    _lock: File,
}

/// Reads every whole line, in order.
pub(crate) fn read(
    path: &Path,
    mut apply: impl FnMut(Value) -> Result<(), String>,
) -> Result<(), TwinsError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(TwinsError::Folder { folder: path.to_owned(), source }),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
    if whole < bytes.len() {
        tracing::warn!(file = %path.display(), bytes = bytes.len() - whole, "dropped a torn line at the end of the journal");
    }
    for (index, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let outcome = serde_json::from_slice(line).map_err(|error| error.to_string()).and_then(&mut apply);
        outcome.map_err(|reason| TwinsError::Journal { file: path.to_owned(), line: index + 1, reason })?;
    }
    Ok(())
}

/// Takes the folder for this process.
pub(crate) fn lock(folder: &Path) -> Result<File, TwinsError> {
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

impl Journal {
    /// Writes the lines as the whole journal, then opens it for more.
    pub(crate) fn rewrite(path: &Path, lines: impl Iterator<Item = Value>, lock: File) -> io::Result<Self> {
        let fresh: PathBuf = path.with_extension("new");
        let mut writer = io::BufWriter::new(File::create(&fresh)?);
        for line in lines {
            serde_json::to_writer(&mut writer, &line)?;
            writer.write_all(b"\n")?;
        }
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        let mut file = OpenOptions::new().write(true).open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, length, _lock: lock })
    }

    /// Adds one line. After a failure the file is cut back, so that a later line is not glued to half of this one.
    pub(crate) fn append(&mut self, line: &Value) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let outcome = self.file.write_all(&bytes);
        match outcome {
            Ok(()) => self.length += bytes.len() as u64,
            Err(_) => {
                self.file.set_len(self.length)?;
                self.file.seek(SeekFrom::Start(self.length))?;
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_torn_tail_is_dropped_and_a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("twins.journal");
        let mut journal =
            Journal::rewrite(&path, [json!({"a": 1})].into_iter(), lock(folder.path()).unwrap()).unwrap();
        journal.append(&json!({"a": 2})).unwrap();
        assert!(matches!(lock(folder.path()), Err(TwinsError::InUse(_))));
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"a\":").unwrap();
        let mut seen = Vec::new();
        read(&path, |line| {
            seen.push(line["a"].as_i64());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [Some(1), Some(2)]);
        file.write_all(b"\n").unwrap();
        let error = read(&path, |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("line 3 of"), "{error}");
    }
}
