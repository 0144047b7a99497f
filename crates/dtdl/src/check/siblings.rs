//! What a content says of another content of the same interface, as an annotation does.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fault::{Fault, Faults};
use crate::graph::{Demand, Element, Extra, Graph, Id, Literal};
use crate::link::short;
use crate::meta::grammar::rules;
use crate::meta::{Constraint, Sibling, SupplementalValue, metamodel};

pub(super) fn siblings(graph: &Graph, faults: &mut Faults) {
    // Which content has spoken already of which property of which sibling.
    let mut spoken: HashMap<(&Id, String, Id), &Element> = HashMap::new();
    for (id, parents) in &graph.parents {
        let Some(element) = graph.get(id) else { continue };
        let lines = element.supplemental_types().flat_map(|kind| metamodel().line(kind));
        let siblings: Vec<&Sibling> = lines.flat_map(|kind| &kind.siblings).collect();
        for (parent, property) in parents {
            for sibling in &siblings {
                let Some(name) = named(element, &sibling.key) else { continue };
                let Some(target) = graph.child(parent, property, name) else { continue };
                if let Some(unique) = &sibling.unique
                    && let Some(Extra::Identifier(path)) = element.extra(unique)
                {
                    let key = (parent, name.to_owned(), Arc::clone(path));
                    match spoken.get(&key) {
                        Some(first) => {
                            let (by, what) = (metamodel().term(&sibling.key), metamodel().term(unique));
                            let fault = Fault::new("multipleReference")
                                .element(parent)
                                .property(property)
                                .related(Arc::clone(unique))
                                .aux(format!("'{by}' and '{what}'"))
                                .value(format!("'{name}' and '{}'", metamodel().term(path)));
                            faults.push(fault.at(first.span()).also(element.span()));
                        }
                        None => {
                            spoken.insert(key, element);
                        }
                    }
                }
                fits(faults, element, target, sibling, name);
            }
        }
    }
    overrides(graph, faults);
}

fn named<'e>(element: &'e Element, key: &str) -> Option<&'e str> {
    match element.extra(key) {
        Some(Extra::Literal(Literal::Text(name))) => Some(name),
        _ => None,
    }
}

fn fits(faults: &mut Faults, element: &Element, target: &Element, sibling: &Sibling, name: &str) {
    let by = metamodel().term(&sibling.key);
    let fault = |code| {
        Fault::new(code)
            .element(&element.id)
            .property(by)
            .related(Arc::clone(&target.id))
            .aux("name")
            .value(name)
            .at(element.property_span(by))
            .also(target.span())
    };
    if !sibling.types.is_empty() && !sibling.types.iter().any(|kind| target.is_a(kind)) {
        let mut names: Vec<&str> = sibling.types.iter().map(|kind| short(kind)).collect();
        names.dedup();
        faults.push(fault("notSiblingRequiredType").kind(names.join(" or ")));
    }
    if let Some(kind) = sibling.not.as_ref().filter(|kind| target.is_a(kind)) {
        faults.push(fault("disallowedType").kind(short(kind)));
    }
    let Some(path) = &sibling.has else { return };
    let Some(Extra::Identifier(wanted)) = element.extra(path) else { return };
    let has =
        target.supplemental_types().any(|kind| kind.properties.iter().any(|property| property.id == *wanted));
    if !has {
        let term = metamodel().term(wanted);
        let own = rules(target.class, target.version).any(|rule| rule.name == term);
        let code = if own { "matchingPropertyNotSupplemental" } else { "noMatchingSupplementalProperty" };
        let fault = fault(code).restriction(term).transformation(metamodel().term(path));
        faults.push(fault.kind(target.class.name()));
    }
}

/// The schema of a content that replaces a property of a sibling is the parent of what the property takes.
fn overrides(graph: &Graph, faults: &mut Faults) {
    for demanded in &graph.demands {
        let Demand::Table(Constraint::SiblingParent { key, of, .. }) = &demanded.demand else { continue };
        let Some(element) = graph.get(&demanded.from) else { continue };
        let (Some(name), Some(Extra::Identifier(wanted))) = (named(element, key), element.extra(of)) else {
            continue;
        };
        for (parent, property) in graph.parents.get(&demanded.from).into_iter().flatten() {
            let Some(target) = graph.child(parent, property, name) else { continue };
            let found = target
                .supplemental_types()
                .flat_map(|kind| &kind.properties)
                .find(|property| property.id == *wanted);
            let Some(SupplementalValue::Element { child_of, .. }) = found.map(|found| &found.takes) else {
                continue;
            };
            if child_of.as_ref() != Some(&demanded.to) {
                let expected = child_of.as_deref().map_or("", |id| metamodel().term(id));
                let fault = Fault::new("siblingPropertyMismatch")
                    .element(&demanded.from)
                    .property(&demanded.property)
                    .value(metamodel().term(&demanded.to))
                    .restriction(expected);
                faults.push(fault.at(element.property_span(&demanded.property)));
            }
        }
    }
}
