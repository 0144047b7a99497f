//! What supplemental types ask of one another and of the parent.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fault::{Fault, Faults};
use crate::graph::{Element, Graph, Id};
use crate::meta::{Constraint, metamodel};

pub(super) fn cotypes(graph: &Graph, faults: &mut Faults) {
    for element in graph.fresh_elements() {
        for kind in element.supplemental_types() {
            for other in kind.without.iter().filter(|other| element.supplemental.contains(other)) {
                let fault = Fault::new("disallowedCocotype").element(&element.id);
                let fault = fault.kind(metamodel().term(&kind.id)).restriction(metamodel().term(other));
                faults.push(fault.at(element.types_span()));
            }
        }
    }
    // How often each supplemental type stands among the children of one parent.
    let mut among: HashMap<(&Id, &str), HashMap<&Id, Vec<&Id>>> = HashMap::new();
    for (id, parents) in &graph.parents {
        let Some(element) = graph.get(id) else { continue };
        for (parent, property) in parents {
            let kinds = among.entry((parent, property)).or_default();
            for kind in &element.supplemental {
                let list = kinds.entry(kind).or_default();
                if !list.contains(&id) && list.len() < 16 {
                    list.push(id);
                }
            }
        }
    }
    for (id, parents) in &graph.parents {
        let Some(element) = graph.get(id) else { continue };
        for (parent, property) in parents {
            let Some(holder) = graph.get(parent) else { continue };
            let kinds = among.get(&(parent, property.as_str()));
            below(faults, element, holder, property, kinds);
        }
    }
}

fn below(
    faults: &mut Faults,
    element: &Arc<Element>,
    parent: &Element,
    property: &str,
    among: Option<&HashMap<&Id, Vec<&Id>>>,
) {
    for kind in element.supplemental_types() {
        for constraint in &kind.constraints {
            let Constraint::Parent { property: of, types, no_other, some_other } = constraint else {
                continue;
            };
            if of != property {
                continue;
            }
            let term = metamodel().term(&kind.id);
            let fault = |code, other: &str| {
                let fault = Fault::new(code).element(&element.id).property(property);
                fault.kind(term).restriction(other).at(element.types_span())
            };
            if !types.is_empty() && !types.iter().any(|kind| parent.supplemental.contains(kind)) {
                let names: Vec<&str> = types.iter().map(|kind| metamodel().term(kind)).collect();
                faults.push(fault("parentMissingCotype", &names.join(" or ")));
            }
            let others = |kind: &Id| -> Vec<&Id> {
                let all = among.and_then(|among| among.get(kind)).into_iter().flatten();
                all.copied().filter(|other| **other != element.id).collect()
            };
            for other in no_other.iter().flat_map(&others) {
                // Two of the same type are one fault, noted at the first by identifier.
                let same = no_other.as_ref() == Some(&kind.id);
                if same && element.id > *other {
                    continue;
                }
                let fault =
                    fault("siblingDuplicatesCotype", metamodel().term(no_other.as_deref().unwrap_or("")));
                faults.push(fault.related(Arc::clone(other)));
            }
            if let Some(kind) = some_other.as_ref().filter(|kind| others(kind).is_empty()) {
                faults.push(fault("siblingMissingCotype", metamodel().term(kind)));
            }
        }
    }
}
