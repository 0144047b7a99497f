//! Parsed elements and the links between them.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::element::Localised;
use crate::jsonld::{Object, Property};
use crate::meta::class::{Class, Range};
use crate::meta::{Constraint, SupplementalType, metamodel};
use crate::source::{Document, Span};

/// Identifier of an element.
pub(crate) type Id = Arc<str>;

/// A plain value of an element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Whole(i32),
    Number(f64),
    Flag(bool),
    Words(Localised),
}

/// A value of a supplemental property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Extra {
    Literal(Literal),
    Identifier(Id),
    Elements(Vec<Id>),
    /// Read and of no further use.
    Other,
}

/// The text that an element comes from.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) document: u32,
    pub(crate) object: Arc<Object>,
}

/// An element of a model.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) id: Id,
    pub(crate) class: Class,
    pub(crate) version: u8,
    /// The interface that it is written in; nothing for interfaces and elements of the language.
    pub(crate) defined_in: Option<Id>,
    pub(crate) child_of: Option<Id>,
    pub(crate) supplemental: Vec<Id>,
    pub(crate) undefined: Vec<String>,
    pub(crate) literals: Vec<(&'static str, Literal)>,
    /// Other elements by property, in the order of the text.
    pub(crate) refs: Vec<(&'static str, Id)>,
    /// Values of supplemental properties by the identifier of the property.
    pub(crate) extras: Vec<(Id, Extra)>,
    /// Nothing once the model has been accepted.
    pub(crate) site: Option<Site>,
}

impl Element {
    /// An element that the language defines.
    pub(crate) fn standard(id: Id, class: Class, version: u8) -> Self {
        Self {
            id,
            class,
            version,
            defined_in: None,
            child_of: None,
            supplemental: Vec::new(),
            undefined: Vec::new(),
            literals: Vec::new(),
            refs: Vec::new(),
            extras: Vec::new(),
            site: None,
        }
    }

    pub(crate) fn all<'a>(&'a self, property: &'a str) -> impl Iterator<Item = &'a Id> {
        self.refs.iter().filter(move |(name, _)| *name == property).map(|(_, id)| id)
    }

    pub(crate) fn one(&self, property: &str) -> Option<&Id> {
        self.refs.iter().find(|(name, _)| *name == property).map(|(_, id)| id)
    }

    pub(crate) fn literal(&self, property: &str) -> Option<&Literal> {
        self.literals.iter().find(|(name, _)| *name == property).map(|(_, literal)| literal)
    }

    pub(crate) fn text(&self, property: &str) -> Option<&str> {
        match self.literal(property) {
            Some(Literal::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.text("name")
    }

    pub(crate) fn extra(&self, property: &str) -> Option<&Extra> {
        self.extras.iter().find(|(name, _)| &**name == property).map(|(_, extra)| extra)
    }

    pub(crate) fn supplemental_types(&self) -> impl Iterator<Item = &'static SupplementalType> {
        self.supplemental.iter().filter_map(|id| metamodel().supplemental(id))
    }

    /// True when the element's class or one of its supplemental types is this type or below it.
    pub(crate) fn is_a(&self, kind: &str) -> bool {
        let class = kind
            .strip_prefix("dtmi:dtdl:class:")
            .map(|rest| rest.split(';').next().unwrap_or(rest))
            .is_some_and(|name| self.class.is_a(name));
        class || self.supplemental_types().any(|own| metamodel().line(own).any(|above| &*above.id == kind))
    }

    pub(crate) fn span(&self) -> Option<Span> {
        let site = self.site.as_ref()?;
        Some(Span { document: site.document, start: site.object.start, end: site.object.end })
    }

    pub(crate) fn types_span(&self) -> Option<Span> {
        let site = self.site.as_ref()?;
        site.object.types.as_ref()?;
        Some(point(site.document, site.object.types_at))
    }

    /// Where the name of a property stands.
    pub(crate) fn property_span(&self, name: &str) -> Option<Span> {
        let site = self.site.as_ref()?;
        self.written(name).map(|property| point(site.document, property.at))
    }

    /// The property as written: by its term or, failing that, by its identifier.
    pub(crate) fn written(&self, name: &str) -> Option<&Property> {
        let object = &self.site.as_ref()?.object;
        object
            .property(name)
            .or_else(|| object.properties.iter().find(|property| metamodel().term(&property.name) == name))
    }
}

/// The span of one token.
pub(crate) fn point(document: u32, at: u32) -> Span {
    Span { document, start: at, end: at }
}

/// From an element to another, before the other is known to exist.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) from: Id,
    pub(crate) property: LinkProperty,
    pub(crate) to: Id,
    /// The value as written, where it is a reference.
    pub(crate) written: Option<String>,
    /// What the target must be, where that is not known from the text.
    pub(crate) range: Option<Range>,
    pub(crate) versions: Option<&'static [u8]>,
    pub(crate) child_of: Option<Id>,
    /// The target must have a name.
    pub(crate) named: bool,
    pub(crate) property_at: Span,
    pub(crate) value_at: Span,
}

/// Which property a link stands in.
#[derive(Debug, Clone)]
pub(crate) enum LinkProperty {
    Own(&'static str),
    Supplemental(Id),
}

impl LinkProperty {
    /// The name of an own property, the identifier of a supplemental one.
    pub(crate) fn full(&self) -> &str {
        match self {
            Self::Own(name) => name,
            Self::Supplemental(id) => id,
        }
    }

    /// The name, as a term where there is one.
    pub(crate) fn term(&self) -> &str {
        match self {
            Self::Own(name) => name,
            Self::Supplemental(id) => metamodel().term(id),
        }
    }
}

/// What a supplemental type of an element asks of the value of a property.
#[derive(Debug, Clone)]
pub(crate) enum Demand {
    /// A constraint of the tables.
    Table(&'static Constraint),
    /// The value must have this type.
    Kind(Id),
}

/// A demand on one value.
#[derive(Debug, Clone)]
pub(crate) struct Demanded {
    pub(crate) from: Id,
    pub(crate) property: String,
    pub(crate) to: Id,
    pub(crate) demand: Demand,
}

/// Everything that one call parses, with what it refers to.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) documents: Vec<Document>,
    /// Top-level objects with their documents.
    pub(crate) roots: Vec<(u32, Arc<Object>)>,
    pub(crate) elements: IndexMap<Id, Arc<Element>>,
    pub(crate) links: Vec<Link>,
    pub(crate) demands: Vec<Demanded>,
    /// Elements of this call, in the order of the text; all others were accepted before.
    pub(crate) fresh: Vec<Id>,
    /// For each element with supplemental types: which elements hold it, under which property.
    pub(crate) parents: IndexMap<Id, Vec<(Id, String)>>,
    /// Contents of an interface by name, inherited ones included.
    pub(crate) contents: HashMap<Id, IndexMap<String, Id>>,
}

impl Graph {
    /// An element of a user or of the language.
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Element>> {
        self.elements.get(id).or_else(|| metamodel().element(id))
    }

    /// A fresh element, to be completed.
    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Element> {
        self.elements.get_mut(id).map(Arc::make_mut)
    }

    pub(crate) fn fresh_elements(&self) -> impl Iterator<Item = &Arc<Element>> {
        self.fresh.iter().filter_map(|id| self.elements.get(id))
    }

    /// The child of a name under a property, inherited contents included.
    pub(crate) fn child(&self, parent: &str, property: &str, name: &str) -> Option<&Arc<Element>> {
        if property == "contents" {
            return self.get(self.contents.get(parent)?.get(name)?);
        }
        None
    }
}
