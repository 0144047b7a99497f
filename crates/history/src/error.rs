//! The one error of this crate.

use std::error::Error;
use std::io::ErrorKind;

/// Why something could not be stored or read. Only [`StoreError::Corrupt`] and [`StoreError::Invalid`] are final;
/// the others may pass when the same call is made again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the quota is full.
    #[error(
        "storage is full while writing {path}: free space or raise the quota; what was not stored stays in the hub and comes again ({cause})"
    )]
    Full {
        /// Object.
        path: String,
        /// What the store said.
        cause: String,
    },
    /// The identity may not do this.
    #[error(
        "storage refuses access to {path}: make this user the owner of the folder, or give this identity the role Storage Blob Data Contributor ({cause})"
    )]
    Denied {
        /// Object.
        path: String,
        /// What the store said.
        cause: String,
    },
    /// The container does not exist.
    #[error(
        "the storage container of {path} does not exist: create it, or call prepare once with an identity that may ({cause})"
    )]
    NoContainer {
        /// Object.
        path: String,
        /// What the store said.
        cause: String,
    },
    /// The store did not answer, or answered that it cannot now. Whether a write landed is unknown: make it again.
    #[error(
        "storage is unavailable for {path}: try again; check the network and the account if it stays so ({cause})"
    )]
    Unavailable {
        /// Object.
        path: String,
        /// What the store said.
        cause: String,
    },
    /// The bytes are not what this crate wrote.
    #[error("{path} is damaged or was not written by twinwright: restore it or move it away ({cause})")]
    Corrupt {
        /// Object, or `segment` where only bytes were given.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// The caller gave something that cannot be stored or asked for.
    #[error("{what}")]
    Invalid {
        /// What, and what to do instead.
        what: String,
    },
    /// A later version of this program wrote it, and this one may not guess what it means.
    #[error("{path} has format {format}, this version reads up to {known}: upgrade twinwright here first")]
    Newer {
        /// Object.
        path: String,
        /// Its format.
        format: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// Others took every number that was tried.
    #[error(
        "lost {attempts} races for the next document under {prefix}: fewer instances should write it at once, try again later"
    )]
    Contended {
        /// Prefix of the numbered documents.
        prefix: String,
        /// Races lost.
        attempts: u32,
    },
}

impl StoreError {
    pub(crate) fn corrupt(path: &str, cause: impl std::fmt::Display) -> Self {
        Self::Corrupt { path: path.to_owned(), cause: cause.to_string() }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// Sorts what an object store says into what a caller can do about it.
    pub(crate) fn from_object_store(path: &str, error: &object_store::Error) -> Self {
        let path = path.to_owned();
        let cause = describe(error);
        match io_kind(error) {
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => return Self::Full { path, cause },
            Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                return Self::Denied { path, cause };
            }
            _ => {}
        }
        match error {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                Self::Denied { path, cause }
            }
            object_store::Error::NotFound { .. } => Self::NoContainer { path, cause },
            object_store::Error::InvalidPath { .. } => {
                Self::Invalid { what: format!("{path} is no valid object path ({cause})") }
            }
            _ => Self::Unavailable { path, cause },
        }
    }
}

/// The kind of the first IO error in the chain.
fn io_kind(error: &object_store::Error) -> Option<ErrorKind> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = current.source();
    }
    None
}

/// One line, without the store's own line breaks (Azure answers in XML), bounded.
fn describe(error: &object_store::Error) -> String {
    let text = error.to_string();
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > 600 {
        let cut = line.floor_char_boundary(600);
        line.truncate(cut);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(kind: ErrorKind) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: Box::new(std::io::Error::from(kind)) }
    }

    #[test]
    fn a_full_disk_is_told_from_a_lost_connection_and_a_refusal() {
        let map = |kind| StoreError::from_object_store("a/b", &generic(kind));
        assert!(matches!(map(ErrorKind::StorageFull), StoreError::Full { .. }));
        assert!(matches!(map(ErrorKind::QuotaExceeded), StoreError::Full { .. }));
        assert!(matches!(map(ErrorKind::PermissionDenied), StoreError::Denied { .. }));
        assert!(matches!(map(ErrorKind::ConnectionRefused), StoreError::Unavailable { .. }));
        assert!(map(ErrorKind::StorageFull).to_string().contains("free space"));
    }

    #[test]
    fn enospc_of_the_operating_system_is_a_full_disk() {
        let error = object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(std::io::Error::from_raw_os_error(28)),
        };
        assert!(matches!(StoreError::from_object_store("x", &error), StoreError::Full { .. }));
    }
}
