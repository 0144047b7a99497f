//! DTDL v2 and v3: parser and validator, without IO.
//!
//! A parse goes through these steps. `jsonld` reads texts into objects with keywords, properties and places. `parse` turns
//! each object into an element, by the grammar and the tables in `meta`, in the `scope` that its contexts make. `link` follows
//! references, asking a resolver for models that are missing. `check` looks at the whole: inheritance, nesting, counts,
//! uniqueness, what extensions ask. `publish` makes the plain types that callers work with. `codes` has the words of every
//! error. Each step notes all errors that it finds; the next one begins only when there are none.
//!
//! What comes out is a [`ModelSet`], from which a [`ResolvedInterface`] is looked up by identifier, with everything that it
//! inherits in one place. [`validate_value`] checks a JSON value against a schema, [`validate_twin`] and [`validate_patch`]
//! a whole twin.
//!
//! Source: the DTDL v2 and v3 language descriptions and those of their feature extensions, and the page "Learn about twin
//! models" for what Azure Digital Twins narrows ([`Rules::DigitalTwins`]). Error codes are those of the official parser.

mod check;
mod codes;
mod dtmi;
mod element;
mod error;
mod fault;
mod graph;
mod jsonld;
mod link;
mod meta;
mod model_set;
mod options;
mod parse;
mod publish;
mod render;
mod scope;
mod session;
mod source;
mod time;
mod twin;
mod value;

pub use dtmi::{Dtmi, DtmiError, MAX_IDENTIFIER, MAX_INTERFACE_IDENTIFIER};
pub use element::{
    Content, ContentKind, Description, EnumSchema, EnumValues, Field, Interface, Language, Localised,
    Primitive, Property, Relationship, Schema, Shape,
};
pub use error::{ErrorKind, ModelError, error_codes};
pub use model_set::{Loaded, ModelSet, ResolvedContent, ResolvedInterface};
pub use options::{Options, Rules, UndefinedExtensions};
pub use source::{Location, Source};
pub use twin::{validate_patch, validate_relationship, validate_twin};
pub use value::{Fault, validate_text, validate_value};

/// Parses and links documents by the rules of the language alone.
pub fn parse(documents: &[serde_json::Value]) -> Result<ModelSet, Vec<ModelError>> {
    ModelSet::new(Rules::Language).with(documents)
}

/// Parses and links sources by the rules of the language alone.
pub fn parse_sources(sources: Vec<Source>) -> Result<ModelSet, Vec<ModelError>> {
    ModelSet::new(Rules::Language).load(sources).map(|loaded| loaded.models)
}
