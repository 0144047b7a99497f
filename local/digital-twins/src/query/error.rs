//! What is wrong with a query, and where.

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, position {position})")]
pub struct QueryError {
    /// Line from 1.
    pub line: usize,
    /// Position in the line, in characters from 1.
    pub position: usize,
    /// What is wrong, and what to write in its place.
    pub message: String,
}

/// Where a token begins: line and character, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) position: usize,
}

impl Place {
    pub(crate) fn error(self, message: impl Into<String>) -> QueryError {
        QueryError { line: self.line, position: self.position, message: message.into() }
    }
}
