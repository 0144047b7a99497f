//! From references to elements: everything that needs both ends of a link.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::fault::{Fault, Faults};
use crate::graph::{Demand, Extra, Graph, Id, Link, LinkProperty};
use crate::meta::{Constraint, metamodel};
use crate::source::Span;

/// Identifiers that nothing in the graph has, with the places that refer to them; `from` is the first link to look at.
pub(crate) fn unresolved(
    graph: &Graph,
    faults: &mut Faults,
    from: usize,
) -> IndexMap<Id, Vec<(Id, String, Span)>> {
    let mut missing: IndexMap<Id, Vec<(Id, String, Span)>> = IndexMap::new();
    for link in graph.links.get(from..).unwrap_or_default() {
        if graph.get(&link.to).is_some() {
            continue;
        }
        let fault = |code| {
            Fault::new(code)
                .element(&link.from)
                .property(link.property.full())
                .related(Arc::clone(&link.to))
                .at(link.property_at)
                .also(link.value_at)
        };
        if link.written.as_ref().is_some_and(|text| !text.starts_with("dtmi:")) {
            let names = link.range.map_or_else(String::new, |range| range.names());
            faults.push(fault("badType").restriction(names));
        } else if metamodel().is_reserved(&link.to) {
            faults.push(fault("undefinedReservedId"));
        } else {
            let place = (Arc::clone(&link.from), link.property.term().to_owned(), link.value_at);
            missing.entry(Arc::clone(&link.to)).or_default().push(place);
        }
    }
    missing
}

/// Checks every link against its target, and files it in its element.
pub(crate) fn link(graph: &mut Graph, faults: &mut Faults) {
    let links = std::mem::take(&mut graph.links);
    for link in &links {
        let to = metamodel().resolve_id(&link.to);
        if fits(graph, faults, link, &to) {
            file(graph, faults, link, to);
        }
    }
    graph.links = links;
}

fn fits(graph: &Graph, faults: &mut Faults, link: &Link, to: &Id) -> bool {
    let (Some(source), Some(target)) = (graph.get(&link.from), graph.get(to)) else { return false };
    let fault = |code| {
        Fault::new(code)
            .element(&link.from)
            .property(link.property.full())
            .related(Arc::clone(&link.to))
            .at(link.property_at)
    };
    if !target.class.is_interface() {
        let here = source.defined_in.as_ref().filter(|_| !source.class.is_interface()).unwrap_or(&source.id);
        if let Some(there) = target.defined_in.as_ref().filter(|there| *there != here) {
            let fault = fault("crossPartitionReference").value(&**there).restriction(&**here);
            faults.push(fault.also(target.span()));
        }
    }
    if let Some(range) = link.range
        && !range.classes().contains(&target.class)
    {
        let fault = fault("badType").value(target.class.name()).restriction(range.names());
        faults.push(fault.also(link.value_at));
        return false;
    }
    if let Some(versions) = link.versions.filter(|versions| !versions.contains(&target.version)) {
        let versions: Vec<String> = versions.iter().map(u8::to_string).collect();
        let fault = fault("disallowedVersionReference").value(target.version.to_string());
        faults.push(fault.restriction(versions.join(" ,")).also(target.span()));
    }
    if let Some(parent) = link.child_of.as_ref().filter(|parent| target.child_of.as_ref() != Some(*parent)) {
        let relation = match &target.child_of {
            Some(other) => format!("child of {other}"),
            None => "top-level element".to_owned(),
        };
        faults.push(fault("wrongParent").value(relation).restriction(&**parent));
    }
    true
}

fn file(graph: &mut Graph, faults: &mut Faults, link: &Link, to: Id) {
    // Only supplemental types ask who holds an element.
    if graph.elements.get(&to).is_some_and(|target| !target.supplemental.is_empty()) {
        let parents = graph.parents.entry(Arc::clone(&to)).or_default();
        parents.push((Arc::clone(&link.from), link.property.full().to_owned()));
    }
    if link.named && !name_is_free(graph, faults, link, &to) {
        return;
    }
    let Some(element) = graph.get_mut(&link.from) else { return };
    match &link.property {
        LinkProperty::Own(name) => element.refs.push((name, to)),
        LinkProperty::Supplemental(id) => {
            let known = element.extras.iter_mut().find(|(name, _)| name == id);
            match known {
                Some((_, Extra::Elements(list))) => list.push(to),
                Some(_) => {}
                None => element.extras.push((Arc::clone(id), Extra::Elements(vec![to]))),
            }
        }
    }
}

/// Contents of an interface are filed by name.
fn name_is_free(graph: &mut Graph, faults: &mut Faults, link: &Link, to: &Id) -> bool {
    let Some(target) = graph.get(to).cloned() else { return false };
    let Some(name) = target.name() else { return true };
    let contents = graph.contents.entry(Arc::clone(&link.from)).or_default();
    match contents.get(name).cloned() {
        None => {
            contents.insert(name.to_owned(), Arc::clone(to));
            true
        }
        Some(other) if other == *to => false,
        Some(other) => {
            let first = graph.get(&other).and_then(|other| other.property_span("name"));
            let fault = Fault::new("nonUniquePropertyValue")
                .element(&link.from)
                .property("contents")
                .aux("name")
                .value(name);
            faults.push(fault.at(first).also(target.property_span("name")));
            false
        }
    }
}

/// Checks what supplemental types ask of single values.
pub(crate) fn demands(graph: &Graph, faults: &mut Faults) {
    for demanded in &graph.demands {
        let to = metamodel().resolve(&demanded.to);
        let (Some(source), Some(target)) = (graph.get(&demanded.from), graph.get(to)) else { continue };
        let term = metamodel().term(&demanded.property);
        let fault = |code| {
            Fault::new(code)
                .element(&demanded.from)
                .property(&demanded.property)
                .related(Arc::clone(&target.id))
                .at(source.property_span(term))
        };
        let names = |ids: &[Id]| {
            let mut names: Vec<&str> = ids.iter().map(|id| short(id)).collect();
            names.dedup();
            names.join(" or ")
        };
        match &demanded.demand {
            Demand::Kind(kind) if !target.is_a(kind) => {
                faults.push(fault("notRequiredType").kind(metamodel().term(kind)));
            }
            Demand::Table(Constraint::Types { types, .. }) if !types.iter().any(|kind| target.is_a(kind)) => {
                faults.push(fault("notRequiredType").kind(names(types)));
            }
            Demand::Table(Constraint::Values { values, .. }) if !values.iter().any(|id| **id == *to) => {
                faults.push(fault("notRequiredValue").restriction(names(values)));
            }
            _ => {}
        }
    }
}

/// The last segment of an identifier, which is its term in the tables.
pub(crate) fn short(id: &str) -> &str {
    let path = id.split(';').next().unwrap_or(id);
    path.rsplit(':').next().unwrap_or(path)
}
