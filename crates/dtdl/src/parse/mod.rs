//! From JSON-LD to elements: everything that can be said of an element without knowing the others.

mod elements;
mod extras;
mod identifier;
mod iri;
mod literal;
mod properties;
mod types;
mod words;

use std::sync::Arc;

use crate::fault::{Fault, Faults, Stop};
use crate::graph::{Demand, Graph, Id, LinkProperty, point};
use crate::jsonld::{self, Node, Object, Property, Value};
use crate::meta::class::{Class, Range};
use crate::meta::grammar::Elements;
use crate::options::Options;
use crate::scope::Scope;
use crate::source::{Document, Source, Span, offset};

/// Parses the documents of one round into a graph.
pub(crate) struct Parser<'a> {
    pub(crate) options: &'a Options,
    pub(crate) graph: &'a mut Graph,
    pub(crate) faults: &'a mut Faults,
    document: u32,
    tolerate: bool,
}

/// Where an element stands.
struct Place<'p> {
    parent: Option<&'p Id>,
    property: Option<(&'p LinkProperty, &'p Property)>,
    /// The interface around it.
    defined_in: Option<Id>,
    takes: Elements,
    /// What supplemental types of the parent ask of it.
    demands: &'p [Demand],
}

impl Place<'_> {
    fn term(&self) -> &str {
        self.property.map_or("", |(property, _)| property.term())
    }
}

/// What a top-level element must be.
const ROOT: Elements = Elements {
    range: Range::One(Class::Interface),
    plural: true,
    least: 0,
    most: None,
    needs_id: true,
    needs_type: true,
    versions: &[2, 3],
    named: false,
};

impl<'a> Parser<'a> {
    pub(crate) fn new(options: &'a Options, graph: &'a mut Graph, faults: &'a mut Faults) -> Self {
        Self { options, graph, faults, document: 0, tolerate: false }
    }

    /// Parses sources; unless the options say otherwise, the faults of one do not keep the next one from being parsed.
    pub(crate) fn sources(&mut self, sources: Vec<Source>, tolerate: bool) {
        for source in sources {
            if self.options.stop_at_faulty_source && self.faults.any() {
                return;
            }
            self.source(source, tolerate);
        }
    }

    fn source(&mut self, source: Source, tolerate: bool) {
        self.document = offset(self.graph.documents.len());
        self.tolerate = tolerate;
        let length = source.text.len();
        let document = Document::new(source);
        if length > self.options.longest_source {
            let most = self.options.longest_source.to_string();
            self.graph.documents.push(document);
            let fault = Fault::new("sourceTooLarge").value(length.to_string()).restriction(most);
            self.faults.push(fault.at(point(self.document, 0)));
            return;
        }
        let outcome = jsonld::read(&document.text, self.document);
        self.graph.documents.push(document);
        match outcome {
            Err(fault) => self.faults.push(*fault),
            Ok(values) => {
                for node in &values.list {
                    // The fault that stopped a model is noted; the next model may still be looked at.
                    if self.root(node).is_err() && self.options.stop_at_faulty_source {
                        break;
                    }
                }
            }
        }
    }

    fn root(&mut self, node: &Node) -> Result<(), Stop> {
        let span = self.node_span(node);
        let Value::Object(object) = &node.value else {
            return self.faults.quit(Fault::new("notJsonObject").at(span));
        };
        self.graph.roots.push((self.document, Arc::clone(object)));
        let outside = Arc::new(Scope::default());
        let scope = outside.enter(object, self.document, self.options, self.faults)?;
        if let Some(at) = object.graph {
            return self.faults.quit(Fault::new("topLevelGraphDisallowed").at(self.point(at)));
        }
        let Some(id) = &object.id else {
            return self.faults.quit(Fault::new("missingTopLevelId").at(span));
        };
        let rootable = object.has_type("Interface")
            || object
                .types
                .iter()
                .flatten()
                .flatten()
                .any(|kind| Class::from_type(kind, scope.version()) == Some(Class::Interface));
        if !rootable {
            return self.faults.quit(Fault::new("typeNotRootable").value(id).kind("Interface").at(span));
        }
        if scope.version() > 2
            && let Some((keyword, at)) = self.keywords(object).next()
        {
            let at = self.point(at);
            return self.faults.quit(Fault::new("topLevelKeywordDisallowed").value(keyword).at(at));
        }
        let place = Place { parent: None, property: None, defined_in: None, takes: ROOT, demands: &[] };
        self.element(object, &scope, &place)?;
        Ok(())
    }

    /// Keywords that JSON-LD allows in an object and DTDL, from version 3 on, does not.
    fn keywords(&self, object: &Object) -> std::vec::IntoIter<(String, u32)> {
        let mut found = Vec::new();
        if object.language.is_some() {
            found.push(("@language".to_owned(), object.language_at));
        }
        if object.value.is_some() {
            found.push(("@value".to_owned(), object.value_at));
        }
        found.extend(object.keywords.iter().cloned());
        found.into_iter()
    }

    fn point(&self, at: u32) -> Span {
        point(self.document, at)
    }

    fn node_span(&self, node: &Node) -> Span {
        Span { document: self.document, start: node.start, end: node.end }
    }

    fn object_span(&self, object: &Object) -> Span {
        Span { document: self.document, start: object.start, end: object.end }
    }

    fn values_span(&self, property: &Property) -> Span {
        Span { document: self.document, start: property.values.start, end: property.values.end }
    }

    fn property_span(&self, property: &Property) -> Span {
        self.point(property.at)
    }
}
