//! The properties of an element: its class's own, those of its supplemental types, and all others.

use std::collections::HashMap;
use std::sync::Arc;

use super::types::Types;
use super::{Parser, Place};
use crate::fault::{Fault, Stop};
use crate::graph::{Demand, Element, Extra, Id, LinkProperty, Literal};
use crate::jsonld::{Object, Property};
use crate::meta::grammar::{Rule, Takes, rule, rules};
use crate::meta::{Constraint, metamodel};
use crate::scope::Scope;
use crate::source::Span;

impl Parser<'_> {
    pub(super) fn properties(
        &mut self,
        element: &mut Element,
        object: &Object,
        scope: &Arc<Scope>,
        types: &Types,
        inner: Option<&Id>,
    ) -> Result<(), Stop> {
        // A class has a handful of properties: a list is faster than a map.
        let mut seen: Vec<(&'static str, Span)> = Vec::new();
        let mut extras: HashMap<Id, Span> = HashMap::new();
        for property in &object.properties {
            let at = self.property_span(property);
            if let Some(rule) = rule(element.class, element.version, &property.name) {
                if let Some((_, first)) = seen.iter().find(|(name, _)| *name == rule.name) {
                    let fault = Fault::new("duplicatePropertyName").element(&element.id).property(rule.name);
                    self.faults.push(fault.at(at).also(*first));
                } else {
                    seen.push((rule.name, at));
                    self.own(element, rule, property, scope, inner)?;
                }
            } else if !self.extra(element, &mut extras, property, scope, types, inner)? {
                self.unknown(element, object, property, scope, types);
            }
        }
        for rule in rules(element.class, element.version) {
            if rule.required && !seen.iter().any(|(name, _)| *name == rule.name) {
                let code = match rule.takes {
                    Takes::Elements(_) => "missingObjectProperty",
                    _ => "missingLiteralProperty",
                };
                let at = self.object_span(object);
                self.faults.push(Fault::new(code).element(&element.id).property(rule.name).at(at));
            }
        }
        self.missing_extras(element, object, &extras, types)
    }

    fn own(
        &mut self,
        element: &mut Element,
        rule: &'static Rule,
        property: &Property,
        scope: &Arc<Scope>,
        inner: Option<&Id>,
    ) -> Result<(), Stop> {
        let id = Arc::clone(&element.id);
        let literal = match rule.takes {
            Takes::Text { longest, pattern } => self
                .text(&id, rule.name, property, scope, Some(longest), pattern, rule.required)
                .map(Literal::Text),
            Takes::Words { longest } => {
                Some(Literal::Words(self.words(&id, rule.name, property, scope, Some(longest))))
            }
            Takes::Whole { least, most } => {
                self.whole(&id, rule.name, property, scope, least, most, rule.required).map(Literal::Whole)
            }
            Takes::Flag => self.flag(&id, rule.name, property, scope, rule.required).map(Literal::Flag),
            Takes::Literal => self.literal(&id, rule.name, property, scope),
            Takes::Target => {
                if let Some(target) = self.target(&id, rule.name, property, scope) {
                    element.extras.push((rule.name.into(), Extra::Identifier(target)));
                }
                None
            }
            Takes::Elements(takes) => {
                let demands = demands(element, rule.name);
                let name = LinkProperty::Own(rule.name);
                let place = Place {
                    parent: Some(&id),
                    property: Some((&name, property)),
                    defined_in: inner.cloned(),
                    takes,
                    demands: &demands,
                };
                self.elements(property, scope, &place)?;
                None
            }
        };
        element.literals.extend(literal.map(|literal| (rule.name, literal)));
        Ok(())
    }

    /// A property that neither the class nor a supplemental type has.
    fn unknown(
        &mut self,
        element: &Element,
        object: &Object,
        property: &Property,
        scope: &Scope,
        types: &Types,
    ) {
        let v2 = element.version == 2;
        let name = property.name.as_str();
        let types_at = object.types.as_ref().map(|_| self.point(object.types_at));
        let code = if v2 {
            None
        } else if scope.dtmi(name).is_some() {
            (!scope.open).then_some("propertyIrrelevantDtmiOrTerm")
        } else if name.starts_with("dtmi:") {
            Some("propertyInvalidDtmi")
        } else if name.contains(':') {
            Some("propertyNotDtmiNorTerm")
        } else {
            (!scope.open).then_some("propertyUndefinedTerm")
        };
        let at = self.property_span(property);
        if let Some(code) = code {
            let mut fault = Fault::new(code).element(&element.id).property(name).at(at);
            match code {
                "propertyIrrelevantDtmiOrTerm" => fault.also = types_at,
                "propertyUndefinedTerm" => fault.restriction = Some(element.version.to_string()),
                _ => {}
            }
            fault.transformation = Some(self.nearest(element, name));
            self.faults.push(fault);
        } else if types.undefined.is_empty() {
            let code = if object.types.is_some() { "noTypeThatAllows" } else { "inferredTypeDoesNotAllow" };
            let mut fault = Fault::new(code).element(&element.id).property(name).at(at);
            fault.also = types_at;
            if object.types.is_none() {
                fault.kind = Some(element.class.name().to_owned());
                fault.also = Some(self.object_span(object));
            }
            fault.transformation = Some(self.nearest(element, name));
            self.faults.push(fault);
        }
    }

    /// The properties that would be known, the likeliest first.
    fn nearest(&self, element: &Element, name: &str) -> String {
        let mut known: Vec<&str> = rules(element.class, element.version).map(|rule| rule.name).collect();
        for kind in element.supplemental_types() {
            known.extend(kind.properties.iter().map(|property| metamodel().term(&property.id)));
        }
        known.sort_by_key(|known| distance(known, name));
        known.join(", ")
    }
}

/// What the supplemental types of an element ask of the values of a property.
pub(super) fn demands(element: &Element, property: &str) -> Vec<Demand> {
    let lines = element.supplemental_types().flat_map(|kind| metamodel().line(kind));
    let constraints = lines.flat_map(|kind| &kind.constraints);
    let fits = |constraint: &&'static Constraint| match constraint {
        Constraint::Types { property: of, .. }
        | Constraint::Values { property: of, .. }
        | Constraint::SiblingParent { property: of, .. } => of == property,
        Constraint::Parent { .. } => false,
    };
    constraints.filter(fits).map(Demand::Table).collect()
}

/// How far two names are apart; names of any length cost little.
fn distance(known: &str, given: &str) -> usize {
    let given: Vec<char> = given.chars().take(64).map(|letter| letter.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=given.len()).collect();
    for (line, letter) in known.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..given.len() {
            let change = usize::from(letter.to_ascii_lowercase() != given[column]);
            let best = (diagonal + change).min(row[column] + 1).min(row[column + 1] + 1);
            diagonal = row[column + 1];
            row[column + 1] = best;
        }
    }
    row[given.len()]
}
