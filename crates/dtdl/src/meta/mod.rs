//! The language as data: contexts and their terms, supplemental types, standard elements, classes.
//!
//! `metamodel.json` states facts of the language definitions (DTDL v2, DTDL v3 and their feature extensions, in the
//! Azure/opendigitaltwins-dtdl repository) in tables that a person can compare with them. It is read once, on first use.

pub(crate) mod class;
pub(crate) mod grammar;
mod load;
pub(crate) mod pattern;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use class::Class;
use pattern::Pattern;

use crate::graph::Element;

/// Everything that the language defines by itself.
#[derive(Debug)]
pub(crate) struct Metamodel {
    /// Contexts by their identifier without version, newest last.
    contexts: HashMap<String, Vec<Context>>,
    /// Terms by what they stand for, for messages.
    terms: HashMap<Arc<str>, String>,
    types: HashMap<Arc<str>, SupplementalType>,
    elements: HashMap<Arc<str>, Arc<Element>>,
    aliases: HashMap<Arc<str>, Arc<str>>,
    reserved: Vec<String>,
}

/// A version of a context: what its terms stand for.
#[derive(Debug)]
pub(crate) struct Context {
    /// Identifier without version.
    pub(crate) name: String,
    pub(crate) major: u32,
    terms: HashMap<String, Arc<str>>,
    /// Prefixes of identifiers that nobody else may define.
    pub(crate) reserved: Vec<String>,
}

/// A type that an element may have beside its class.
#[derive(Debug)]
pub(crate) struct SupplementalType {
    pub(crate) id: Arc<str>,
    pub(crate) is_abstract: bool,
    /// Stands alone, as the class of an element of an extension; never beside a class.
    pub(crate) is_material: bool,
    /// Classes that it may stand beside; empty for none.
    pub(crate) classes: Vec<Class>,
    pub(crate) versions: Vec<u8>,
    pub(crate) parent: Option<Arc<str>>,
    /// Types that must stand beside it.
    pub(crate) with: Vec<Arc<str>>,
    /// Types that must not stand beside it.
    pub(crate) without: Vec<Arc<str>>,
    /// Types beside which it may stand on any class.
    pub(crate) instead: Vec<Arc<str>>,
    pub(crate) properties: Vec<SupplementalProperty>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) siblings: Vec<Sibling>,
}

/// A property that a supplemental type adds.
#[derive(Debug)]
pub(crate) struct SupplementalProperty {
    pub(crate) id: Arc<str>,
    pub(crate) takes: SupplementalValue,
    pub(crate) optional: bool,
    pub(crate) plural: bool,
    pub(crate) least: usize,
    /// No two elements of one parent may have the same value.
    pub(crate) unique: bool,
}

/// What a supplemental property takes.
#[derive(Debug)]
pub(crate) enum SupplementalValue {
    /// Any identifier, or a term for one.
    Identifier,
    /// An element of this type, and a child of this parent where one is named.
    Element {
        kind: Arc<str>,
        child_of: Option<Arc<str>>,
    },
    Text {
        longest: Option<usize>,
        pattern: Option<Pattern>,
    },
    Whole {
        least: Option<i32>,
    },
    Number,
    Flag,
    Words,
    Duration,
    Json,
}

/// What a supplemental type asks of a property of its element.
#[derive(Debug)]
pub(crate) enum Constraint {
    /// Values must have one of these types.
    Types { property: String, types: Vec<Arc<str>> },
    /// Values must be one of these elements.
    Values { property: String, values: Vec<Arc<str>> },
    /// The value must be what the property `of`, named by this element, takes on the sibling that `key` names.
    SiblingParent { property: String, key: Arc<str>, of: Arc<str> },
    /// Where the element is a value of `property`, its parent must have one of these types.
    Parent {
        property: String,
        types: Vec<Arc<str>>,
        no_other: Option<Arc<str>>,
        some_other: Option<Arc<str>>,
    },
}

/// What a supplemental type asks of the sibling whose name stands in the property `key`.
#[derive(Debug)]
pub(crate) struct Sibling {
    pub(crate) key: Arc<str>,
    pub(crate) types: Vec<Arc<str>>,
    pub(crate) not: Option<Arc<str>>,
    /// The sibling must have the supplemental property that the value of this property names.
    pub(crate) has: Option<Arc<str>>,
    /// No other sibling may have the same value here and in `key`.
    pub(crate) unique: Option<Arc<str>>,
}

static METAMODEL: LazyLock<Metamodel> = LazyLock::new(load::load);

/// The tables.
pub(crate) fn metamodel() -> &'static Metamodel {
    &METAMODEL
}

impl Context {
    /// What a term stands for.
    pub(crate) fn term(&self, term: &str) -> Option<&Arc<str>> {
        self.terms.get(term)
    }
}

impl Metamodel {
    /// The versions of a context.
    pub(crate) fn versions(&self, name: &str) -> Option<&[Context]> {
        self.contexts.get(name).map(Vec::as_slice)
    }

    /// A term for an identifier, or the identifier.
    pub(crate) fn term<'a>(&'a self, id: &'a str) -> &'a str {
        self.terms.get(id).map_or(id, String::as_str)
    }

    pub(crate) fn supplemental(&self, id: &str) -> Option<&SupplementalType> {
        self.types.get(id)
    }

    /// An element that the language defines; aliases are followed.
    pub(crate) fn element(&self, id: &str) -> Option<&Arc<Element>> {
        self.elements.get(self.resolve(id))
    }

    /// The element that an alias stands for, or the identifier itself.
    pub(crate) fn resolve<'a>(&'a self, id: &'a str) -> &'a str {
        self.aliases.get(id).map_or(id, |id| id)
    }

    /// As [`Metamodel::resolve`], without a copy of the text.
    pub(crate) fn resolve_id(&self, id: &Arc<str>) -> Arc<str> {
        Arc::clone(self.aliases.get(id).unwrap_or(id))
    }

    /// True for identifiers that only the language or its extensions define.
    pub(crate) fn is_reserved(&self, id: &str) -> bool {
        self.reserved.iter().any(|prefix| id.starts_with(prefix))
    }

    /// The type and all types above it.
    pub(crate) fn line<'a>(
        &'a self,
        first: &'a SupplementalType,
    ) -> impl Iterator<Item = &'a SupplementalType> {
        std::iter::successors(Some(first), |kind| {
            kind.parent.as_deref().and_then(|parent| self.supplemental(parent))
        })
    }
}

impl SupplementalType {
    /// The property, of this type or of one above it.
    pub(crate) fn property(&self, id: &str) -> Option<&SupplementalProperty> {
        metamodel().line(self).find_map(|kind| kind.properties.iter().find(|property| &*property.id == id))
    }
}
