//! The one error of this crate, with the codes that clients know.

use serde_json::{Value, json};

/// Why a query is not answered. The text says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The request does not say something that can be done.
    #[error("{message}")]
    Invalid {
        /// Part of the request, as in `aggregateSeries.interval`.
        target: String,
        /// What is wrong, and what to do instead.
        message: String,
    },
    /// An expression cannot be read.
    #[error("{message} (at character {at} of the expression)")]
    Expression {
        /// Part of the request.
        target: String,
        /// Character, from 1.
        at: usize,
        /// What is wrong, and what to do instead.
        message: String,
    },
    /// The request asks for more than one answer may have.
    #[error("{message}")]
    Limit {
        /// Part of the request.
        target: String,
        /// The limit, and how to stay below it.
        message: String,
    },
}

impl QueryError {
    pub(crate) fn invalid(target: &str, message: impl Into<String>) -> Self {
        Self::Invalid { target: target.to_owned(), message: message.into() }
    }

    pub(crate) fn limit(target: &str, message: impl Into<String>) -> Self {
        Self::Limit { target: target.to_owned(), message: message.into() }
    }

    /// The same, of this part of a request.
    #[must_use]
    pub fn of(mut self, part: &str) -> Self {
        let (Self::Invalid { target, .. } | Self::Expression { target, .. } | Self::Limit { target, .. }) =
            &mut self;
        part.clone_into(target);
        self
    }

    /// Code of the outer and of the inner error.
    pub fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Self::Invalid { .. } => ("InvalidInput", "InvalidRequest"),
            Self::Expression { .. } => ("InvalidInput", "InvalidTSX"),
            Self::Limit { .. } => ("InvalidInput", "LimitExceeded"),
        }
    }

    /// The body of an answer: `{error: {code, message, target, innerError: {code}}}`.
    pub fn body(&self) -> Value {
        let (code, inner) = self.codes();
        let (Self::Invalid { target, .. } | Self::Expression { target, .. } | Self::Limit { target, .. }) =
            self;
        json!({ "error": {
            "code": code,
            "message": self.to_string(),
            "target": target,
            "innerError": { "code": inner, "message": self.to_string() },
        }})
    }
}
