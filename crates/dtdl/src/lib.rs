//! DTDL v2 and v3: parser and validator, without IO.
//!
//! A document goes through two steps. `read` turns each JSON document into an [`Interface`] and checks all that can
//! be checked inside it: types, names, identifiers, limits. `model_set` links interfaces: inheritance, components,
//! references between schemas, nesting. What comes out is a [`ModelSet`], from which a [`ResolvedInterface`] is
//! looked up by identifier, with everything that it inherits in one place. [`validate_value`] checks a JSON value
//! against a resolved schema; it serves twins, patches and relationships alike.
//!
//! Source: the DTDL v2 and v3 language descriptions, and the page "Learn about twin models" for what
//! Azure Digital Twins narrows ([`Rules::DigitalTwins`]).

mod context;
mod dtmi;
mod element;
mod error;
mod model_set;
mod read;
mod resolve;
mod semantics;
mod time;
mod value;

pub use dtmi::{Dtmi, DtmiError, MAX_IDENTIFIER, MAX_INTERFACE_IDENTIFIER};
pub use element::{
    Content, ContentKind, Description, EnumSchema, EnumValues, Field, Interface, Language, Localised,
    Primitive, Property, Relationship, Schema,
};
pub use error::{ErrorKind, ModelError};
pub use model_set::{ModelSet, ResolvedContent, ResolvedInterface};
pub use value::{Fault, validate_value};

/// Which rules a model must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rules {
    /// The language, and what Azure Digital Twins narrows: no interface written inside another.
    #[default]
    DigitalTwins,
    /// The language alone.
    Language,
}

/// Parses and links documents by the rules of the language alone.
pub fn parse(documents: &[serde_json::Value]) -> Result<ModelSet, Vec<ModelError>> {
    ModelSet::new(Rules::Language).with(documents)
}
