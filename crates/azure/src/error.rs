use std::{path::PathBuf, time::Duration};

use crate::retry::Tried;

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used; nothing was sent.
    #[error("cannot use {subject}: {problem}")]
    Settings {
        /// Which setting.
        subject: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file that a setting names cannot be used.
    #[error("cannot read {path}: {problem}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// No token could be had.
    #[error("no token for {scope}: {cause}")]
    Identity {
        /// The scope that was asked for.
        scope: String,
        /// The credential's own words.
        cause: String,
    },
    /// The service answered, and refused or failed.
    #[error(transparent)]
    Service(#[from] Box<ServiceError>),
    /// No answer came.
    #[error("{what}: no answer {tried}: {cause}")]
    Transport {
        /// The operation.
        what: String,
        /// The last cause.
        cause: String,
        /// Whether the service may have got the call and acted on it.
        may_have_acted: bool,
        /// How often and how long it was tried.
        tried: Tried,
    },
    /// An answer came that does not follow the contract.
    #[error("{what}: the answer cannot be used: {problem}")]
    Answer {
        /// The operation.
        what: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// What the caller handed over cannot be sent; nothing was sent.
    #[error("{what}: {problem}")]
    Input {
        /// The operation.
        what: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// A service's refusal or failure, with its own code and message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: the service answered {status}{code}{message} {tried}",
    code = if code.is_empty() { String::new() } else { format!(" {code}") },
    message = if message.is_empty() { String::new() } else { format!(" ({message})") })]
pub struct ServiceError {
    /// The operation, such as `put twin pump-1`.
    pub what: String,
    /// HTTP status. A mail server's refusal counts as 503 if it may pass, as 400 if not; `code` has its own number.
    pub status: u16,
    /// The service's code, such as `ValidationFailed`; empty when it sent none (it does not when it throttles).
    pub code: String,
    /// The service's message, shortened. Never decide on it: the wording changes.
    pub message: String,
    /// What a `Retry-After` header asked for.
    pub retry_after: Option<Duration>,
    /// How often and how long it was tried.
    pub tried: Tried,
}

impl Error {
    /// The service's refusal, if that is what this is.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(service) => Some(service),
            _ => None,
        }
    }

    /// HTTP status of the service's answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.service().map(|service| service.status)
    }

    /// Whether the service said that the thing exists already (409), or is not the version asked for (412).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.status(), Some(409 | 412))
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Identity { .. } => true,
            Self::Service(service) => matches!(service.status, 408 | 429 | 500..),
            _ => false,
        }
    }

    pub(crate) fn settings(subject: &'static str, problem: impl Into<String>) -> Self {
        Self::Settings { subject, problem: problem.into() }
    }

    pub(crate) fn answer(what: &str, problem: impl Into<String>) -> Self {
        Self::Answer { what: what.to_owned(), problem: problem.into() }
    }

    pub(crate) fn input(what: &str, problem: impl Into<String>) -> Self {
        Self::Input { what: what.to_owned(), problem: problem.into() }
    }
}

/// The words of an error and of all its sources, without repeating any.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = source.source();
    }
    text
}
