//! Why a hub could not start, or could not keep something.

use std::path::PathBuf;

use crate::certs::CertsError;
use crate::ports::PortError;

/// Errors of the hub; each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A port could not be opened.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The certificates could not be made or read.
    #[error(transparent)]
    Certificates(#[from] CertsError),
    /// A file or folder could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Another hub uses the folder.
    #[error("folder {} is in use by another local IoT Hub; stop it or choose another folder", path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file holds something the hub did not write.
    #[error("{} cannot be read: {reason}; move it away to start without it", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The number of partitions cannot change after the first start.
    #[error(
        "the folder has {stored} partitions and the configuration asks for {asked}; use {stored} or another folder"
    )]
    Partitions {
        /// Partitions of the folder.
        stored: u32,
        /// Partitions of the configuration.
        asked: u32,
    },
    /// A setting is out of range.
    #[error("{0}")]
    Setting(String),
    /// A device with this id exists already.
    #[error("device {0:?} exists already; choose another id or update it")]
    DeviceExists(String),
    /// No device with this id exists.
    #[error("device {0:?} is not registered; create it first")]
    DeviceNotFound(String),
    /// The id has characters a hub does not allow.
    #[error(
        "device id {0:?} is not allowed; use 1 to 128 ASCII letters, digits or - . + % _ # * ? ! ( ) , : = @ $ '"
    )]
    DeviceId(String),
    /// Another change came first.
    #[error("the entity tag does not match; read it again and repeat the change")]
    EntityTag,
    /// A twin document breaks a rule.
    #[error("twin not accepted: {0}")]
    Twin(String),
    /// The event log has stopped.
    #[error("the event log is closed; the hub is stopping")]
    LogClosed,
    /// The event could not be written.
    #[error("cannot store the event: {0}; free some disk space")]
    LogWrite(String),
    /// The partition does not exist.
    #[error("partition {partition} does not exist; the hub has {count}, counted from 0")]
    NoPartition {
        /// What was asked for.
        partition: u32,
        /// How many there are.
        count: u32,
    },
}

impl HubError {
    /// For `map_err`: names what was tried on which path.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
