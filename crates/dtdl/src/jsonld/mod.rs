//! JSON-LD as DTDL uses it: objects with keywords and properties, each with its place in the text.
//!
//! Everything that the grammar of JSON-LD forbids wherever it stands is refused here, before any rule of the language
//! is looked at. Arrays are flat: JSON-LD makes no difference between a list and a list in a list.

mod read;
mod text;

use std::sync::Arc;

pub(crate) use read::read;

/// A value with the first byte of its first and of its last token.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    Object(Arc<Object>),
}

/// The values of a property, or of a whole document.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) list: Vec<Node>,
    /// True where they stand in an array, even in one of one value.
    pub(crate) plural: bool,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A name with its values; `at` is the first byte of the name.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) at: u32,
    pub(crate) values: Values,
}

/// An object: its keywords by name, everything else as properties in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Object {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Number of names, keywords included.
    pub(crate) count: usize,
    pub(crate) graph: Option<u32>,
    pub(crate) context: Option<Vec<ContextPart>>,
    pub(crate) context_at: u32,
    /// Empty where the text holds something else than a string.
    pub(crate) id: Option<String>,
    pub(crate) id_at: u32,
    /// `None` inside the list stands for something else than a string.
    pub(crate) types: Option<Vec<Option<String>>>,
    pub(crate) types_at: u32,
    pub(crate) value: Option<Node>,
    pub(crate) value_at: u32,
    /// Empty where the text holds something else than a string.
    pub(crate) language: Option<String>,
    pub(crate) language_at: u32,
    /// Keywords that JSON-LD knows and DTDL does not.
    pub(crate) keywords: Vec<(String, u32)>,
    pub(crate) properties: Vec<Property>,
}

/// An entry of `@context`.
#[derive(Debug)]
pub(crate) enum ContextPart {
    /// The identifier of a context.
    Remote { id: String, start: u32 },
    /// Definitions written in place, which no version that is read here allows.
    Local { start: u32, end: u32 },
}

impl Object {
    /// True when the element has this type, as a term or as an identifier.
    pub(crate) fn has_type(&self, name: &str) -> bool {
        self.types.iter().flatten().flatten().any(|entry| entry == name)
    }

    /// The property of a name.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }
}

impl ContextPart {
    /// First bytes of the first and the last token.
    pub(crate) fn range(&self) -> (u32, u32) {
        match self {
            Self::Remote { start, .. } => (*start, *start),
            Self::Local { start, end } => (*start, *end),
        }
    }
}
