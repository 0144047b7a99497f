//! Why an invocation could not be read.

use thiserror::Error;

/// How deep arrays and objects may nest inside a body before it is refused.
pub const MAX_DEPTH: u32 = 64;

/// The longest field name that an error repeats: names come from the body, and errors go to a log.
const LONGEST_NAME: usize = 96;

/// What is wrong at one place of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text stops inside a value.
    #[error("the text ends too early")]
    Truncated,
    /// Something else stands where this was expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// More than [`MAX_DEPTH`] levels of arrays and objects.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// An unknown or incomplete escape sequence in a string.
    #[error("the escape sequence is not valid JSON")]
    BadEscape,
    /// An integer outside the range of `i64`.
    #[error("the number does not fit a 64-bit integer")]
    NumberTooLarge,
    /// A string that should hold base64 does not.
    #[error("not valid base64; does the declared body encoding match `dataType` in function.json?")]
    BadBase64,
    /// A string that should hold an ISO 8601 time does not.
    #[error("not an ISO 8601 time")]
    BadTime,
    /// Bytes that are no UTF-8.
    #[error("not valid UTF-8")]
    BadUtf8,
    /// Something follows a complete value.
    #[error("there is text after the end of the value")]
    TrailingText,
}

/// Why an invocation's body could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The text of a field is broken. `position` counts bytes in the field's own text, after the
    /// host's outer encoding is taken off (for `body`: in the request body).
    #[error("cannot read {field} at byte {position}: {problem}")]
    Malformed {
        /// Path of the field, for example `Metadata.SystemPropertiesArray[17]`.
        field: String,
        /// Offset in bytes from the start of the field's text.
        position: usize,
        /// What is wrong there.
        problem: Problem,
    },
    /// A field that the trigger always has is absent.
    #[error("{field} is missing; check that the function's trigger type is the one this handler expects")]
    Missing {
        /// Path of the field.
        field: String,
    },
    /// The arrays of one batch have different lengths.
    #[error("{field} has {found} entries where the batch has {expected} events")]
    LengthMismatch {
        /// Path of the array.
        field: String,
        /// Number of events in `Data`.
        expected: usize,
        /// Number of entries in the array.
        found: usize,
    },
    /// The function has further `in` bindings, so the trigger's has to be named.
    #[error("`Data` holds both `{first}` and `{second}`; name the trigger's binding")]
    Ambiguous {
        /// The first binding in the body.
        first: String,
        /// The second binding in the body.
        second: String,
    },
    /// The host copies fields of a JSON message over its own metadata when cardinality is one, so the
    /// sender may have written this field.
    #[error(
        "{field} may have been overwritten by a field of the message; \
         set `cardinality` to `many` and `dataType` to `binary` in function.json"
    )]
    Shadowed {
        /// Path of the field.
        field: String,
    },
    /// A nested document has members of unexpected types.
    #[error("{field} has an unexpected shape: {cause}")]
    Shape {
        /// Path of the field.
        field: String,
        /// What the JSON reader said.
        cause: String,
    },
    /// The body is larger than the decoder's offsets can address.
    #[error("the body has {length} bytes; at most {limit} can be decoded")]
    TooLarge {
        /// Length of the body in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// A problem at a byte position, not yet tied to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) position: usize,
    pub(crate) problem: Problem,
}

impl Fault {
    pub(crate) fn in_field(self, field: &str) -> DecodeError {
        DecodeError::Malformed { field: shorten(field), position: self.position, problem: self.problem }
    }
}

impl DecodeError {
    pub(crate) fn missing(field: &str) -> Self {
        Self::Missing { field: shorten(field) }
    }

    pub(crate) fn shape(field: &str, cause: &serde_json::Error) -> Self {
        Self::Shape { field: shorten(field), cause: cause.to_string() }
    }
}

/// Cuts a name that may come from the body to a length fit for a log line.
pub(crate) fn shorten(name: &str) -> String {
    if name.len() <= LONGEST_NAME {
        return name.to_owned();
    }
    let mut end = LONGEST_NAME;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &name[..end])
}
