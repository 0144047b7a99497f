//! What can be wrong with a model, where, and how to put it right.

use std::fmt;

use crate::codes::{self, OFFICIAL, OURS};
use crate::fault::Fault;
use crate::source::Location;

/// The kind of an error, for programs that need no finer difference.
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

/// One error of a model: which model, which element, what is wrong and how to put it right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ModelError {
    /// Stable identifier: `dtmi:dtdl:parsingError:…` as the official parser has it, or `dtmi:twinwright:parsingError:…`
    /// for what the official parser does not number.
    pub code: String,
    /// The kind of the error.
    pub kind: ErrorKind,
    /// Identifier of the model, or the name of its source where it has none.
    pub model: String,
    /// Path inside the model, as in `contents[2].schema`; empty for the model itself.
    pub path: String,
    /// Identifier of the element at fault; made from its parent's where the author gave none.
    pub element: Option<String>,
    /// Identifier of the other element, where two do not fit.
    pub related: Option<String>,
    /// The property at fault.
    pub property: Option<String>,
    /// A second property that is involved, as in the one whose values must differ.
    pub aux: Option<String>,
    /// The type at fault, or the type that is needed.
    pub of_type: Option<String>,
    /// The value at fault.
    pub value: Option<String>,
    /// What is allowed instead.
    pub restriction: Option<String>,
    /// Where it stands; nothing where a model of an earlier call is at fault.
    pub at: Option<Location>,
    /// The other place, where two do not fit.
    pub also: Option<Location>,
    /// What is wrong.
    pub message: String,
    /// What to change.
    pub hint: String,
}

impl fmt::Display for ModelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.model)?;
        if !self.path.is_empty() {
            write!(formatter, " at {}", self.path)?;
        }
        if let Some(at) = &self.at {
            write!(formatter, " (line {}, column {})", at.line, at.column)?;
        }
        write!(formatter, ": {}: {}", self.message, self.hint)
    }
}

impl ModelError {
    /// The code without its prefix, as in `missingContext`.
    pub fn short_code(&self) -> &str {
        self.code.rsplit(':').next().unwrap_or(&self.code)
    }

    /// The error as a compiler would show it: the line of the text, a mark under the place, and the hint.
    ///
    /// `text` is the text of the source that [`ModelError::at`] names; `source_name` is shown in its place.
    pub fn render(&self, source_name: &str, text: &str) -> String {
        crate::render::render(self, source_name, text)
    }

    pub(crate) fn new(
        fault: Fault,
        model: String,
        path: String,
        at: Option<Location>,
        also: Option<Location>,
    ) -> Self {
        let code = codes::find(fault.code);
        // A test looks at every code in use: one without words does not get this far.
        let (kind, prefix) = code.map_or((ErrorKind::Shape, OFFICIAL), |code| {
            (code.kind, if code.is_ours() { OURS } else { OFFICIAL })
        });
        let words = |template: fn(&codes::Code) -> &str| {
            code.map_or_else(|| fault.code.to_owned(), |code| codes::fill(template(code), &fault))
        };
        Self {
            code: format!("{prefix}{}", fault.code),
            kind,
            model,
            path,
            message: words(|code| code.wrong),
            hint: words(|code| code.fix),
            element: fault.element.as_deref().map(str::to_owned),
            related: fault.related.as_deref().map(str::to_owned),
            property: fault.property,
            aux: fault.aux,
            of_type: fault.kind,
            value: fault.value,
            restriction: fault.restriction,
            at,
            also,
        }
    }
}

/// Identifiers of every error that can be reported, in no particular order.
pub fn error_codes() -> impl Iterator<Item = String> {
    codes::all().map(|code| format!("{}{}", if code.is_ours() { OURS } else { OFFICIAL }, code.name))
}
