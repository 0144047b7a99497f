//! The properties of supplemental types.

use std::collections::HashMap;
use std::sync::Arc;

use super::types::Types;
use super::{Parser, Place};
use crate::fault::{Fault, Stop};
use crate::graph::{Demand, Element, Extra, Id, Link, LinkProperty, Literal};
use crate::jsonld::{Object, Property, Value};
use crate::meta::class::{Class, Range};
use crate::meta::grammar::Elements;
use crate::meta::{SupplementalProperty, SupplementalValue, metamodel};
use crate::scope::{Iri, Scope};
use crate::source::Span;

impl Parser<'_> {
    /// Reads a property of a supplemental type; false where no type has it.
    pub(super) fn extra(
        &mut self,
        element: &mut Element,
        seen: &mut HashMap<Id, Span>,
        property: &Property,
        scope: &Arc<Scope>,
        types: &Types,
        inner: Option<&Id>,
    ) -> Result<bool, Stop> {
        let Some(name) = scope.dtmi(&property.name) else { return Ok(false) };
        let known =
            types.supplemental.iter().find_map(|kind| metamodel().supplemental(kind)?.property(&name));
        let Some(known) = known else { return Ok(false) };
        let at = self.property_span(property);
        if let Some(first) = seen.insert(Arc::clone(&name), at) {
            let fault = Fault::new("duplicatePropertyName").element(&element.id);
            self.faults.push(fault.property(metamodel().term(&name)).at(at).also(first));
            seen.insert(name, first);
            return Ok(true);
        }
        let value = self.extra_value(element, known, property, scope, inner)?;
        element.extras.extend(value.map(|value| (name, value)));
        Ok(true)
    }

    fn extra_value(
        &mut self,
        element: &Element,
        known: &'static SupplementalProperty,
        property: &Property,
        scope: &Arc<Scope>,
        inner: Option<&Id>,
    ) -> Result<Option<Extra>, Stop> {
        let (id, name, required) = (&element.id, &*known.id, !known.optional);
        Ok(match &known.takes {
            SupplementalValue::Element { kind, child_of } => {
                self.extra_elements(element, known, kind, child_of.as_ref(), property, scope, inner)?;
                None
            }
            SupplementalValue::Identifier => {
                self.iri(id, name, property, scope, required, false).map(|iri| {
                    Extra::Identifier(match iri {
                        Iri::Dtmi(id) | Iri::Other(id) => id,
                    })
                })
            }
            SupplementalValue::Text { longest, pattern } => self
                .text(id, name, property, scope, *longest, *pattern, required)
                .map(|text| Extra::Literal(Literal::Text(text))),
            SupplementalValue::Whole { least } => self
                .whole(id, name, property, scope, *least, None, required)
                .map(|number| Extra::Literal(Literal::Whole(number))),
            SupplementalValue::Number => self
                .number(id, name, property, scope, required)
                .map(|number| Extra::Literal(Literal::Number(number))),
            SupplementalValue::Flag => {
                self.flag(id, name, property, scope, required).map(|flag| Extra::Literal(Literal::Flag(flag)))
            }
            SupplementalValue::Words => {
                Some(Extra::Literal(Literal::Words(self.words(id, name, property, scope, None))))
            }
            SupplementalValue::Duration => self
                .duration(id, name, property, scope, required)
                .map(|text| Extra::Literal(Literal::Text(text))),
            SupplementalValue::Json => Some(Extra::Other),
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
    fn extra_elements(
        &mut self,
        element: &Element,
        known: &'static SupplementalProperty,
        kind: &Id,
        child_of: Option<&Id>,
        property: &Property,
        scope: &Arc<Scope>,
        inner: Option<&Id>,
    ) -> Result<(), Stop> {
        let id = &element.id;
        let name = LinkProperty::Supplemental(Arc::clone(&known.id));
        let mut count = 0;
        for node in &property.values.list {
            if !known.plural && count > 0 {
                let fault = Fault::new("objectMultipleValues").element(id).property(name.term());
                let at = self.values_span(property);
                self.faults.push(fault.at(at));
                return Ok(());
            }
            match &node.value {
                Value::Text(text) => match scope.dtmi(text) {
                    Some(to) => {
                        self.demand(id, &known.id, &to, &[Demand::Kind(Arc::clone(kind))]);
                        self.graph.links.push(Link {
                            from: Arc::clone(id),
                            property: name.clone(),
                            to,
                            written: Some(text.clone()),
                            range: None,
                            versions: None,
                            child_of: child_of.cloned(),
                            named: false,
                            property_at: self.property_span(property),
                            value_at: self.node_span(node),
                        });
                        count += 1;
                    }
                    None => {
                        let fault = Fault::new("badDtmiOrTerm")
                            .element(id)
                            .property(name.term())
                            .value(text)
                            .restriction(scope.version().to_string());
                        let (at, also) = (self.property_span(property), self.node_span(node));
                        self.faults.push(fault.at(at).also(also));
                    }
                },
                Value::Object(object) => {
                    // Only elements of classes that an extension adds could be written in place, and no
                    // extension of version 2 or 3 adds one that a supplemental property takes.
                    if metamodel().supplemental(kind).is_some() {
                        let demands = [Demand::Kind(Arc::clone(kind))];
                        let place = Place {
                            parent: Some(id),
                            property: Some((&name, property)),
                            defined_in: inner.cloned(),
                            takes: NOTHING,
                            demands: &demands,
                        };
                        count += usize::from(self.element(object, scope, &place)?);
                    } else {
                        self.no_element(id, &name, property, self.node_span(node));
                    }
                }
                _ => {
                    let fault = Fault::new("refNotStringOrObject").element(id).property(name.term());
                    let (at, also) = (self.property_span(property), self.node_span(node));
                    self.faults.push(fault.at(at).also(also));
                }
            }
        }
        if count < known.least {
            let fault = Fault::new("objectCountBelowMin")
                .element(id)
                .property(name.term())
                .restriction(known.least.to_string());
            let at = self.property_span(property);
            self.faults.push(fault.at(at));
        }
        Ok(())
    }

    /// Properties that a supplemental type needs.
    pub(super) fn missing_extras(
        &mut self,
        element: &Element,
        object: &Object,
        seen: &HashMap<Id, Span>,
        types: &Types,
    ) -> Result<(), Stop> {
        for kind in types.supplemental.iter().filter_map(|kind| metamodel().supplemental(kind)) {
            for property in &kind.properties {
                if property.optional || seen.contains_key(&property.id) {
                    continue;
                }
                let code = match property.takes {
                    SupplementalValue::Identifier => "missingSupplementalIdentifierProperty",
                    SupplementalValue::Element { .. } => "missingSupplementalObjectProperty",
                    _ => "missingSupplementalLiteralProperty",
                };
                let fault = Fault::new(code)
                    .element(&element.id)
                    .property(metamodel().term(&property.id))
                    .kind(metamodel().term(&kind.id));
                let at = self.object_span(object);
                return self.faults.quit(fault.at(at));
            }
        }
        Ok(())
    }
}

/// A place where an element may be written and no class fits.
const NOTHING: Elements = Elements {
    range: Range::One(Class::CommandType),
    plural: true,
    least: 0,
    most: None,
    needs_id: false,
    needs_type: true,
    versions: &[2, 3],
    named: false,
};
