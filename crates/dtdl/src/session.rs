//! One parse from sources to an accepted graph, or to errors.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::check;
use crate::error::ModelError;
use crate::fault::{Fault, Faults};
use crate::graph::{Graph, Id};
use crate::jsonld::{Object, Property, Value};
use crate::link;
use crate::options::Options;
use crate::parse::Parser;
use crate::source::{Source, Span, locate};

/// Fetches models that are referred to and not there: sources that define them, or nothing to refuse.
pub(crate) type Resolver<'r> = dyn FnMut(&[Id]) -> Option<Vec<Source>> + 'r;
/// Adds models of earlier calls to the graph.
pub(crate) type Known<'k> = dyn Fn(&mut Graph, &Id) -> bool + 'k;

/// Parses, resolves, links and checks. The graph is whole when no error comes back.
pub(crate) fn run(
    sources: Vec<Source>,
    options: &Options,
    known: &Known<'_>,
    occupied: &dyn Fn(&str) -> bool,
    resolver: &mut Resolver<'_>,
) -> (Graph, Vec<ModelError>) {
    let mut graph = Graph::default();
    let mut faults = Faults::new(options.most_errors);
    let mut parser = Parser::new(options, &mut graph, &mut faults);
    parser.sources(sources, options.tolerate_in_sources);
    for element in graph.fresh_elements().filter(|element| occupied(&element.id)) {
        let at = element.site.as_ref().map(|site| crate::graph::point(site.document, site.object.id_at));
        faults.push(Fault::new("modelExists").element(&element.id).at(at));
    }
    let mut looked = 0;
    let mut rounds = 0;
    while !faults.any() {
        let missing = link::unresolved(&graph, &mut faults, looked);
        if faults.any() {
            break;
        }
        looked = graph.links.len();
        let mut wanted: Vec<Id> = Vec::new();
        for id in missing.keys() {
            if !known(&mut graph, id) {
                wanted.push(Arc::clone(id));
            }
        }
        if wanted.is_empty() {
            break;
        }
        rounds += 1;
        let fetched = if rounds <= options.most_rounds { resolver(&wanted) } else { None };
        let mut parser = Parser::new(options, &mut graph, &mut faults);
        parser.sources(fetched.unwrap_or_default(), options.tolerate_in_resolved);
        for (id, places) in &missing {
            if graph.get(id).is_none() && !faults.any_but_unresolved() {
                for (from, property, at) in places {
                    let fault = Fault::new("unresolvedReference").element(from).property(property);
                    faults.push(fault.related(Arc::clone(id)).at(*at));
                }
            }
        }
    }
    if !faults.any() {
        link::link(&mut graph, &mut faults);
    }
    if !faults.any() {
        check::check(&mut graph, &mut faults);
    }
    let errors = report(&mut graph, faults);
    (graph, errors)
}

/// Puts faults into words, with their places.
fn report(graph: &mut Graph, faults: Faults) -> Vec<ModelError> {
    let roots = roots(graph);
    faults.list.into_iter().map(|fault| describe(graph, &roots, fault)).collect()
}

pub(crate) fn describe(
    graph: &mut Graph,
    roots: &HashMap<u32, Vec<Arc<Object>>>,
    fault: Fault,
) -> ModelError {
    let root = fault.at.and_then(|span| {
        let list = roots.get(&span.document)?;
        list.iter().find(|root| root.start <= span.start && span.start <= root.end)
    });
    let path = match (root, fault.at) {
        (Some(root), Some(span)) => path(root, span),
        _ => String::new(),
    };
    let at = fault.at.and_then(|span| locate(&mut graph.documents, span));
    let also = fault.also.and_then(|span| locate(&mut graph.documents, span));
    let model = root
        .and_then(|root| root.id.clone())
        .filter(|id| !id.is_empty())
        .or_else(|| at.as_ref().map(|at| at.source.clone()))
        .or_else(|| fault.element.as_deref().map(str::to_owned))
        .unwrap_or_default();
    ModelError::new(fault, model, path, at, also)
}

/// The top-level objects of each document.
pub(crate) fn roots(graph: &Graph) -> HashMap<u32, Vec<Arc<Object>>> {
    let mut roots: HashMap<u32, Vec<Arc<Object>>> = HashMap::new();
    for (document, object) in &graph.roots {
        roots.entry(*document).or_default().push(Arc::clone(object));
    }
    roots
}

/// The way from the model to a place, as in `contents[2].schema`.
fn path(root: &Object, span: Span) -> String {
    let at = span.start;
    let mut out = String::new();
    let mut current = root;
    loop {
        if current.start == at {
            return out;
        }
        let inside = |property: &&Property| property.at <= at && at <= property.values.end;
        let Some(property) = current.properties.iter().find(inside) else {
            if let Some(keyword) = keyword(current, at) {
                push(&mut out, keyword);
            }
            return out;
        };
        push(&mut out, &property.name);
        let values = &property.values;
        let Some((index, node)) =
            values.list.iter().enumerate().find(|(_, node)| node.start <= at && at <= node.end)
        else {
            return out;
        };
        if values.plural {
            out.push_str(&format!("[{index}]"));
        }
        match &node.value {
            Value::Object(object) => current = object,
            _ => return out,
        }
    }
}

fn push(out: &mut String, name: &str) {
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(name);
}

fn keyword(object: &Object, at: u32) -> Option<&str> {
    let known: IndexMap<u32, &str> = [
        (object.context.is_some(), object.context_at, "@context"),
        (object.id.is_some(), object.id_at, "@id"),
        (object.types.is_some(), object.types_at, "@type"),
        (object.value.is_some(), object.value_at, "@value"),
        (object.language.is_some(), object.language_at, "@language"),
    ]
    .into_iter()
    .filter(|(there, _, _)| *there)
    .map(|(_, at, name)| (at, name))
    .collect();
    if let Some(name) = known.get(&at) {
        return Some(name);
    }
    if let Some((name, _)) = object.keywords.iter().find(|(_, place)| *place == at) {
        return Some(name);
    }
    let inside = object.context.iter().flatten().any(|part| {
        let (start, end) = part.range();
        start <= at && at <= end
    });
    inside.then_some("@context")
}
