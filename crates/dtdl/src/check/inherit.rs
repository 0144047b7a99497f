//! Inheritance: how deep and how wide it goes, and which contents come with it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexSet;

use super::walk::{self, Walk};
use crate::fault::{Fault, Faults};
use crate::graph::{Element, Graph, Id};

/// Longest chain of inheritance (DTDL v2 and v3, "Interface").
const DEEPEST: usize = 10;
/// Most interfaces above one of v3.
const MOST_ABOVE: usize = 1024;
/// Most contents of an interface of v2, inherited ones included.
const MOST_CONTENTS: usize = 300;
/// Most elements of an interface of v3, inherited ones included.
const MOST_ELEMENTS: usize = 100_000;

fn parents(element: &Element) -> Vec<&Id> {
    element.all("extends").collect()
}

/// Adds inherited contents to every interface.
pub(super) fn inherit(graph: &mut Graph, faults: &mut Faults) {
    let interfaces: Vec<Id> = graph
        .elements
        .values()
        .filter(|element| element.class.is_interface())
        .map(|element| Arc::clone(&element.id))
        .collect();
    let fresh: HashSet<Id> = graph
        .fresh_elements()
        .filter(|element| element.class.is_interface())
        .map(|element| Arc::clone(&element.id))
        .collect();
    let walk = walk::walk(graph, &interfaces, parents);
    let circular = circles(graph, &walk);
    for id in interfaces.iter().filter(|id| circular.contains(*id) && fresh.contains(*id)) {
        recursive(graph, faults, id, "'extends'");
    }
    let mut heights: HashMap<&Id, usize> = HashMap::new();
    let mut above: HashMap<&Id, IndexSet<Id>> = HashMap::new();
    let mut imports: Vec<(Id, IndexSet<Id>)> = Vec::new();
    for id in &walk.order {
        let Some(element) = graph.get(id) else { continue };
        let own: Vec<&Id> = parents(element);
        let height =
            own.iter().map(|parent| heights.get(parent).copied().unwrap_or(0) + 1).max().unwrap_or(0);
        heights.insert(id, height.min(DEEPEST + 2));
        if circular.contains(id) {
            continue;
        }
        if height > DEEPEST {
            if fresh.contains(id) {
                too_deep(graph, faults, element, &heights);
            }
            continue;
        }
        let mut all: IndexSet<Id> = IndexSet::new();
        for parent in own {
            all.insert(Arc::clone(parent));
            if let Some(more) = above.get(parent) {
                all.extend(more.iter().cloned());
            }
            if all.len() > MOST_ABOVE {
                break;
            }
        }
        // More than that is a fault of its own; without a bound, a wide hierarchy would grow by the square.
        all.truncate(MOST_ABOVE);
        imports.push((Arc::clone(id), all.clone()));
        above.insert(id, all);
    }
    let own = std::mem::take(&mut graph.contents);
    for (id, above) in imports.iter().filter(|(_, above)| !above.is_empty()) {
        import(graph, faults, &own, id, above, fresh.contains(id));
    }
    for (id, contents) in own {
        graph.contents.entry(id).or_insert(contents);
    }
}

/// Interfaces that inherit from themselves.
fn circles(graph: &Graph, walk: &Walk) -> HashSet<Id> {
    let mut all = HashSet::new();
    for start in &walk.circular {
        // The circle closes at `start`: every interface above it that leads back to it is in it.
        let up = walk::walk(graph, [start], parents);
        let mut leads: HashSet<&Id> = HashSet::from([start]);
        loop {
            let before = leads.len();
            leads.extend(
                up.order
                    .iter()
                    .filter(|id| {
                        graph.get(id).is_some_and(|element| {
                            element.all("extends").any(|parent| leads.contains(parent))
                        })
                    })
                    .collect::<Vec<_>>(),
            );
            if leads.len() == before {
                break;
            }
        }
        all.extend(leads.into_iter().cloned());
        if all.len() > 1_000 {
            break;
        }
    }
    all
}

fn recursive(graph: &Graph, faults: &mut Faults, id: &Id, properties: &str) {
    let fault = Fault::new("recursiveStructureNarrow").element(id).property(properties);
    faults.push(fault.at(graph.get(id).and_then(|element| element.span())));
}

fn too_deep(graph: &Graph, faults: &mut Faults, element: &Element, heights: &HashMap<&Id, usize>) {
    let (mut current, mut last) = (Some(element), None);
    for depth in 0..=DEEPEST {
        let Some(element) = current else { break };
        let next = element
            .all("extends")
            .find(|parent| heights.get(parent).copied().unwrap_or(0) + depth + 1 > DEEPEST);
        last = next;
        current = next.and_then(|id| graph.get(id)).map(|element| &**element);
    }
    let mut fault = Fault::new("excessiveDepthNarrow").element(&element.id).property("'extends'");
    fault.related = last.cloned();
    fault.transformation = Some(DEEPEST.to_string());
    let also = last.and_then(|id| graph.get(id)).and_then(|element| element.span());
    faults.push(fault.at(element.span()).also(also));
}

fn import(
    graph: &mut Graph,
    faults: &mut Faults,
    own: &HashMap<Id, indexmap::IndexMap<String, Id>>,
    id: &Id,
    above: &IndexSet<Id>,
    fresh: bool,
) {
    let mut contents = own.get(id).cloned().unwrap_or_default();
    for ancestor in above {
        for (name, content) in own.get(ancestor).into_iter().flatten() {
            match contents.get(name) {
                Some(other) if other == content => {}
                Some(other) => {
                    if fresh {
                        let name_of =
                            |id: &Id| graph.get(id).and_then(|element| element.property_span("name"));
                        let fault = Fault::new("nonUniqueImportedPropertyValue")
                            .element(id)
                            .related(Arc::clone(ancestor))
                            .property("contents")
                            .transformation("'extends'")
                            .aux("name")
                            .value(name);
                        let (at, also) = (name_of(other), name_of(content));
                        faults.push(fault.at(at.or(also)).also(also));
                    }
                }
                None => {
                    contents.insert(name.clone(), Arc::clone(content));
                    let typed = graph.get(content).is_some_and(|content| !content.supplemental.is_empty());
                    if fresh && typed {
                        let parents = graph.parents.entry(Arc::clone(content)).or_default();
                        parents.push((Arc::clone(id), "contents".to_owned()));
                    }
                }
            }
        }
    }
    graph.contents.insert(Arc::clone(id), contents);
}

/// Properties along which the elements of an interface are counted.
const COUNTED: [&str; 8] =
    ["fields", "enumValues", "request", "response", "properties", "schema", "elementSchema", "mapValue"];

/// The limits on numbers of contents, parents and elements.
pub(super) fn counts(graph: &Graph, faults: &mut Faults) {
    let fresh: Vec<&Element> = graph
        .fresh_elements()
        .map(|element| &**element)
        .filter(|element| element.class.is_interface())
        .collect();
    let v3 = |element: &&&Element| element.version > 2;
    let roots: Vec<&Id> = fresh.iter().filter(v3).map(|element| &element.id).collect();
    let up = walk::walk(graph, roots.iter().copied(), parents);
    let above = walk::counts(graph, &up, parents);
    let inside = |element| below(graph, element);
    let down = walk::walk(graph, roots.iter().copied(), inside);
    let elements = walk::counts(graph, &down, inside);
    let properties = "'contents' or 'fields' or 'enumValues' or 'request' or 'response' or 'properties' or 'schema' or 'elementSchema' or 'mapValue'";
    for id in &down.circular {
        recursive(graph, faults, id, properties);
    }
    for element in fresh {
        if element.version > 2 {
            let limits = [
                (above.get(&element.id), MOST_ABOVE, "'extends'"),
                (elements.get(&element.id), MOST_ELEMENTS, properties),
            ];
            for (count, most, properties) in limits {
                let count = count.copied().unwrap_or(0);
                if count > most {
                    let fault = Fault::new("excessiveCount").element(&element.id).property(properties);
                    faults.push(fault.transformation(most.to_string()).at(element.span()));
                }
            }
            continue;
        }
        let contents = graph.contents.get(&element.id).map_or(0, |contents| contents.len());
        let parents: IndexSet<&Id> = element.all("extends").collect();
        for (count, most, property) in [(contents, MOST_CONTENTS, "contents"), (parents.len(), 2, "extends")]
        {
            if count > most {
                let fault = Fault::new("objectCountAboveMax").element(&element.id).property(property);
                let fault = fault.transformation(format!("{count}, {most}"));
                faults.push(fault.at(element.property_span(property)));
            }
        }
    }
}

fn below<'g>(graph: &'g Graph, element: &'g Element) -> Vec<&'g Id> {
    if element.class.is_interface() {
        return graph.contents.get(&element.id).map_or_else(Vec::new, |contents| contents.values().collect());
    }
    element.refs.iter().filter(|(name, _)| COUNTED.contains(name)).map(|(_, id)| id).collect()
}
