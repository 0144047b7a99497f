//! Identifiers as plain values: of a relationship's target, of a property that an extension names.

use super::Parser;
use crate::fault::Fault;
use crate::graph::Id;
use crate::jsonld::{Property, Value};
use crate::scope::{Iri, Scope};

impl Parser<'_> {
    /// The target of a relationship.
    pub(super) fn target(&mut self, id: &Id, name: &str, property: &Property, scope: &Scope) -> Option<Id> {
        match self.iri(id, name, property, scope, false, true)? {
            Iri::Dtmi(target) => Some(target),
            Iri::Other(_) => None,
        }
    }

    /// A single identifier, or a term for one.
    pub(super) fn iri(
        &mut self,
        id: &Id,
        name: &str,
        property: &Property,
        scope: &Scope,
        required: bool,
        dtmi: bool,
    ) -> Option<Iri> {
        let kind = if dtmi { "DTMI" } else { "URI" };
        let at = self.values_span(property);
        let fault = |code| Fault::new(code).element(id).property(name);
        let node = match property.values.list.as_slice() {
            [node] => node,
            [] => {
                if required {
                    self.faults.push(fault("identifierCountBelowMin").kind(kind).at(at));
                }
                return None;
            }
            _ => {
                self.faults.push(fault("identifierMultipleValues").at(at));
                return None;
            }
        };
        let at = self.node_span(node);
        let Value::Text(text) = &node.value else {
            self.faults.push(fault("identifierNotString").kind(kind).at(at));
            return None;
        };
        let iri = match scope.iri(text) {
            Some(Iri::Other(_)) if dtmi => None,
            iri => iri,
        };
        if iri.is_none() {
            let code = if dtmi { "identifierNotDtmi" } else { "identifierNotUri" };
            self.faults.push(fault(code).kind(kind).value(text).at(at));
        }
        iri
    }
}
