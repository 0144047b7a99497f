//! Elements, in place or by reference.

use std::sync::Arc;

use super::{Parser, Place};
use crate::dtmi::MAX_INTERFACE_IDENTIFIER;
use crate::fault::{Fault, Stop};
use crate::graph::{Demand, Demanded, Element, Id, Link, LinkProperty, Site};
use crate::jsonld::{Object, Property, Value};
use crate::meta::metamodel;
use crate::options::Rules;
use crate::scope::Scope;
use crate::source::Span;

/// Largest interface of version 3 in UTF-16 units, without the interfaces written in it.
const LARGEST_INTERFACE: usize = 1 << 20;

impl Parser<'_> {
    /// The values of a property that takes elements.
    pub(super) fn elements(
        &mut self,
        property: &Property,
        scope: &Arc<Scope>,
        place: &Place<'_>,
    ) -> Result<(), Stop> {
        let (Some(parent), Some((name, _))) = (place.parent, place.property) else { return Ok(()) };
        let mut count = 0;
        for node in &property.values.list {
            if !place.takes.plural && count > 0 {
                let fault = Fault::new("objectMultipleValues").element(parent).property(name.term());
                let at = self.values_span(property);
                self.faults.push(fault.at(at));
                return Ok(());
            }
            match &node.value {
                Value::Text(text) => match scope.dtmi(text) {
                    Some(id) => {
                        self.reference(id, text, self.node_span(node), place);
                        count += 1;
                    }
                    None => {
                        let fault = Fault::new("badDtmiOrTerm")
                            .element(parent)
                            .property(name.term())
                            .value(text)
                            .restriction(scope.version().to_string())
                            .transformation(place.takes.range.names());
                        let (at, also) = (self.property_span(property), self.node_span(node));
                        self.faults.push(fault.at(at).also(also));
                    }
                },
                Value::Object(object) => {
                    if self.element(object, scope, place)? {
                        count += 1;
                    }
                }
                _ => {
                    let fault = Fault::new("refNotStringOrObject").element(parent).property(name.term());
                    let (at, also) = (self.property_span(property), self.node_span(node));
                    self.faults.push(fault.at(at).also(also));
                }
            }
        }
        if count < place.takes.least {
            let fault = Fault::new("objectCountBelowMin")
                .element(parent)
                .property(name.term())
                .restriction(place.takes.least.to_string());
            let at = self.property_span(property);
            self.faults.push(fault.at(at));
        }
        Ok(())
    }

    /// Notes that an element refers to another.
    fn reference(&mut self, to: Id, written: &str, value_at: Span, place: &Place<'_>) {
        let (Some(parent), Some((name, property))) = (place.parent, place.property) else { return };
        self.demand(parent, name.term(), &to, place.demands);
        self.graph.links.push(Link {
            from: Arc::clone(parent),
            property: name.clone(),
            to,
            written: Some(written.to_owned()),
            range: Some(place.takes.range),
            versions: Some(place.takes.versions),
            child_of: None,
            named: place.takes.named && name.term() == "contents",
            property_at: self.property_span(property),
            value_at,
        });
    }

    pub(super) fn demand(&mut self, from: &Id, property: &str, to: &Id, demands: &[Demand]) {
        self.graph.demands.extend(demands.iter().map(|demand| Demanded {
            from: Arc::clone(from),
            property: property.to_owned(),
            to: Arc::clone(to),
            demand: demand.clone(),
        }));
    }

    /// Parses an element written in place; false where it cannot be used.
    pub(super) fn element(
        &mut self,
        object: &Arc<Object>,
        outer: &Arc<Scope>,
        place: &Place<'_>,
    ) -> Result<bool, Stop> {
        let scope = outer.enter(object, self.document, self.options, self.faults)?;
        // Version 2 was read laxly once.
        let lax = self.tolerate && outer.version() < 3;
        if object.count == 1
            && let Some(id) = &object.id
        {
            return Ok(self.id_reference(id, object, &scope, place, lax));
        }
        self.stray_keywords(object, &scope, place);
        if !place.takes.versions.contains(&scope.version()) {
            let versions: Vec<String> = place.takes.versions.iter().map(u8::to_string).collect();
            let fault = Fault::new("disallowedVersionDefinition")
                .element_if(place.parent)
                .property(place.term())
                .value(scope.version().to_string())
                .restriction(versions.join(" ,"));
            self.faults.push(fault.at(scope.named_at));
        }
        let id = self.identifier(object, &scope, place, lax)?;
        if self.is_duplicate(&id, object, place, lax) {
            return Ok(false);
        }
        let Some(types) = self.types(object, &id, &scope, place) else { return Ok(false) };
        let version = scope.version();
        if types.class.is_interface() {
            self.interface_limits(&id, object, version, place);
        }
        let mut element = Element::standard(Arc::clone(&id), types.class, version);
        element.supplemental = self.cotypes(&types, object, &id, version);
        element.undefined = types.undefined.clone();
        element.child_of = place.parent.cloned();
        element.defined_in = place.defined_in.clone();
        element.site = Some(Site { document: self.document, object: Arc::clone(object) });
        let inner = if types.class.is_interface() { Some(Arc::clone(&id)) } else { place.defined_in.clone() };
        self.properties(&mut element, object, &scope, &types, inner.as_ref())?;
        if self.graph.elements.insert(Arc::clone(&id), Arc::new(element)).is_none() {
            self.graph.fresh.push(Arc::clone(&id));
        }
        if let (Some(parent), Some((name, property))) = (place.parent, place.property) {
            self.demand(parent, name.term(), &id, place.demands);
            self.graph.links.push(Link {
                from: Arc::clone(parent),
                property: name.clone(),
                to: id,
                written: None,
                range: None,
                versions: None,
                child_of: None,
                named: place.takes.named && name.term() == "contents",
                property_at: self.property_span(property),
                value_at: self.object_span(object),
            });
        }
        Ok(true)
    }

    /// `{"@id": …}` alone.
    fn id_reference(
        &mut self,
        id: &str,
        object: &Object,
        scope: &Scope,
        place: &Place<'_>,
        lax: bool,
    ) -> bool {
        let target = scope.dtmi(id).filter(|_| lax && place.parent.is_some());
        if let Some(target) = target {
            self.reference(target, id, self.object_span(object), place);
            return true;
        }
        let code = if lax { "idRefBadDtmiOrTerm" } else { "idReference" };
        let at = if lax { self.point(object.id_at) } else { self.object_span(object) };
        let mut fault = Fault::new(code).element_if(place.parent).property(place.term()).value(id).at(at);
        if lax {
            fault.restriction = Some(scope.version().to_string());
        }
        self.faults.push(fault);
        false
    }

    fn stray_keywords(&mut self, object: &Object, scope: &Scope, place: &Place<'_>) {
        if let Some(at) = object.graph {
            let fault = Fault::new("graphDisallowed").element_if(place.parent).property(place.term());
            let at = self.point(at);
            self.faults.push(fault.at(at));
        }
        if scope.version() > 2 {
            for (keyword, at) in self.keywords(object) {
                let fault = Fault::new("keywordDisallowed")
                    .element_if(place.parent)
                    .property(place.term())
                    .value(keyword);
                let at = self.point(at);
                self.faults.push(fault.at(at));
            }
        }
    }

    /// An identifier stands for one element.
    fn is_duplicate(&mut self, id: &Id, object: &Object, place: &Place<'_>, lax: bool) -> bool {
        let Some(other) = self.graph.elements.get(id).cloned() else { return false };
        let Some(site) = &other.site else {
            let at = self.point(object.id_at);
            self.faults.push(Fault::new("modelExists").element(id).at(at));
            return true;
        };
        if id.contains(":_") {
            if !lax && place.takes.named {
                let mine = object.properties.iter().find(|own| metamodel().term(&own.name) == "name");
                let value = mine.and_then(|own| match &own.values.list.first()?.value {
                    Value::Text(text) => Some(text.clone()),
                    _ => None,
                });
                let mut fault = Fault::new("nonUniquePropertyValue")
                    .element_if(place.parent)
                    .property(place.term())
                    .aux("name")
                    .at(other.property_span("name"))
                    .also(mine.map(|own| self.property_span(own)));
                fault.value = value;
                self.faults.push(fault);
            }
            return true;
        }
        let first = crate::graph::point(site.document, site.object.id_at);
        let second = self.point(object.id_at);
        self.faults.push(Fault::new("duplicateDefinition").element(id).at(first).also(second));
        true
    }

    fn interface_limits(&mut self, id: &Id, object: &Object, version: u8, place: &Place<'_>) {
        if id.chars().count() > MAX_INTERFACE_IDENTIFIER {
            let fault = Fault::new("idTooLongForType").value(&**id).kind("Interface");
            let at = self.point(object.id_at);
            self.faults.push(fault.restriction(MAX_INTERFACE_IDENTIFIER.to_string()).at(at));
        }
        if place.parent.is_some() && self.options.rules == Rules::DigitalTwins {
            let fault = Fault::new("inlineInterface").element(id).property(place.term());
            let at = self.object_span(object);
            self.faults.push(fault.at(at));
        }
        let length = (object.end - object.start) as usize + 1;
        // Few interfaces come near the limit: only those are measured exactly.
        if version > 2 && length > LARGEST_INTERFACE {
            let text = self.graph.documents.last().map_or("", |document| &document.text);
            let units = own_units(text, object);
            if units > LARGEST_INTERFACE {
                let fault = Fault::new("partitionTooLarge").element(id).value("Interface");
                let at = self.object_span(object);
                self.faults.push(fault.restriction(LARGEST_INTERFACE.to_string()).at(at));
            }
        }
    }

    /// Where a supplemental property takes an element that only its extension could define.
    pub(super) fn no_element(&mut self, parent: &Id, name: &LinkProperty, property: &Property, at: Span) {
        let fault = Fault::new("refObjectNotAllowed").element(parent).property(name.term());
        let first = self.property_span(property);
        self.faults.push(fault.at(first).also(at));
    }
}

/// Length of an interface in UTF-16 units with the interfaces written in it counted as references.
fn own_units(text: &str, object: &Object) -> usize {
    let slice = |start: u32, end: u32| text.get(start as usize..=end as usize).unwrap_or_default();
    let mut units = slice(object.start, object.end).encode_utf16().count();
    let mut open: Vec<&Object> = vec![object];
    while let Some(next) = open.pop() {
        for node in next.properties.iter().flat_map(|property| &property.values.list) {
            let Value::Object(inner) = &node.value else { continue };
            if inner.has_type("Interface") {
                units -= slice(inner.start, inner.end).encode_utf16().count();
                units += inner.id.as_ref().map_or(0, |id| id.len()) + 2;
            } else {
                open.push(inner);
            }
        }
    }
    units
}
