//! Values that never show in logs, and the files they are read from.

use std::{fmt, fs::File, io::Read as _, path::Path, sync::Arc};

use crate::Error;

/// Secrets are short; a larger file is the wrong file.
const LARGEST_FILE: u64 = 64 * 1024;

/// A key, token or password. `Debug` shows only that there is one, and there is no `Display`.
/// Comparing two takes a time that depends on them: check signatures and tokens of others in constant time instead.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret that came from the environment or was generated.
    #[must_use]
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The secret itself. Hand it on, never format it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads a secret from a text file; white space around it is dropped. Says in the log when others can read the file.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, is empty, too large or not text.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let (text, open) = read(path)?;
        if open {
            tracing::warn!(path = %path.display(), "others can read this secret; `chmod 600` keeps it private");
        }
        Ok(Self(text))
    }

    /// Like [`Secret::from_file`], and refuses a file that others can read.
    ///
    /// # Errors
    /// [`Error::File`], also when the file's mode lets group or others in.
    pub fn from_private_file(path: &Path) -> Result<Self, Error> {
        let (text, open) = read(path)?;
        if open {
            return Err(file_error(path, "others can read it; make it private with `chmod 600`"));
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

fn read(path: &Path) -> Result<(Arc<str>, bool), Error> {
    let fault = |error: std::io::Error| file_error(path, error.to_string());
    let file = File::open(path).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    if !metadata.is_file() {
        return Err(file_error(path, "it is not a file"));
    }
    let mut text = String::new();
    file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(fault)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(file_error(path, "it is too large for a secret (64 KiB at most)"));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(file_error(path, "it is empty"));
    }
    Ok((trimmed.into(), open_to_others(&metadata)))
}

fn file_error(path: &Path, problem: impl Into<String>) -> Error {
    Error::File { path: path.to_owned(), problem: problem.into() }
}

#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn open_to_others(_metadata: &std::fs::Metadata) -> bool {
    false
}
