//! What can go wrong.

/// Why no baseline came out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// The slices do not fit together.
    #[error("the training rows do not fit together: {cause}")]
    Shape {
        /// Which sizes.
        cause: String,
    },
    /// Too few rows of the right kind.
    #[error("{missing} more rows are needed for {purpose} ({have} of {need}); record more normal operation")]
    TooFewRows {
        /// What they are for.
        purpose: &'static str,
        /// Rows there are.
        have: usize,
        /// Rows needed.
        need: usize,
        /// The difference.
        missing: usize,
    },
    /// A signal has next to no values.
    #[error("signal {signal} has values in {have} of {rows} rows; leave it out or repair the sensor")]
    EmptySignal {
        /// Its name.
        signal: String,
        /// Rows with a value.
        have: usize,
        /// All rows.
        rows: usize,
    },
    /// A setting is not among the signals.
    #[error("setting {setting} is not among the signals; add it or leave it out of the settings")]
    UnknownSetting {
        /// Its name.
        setting: String,
    },
    /// A scorer that baselines are not fitted for.
    #[error("no baseline can be fitted for scorer {scorer}; there are {}", crate::SCORERS.join(", "))]
    UnknownScorer {
        /// Its name.
        scorer: String,
    },
    /// The rows are not fit to learn from.
    #[error("the rows are refused: {reason}")]
    Refused {
        /// Which gate, and what to do.
        reason: String,
    },
    /// An option is out of range.
    #[error("option {option} {problem}")]
    Option {
        /// Which.
        option: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// An input tells the target at the same moment.
    #[error("input {input} correlates by {correlation:.2} with the target at the same moment; leave it out")]
    Leak {
        /// The input.
        input: String,
        /// Its correlation with the target.
        correlation: f64,
    },
    /// A file cannot be read.
    #[error("{file}: {cause}")]
    File {
        /// Which.
        file: String,
        /// What is wrong, and what it must be.
        cause: String,
    },
    /// The numbers do not allow a fit.
    #[error("the baseline cannot be fitted: {cause}")]
    Numeric {
        /// What happened.
        cause: String,
    },
}

impl TrainError {
    pub(crate) fn too_few(purpose: &'static str, have: usize, need: usize) -> Self {
        Self::TooFewRows { purpose, have, need, missing: need.saturating_sub(have) }
    }

    pub(crate) fn file(file: &std::path::Path, cause: impl std::fmt::Display) -> Self {
        Self::File { file: file.display().to_string(), cause: cause.to_string() }
    }

    #[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
    pub(crate) fn numeric(cause: impl std::fmt::Display) -> Self {
        Self::Numeric { cause: cause.to_string() }
    }
}
