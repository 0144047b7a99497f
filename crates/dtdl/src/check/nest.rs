//! Nesting: how deep schemas go, and what must not be inside what.

use std::collections::HashMap;
use std::sync::Arc;

use super::walk;
use crate::fault::{Fault, Faults};
use crate::graph::{Element, Graph, Id};
use crate::meta::class::Class;

/// Schemas are nested at most this deep (DTDL v2 and v3, "Schemas").
const DEEPEST: usize = 5;

/// Everything that schemas hold, with 1 where the step counts as a level.
fn steps(element: &Element) -> impl Iterator<Item = (&Id, usize)> {
    element.refs.iter().map(|(name, id)| (id, usize::from(matches!(*name, "schema" | "elementSchema"))))
}

/// Complex schemas must not nest too deep, nor contain themselves.
pub(super) fn depths(graph: &Graph, faults: &mut Faults) {
    let roots: Vec<&Arc<Element>> =
        graph.fresh_elements().filter(|element| element.class.is_complex()).collect();
    let below = |element| steps(element).map(|(id, _)| id).collect::<Vec<_>>();
    let order = walk::walk(graph, roots.iter().map(|element| &element.id), below).order;
    // Levels below each element, up to one more than allowed; circles reach the bound after as many rounds.
    let mut levels: HashMap<&Id, usize> = HashMap::new();
    for _ in 0..=2 * (DEEPEST + 1) {
        let mut changed = false;
        for id in &order {
            let Some(element) = graph.get(id) else { continue };
            let level = steps(element)
                .map(|(child, step)| levels.get(child).copied().unwrap_or(0) + step)
                .max()
                .unwrap_or(0)
                .min(DEEPEST + 1);
            changed |= levels.insert(id, level) != Some(level);
        }
        if !changed {
            break;
        }
    }
    for root in roots {
        if levels.get(&root.id).is_some_and(|level| *level > DEEPEST) {
            too_deep(graph, faults, root, &levels);
        }
    }
}

/// Follows the first way that leads too deep, to tell a circle from mere depth.
fn too_deep(graph: &Graph, faults: &mut Faults, root: &Element, levels: &HashMap<&Id, usize>) {
    let mut way: Vec<&Element> = vec![root];
    let mut depth = 0;
    while let Some(element) = way.last().copied() {
        if depth == DEEPEST && steps(element).any(|(_, step)| step == 1) {
            break;
        }
        let next = steps(element)
            .find(|(child, step)| depth + step + levels.get(child).copied().unwrap_or(0) > DEEPEST);
        let Some((next, step)) = next else { break };
        depth += step;
        match graph.get(next) {
            Some(next) => way.push(next),
            None => break,
        }
    }
    let again = (0..way.len())
        .rev()
        .find(|index| way[index + 1..].iter().any(|below| below.id == way[*index].id))
        .map(|index| way[index]);
    if let Some(element) = again {
        faults.push(Fault::new("recursiveStructureWide").element(&element.id).at(element.span()));
        return;
    }
    let last = way.last().copied().unwrap_or(root);
    let fault = Fault::new("excessiveDepthWide").element(&root.id).related(Arc::clone(&last.id));
    faults.push(fault.transformation(DEEPEST.to_string()).at(root.span()).also(last.span()));
}

/// A property of version 2 holds no array, a component no component.
pub(super) fn excluded(graph: &Graph, faults: &mut Faults) {
    let properties: Vec<&Arc<Element>> = graph
        .fresh_elements()
        .filter(|element| element.class == Class::Property && element.version == 2)
        .filter(|element| {
            let schema = element.one("schema").and_then(|id| graph.get(id));
            schema.is_some_and(|schema| schema.class.is_complex())
        })
        .collect();
    let order = walk::walk(graph, properties.iter().map(|element| &element.id), |element| {
        element.refs.iter().map(|(_, id)| id).collect()
    })
    .order;
    let mut arrays: HashMap<&Id, &Element> = HashMap::new();
    for id in &order {
        let Some(element) = graph.get(id) else { continue };
        let found = element.refs.iter().find_map(|(name, child)| {
            let target = graph.get(child)?;
            if *name == "schema" && target.class == Class::Array {
                Some(&**target)
            } else {
                arrays.get(child).copied()
            }
        });
        if let Some(found) = found {
            arrays.insert(id, found);
        }
    }
    for property in properties {
        if let Some(array) = arrays.get(&property.id) {
            exclude(faults, property, array, "'schema'", "Array");
        }
    }
    for component in graph.fresh_elements().filter(|element| element.class == Class::Component) {
        let interface = component.one("schema").and_then(|id| graph.contents.get(id));
        let inner = interface.into_iter().flatten().filter_map(|(_, id)| graph.get(id));
        if let Some(inner) = inner.into_iter().find(|content| content.class == Class::Component) {
            exclude(faults, component, inner, "'schema' or 'contents'", "Component");
        }
    }
}

fn exclude(faults: &mut Faults, outer: &Element, inner: &Element, properties: &str, kind: &str) {
    let fault = Fault::new("excludedType")
        .element(&outer.id)
        .related(Arc::clone(&inner.id))
        .property(properties)
        .restriction(kind)
        .kind(outer.class.name())
        .transformation(match inner.class {
            Class::Array => "use an object or a map, or write the model in DTDL v3",
            _ => "one level is allowed: move the inner component up",
        });
    faults.push(fault.at(outer.span()).also(inner.span()));
}
