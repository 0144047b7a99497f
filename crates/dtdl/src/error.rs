//! What can be wrong with a model, and where.

use std::fmt;

/// The kind of a fault, for programs; the message is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The document is not of the JSON shape that the element needs.
    Shape,
    /// `@context` is missing, misplaced or names an unknown language or extension.
    Context,
    /// An identifier is missing, malformed, reserved or too long.
    Identifier,
    /// `@type` is missing, unknown or not allowed at this place.
    Type,
    /// A property is unknown here, missing or of the wrong kind.
    Property,
    /// A text or a count is over its limit.
    Limit,
    /// A name or an identifier is used twice.
    Duplicate,
    /// Something that is referred to does not exist or may not be referred to.
    Reference,
    /// A schema or a hierarchy is nested too deeply or contains itself.
    Depth,
    /// The language allows it, Azure Digital Twins does not.
    Service,
}

/// One fault of a model: which model, which element, what is wrong and how to put it right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ModelError {
    /// Identifier of the model, or its place in the upload where it has none (`document 3`).
    pub model: String,
    /// Path to the element inside the model, as in `contents[2].schema`; empty for the model itself.
    pub path: String,
    /// The kind of the fault.
    pub kind: ErrorKind,
    /// What is wrong, and the fix.
    pub message: String,
}

impl fmt::Display for ModelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(formatter, "{}: {}", self.model, self.message)
        } else {
            write!(formatter, "{} at {}: {}", self.model, self.path, self.message)
        }
    }
}

/// Most faults reported for one upload; a hostile upload must not grow the answer without bound.
pub(crate) const MOST_ERRORS: usize = 100;

/// Collects faults up to the bound.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pub(crate) list: Vec<ModelError>,
}

impl Errors {
    pub(crate) fn push(&mut self, model: &str, path: &str, kind: ErrorKind, message: impl Into<String>) {
        if self.list.len() < MOST_ERRORS {
            self.list.push(ModelError {
                model: model.to_owned(),
                path: path.to_owned(),
                kind,
                message: message.into(),
            });
        }
    }
}
