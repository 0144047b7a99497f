//! What can go wrong while a suite runs.

use std::path::PathBuf;

use crate::TrainError;

/// Why a suite gave no figures.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The folder holds nothing of the suite's format.
    #[error("{} has no {wanted}; give the folder that holds them", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A file breaks its format.
    #[error("{}, line {line}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The settings break a rule.
    #[error("the settings cannot be used: {0}")]
    Settings(String),
    /// A recording gives no baseline.
    #[error("{recording}: {cause}")]
    Train {
        /// Which recording.
        recording: String,
        /// Why.
        cause: TrainError,
    },
    /// Files of the right names that break their format, or hold too little to learn from.
    #[error(transparent)]
    Data(#[from] TrainError),
    /// A scorer is missing or failed.
    #[error("scorer {scorer}: {cause}")]
    Scorer {
        /// Its name.
        scorer: String,
        /// What happened.
        cause: String,
    },
}
