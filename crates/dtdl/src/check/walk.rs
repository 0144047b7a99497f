//! Walks over elements without recursion: a chain of references may be as long as the source.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::graph::{Element, Graph, Id};

/// What a walk found.
#[derive(Default)]
pub(super) struct Walk {
    /// Every element below the roots and the roots, each after all that are below it.
    pub(super) order: Vec<Id>,
    /// Elements that are below themselves, found where the circle closes.
    pub(super) circular: Vec<Id>,
}

/// Walks from the roots along `children`, each element once.
pub(super) fn walk<'g>(
    graph: &'g Graph,
    roots: impl IntoIterator<Item = &'g Id>,
    children: impl Fn(&'g Element) -> Vec<&'g Id>,
) -> Walk {
    let mut found = Walk::default();
    let mut done: HashSet<&Id> = HashSet::new();
    let mut open: HashSet<&Id> = HashSet::new();
    let mut reported: HashSet<&Id> = HashSet::new();
    let mut stack: Vec<(&Id, std::vec::IntoIter<&Id>)> = Vec::new();
    for root in roots {
        if done.contains(root) {
            continue;
        }
        let Some(element) = graph.get(root) else { continue };
        open.insert(root);
        stack.push((root, children(element).into_iter()));
        while let Some((id, rest)) = stack.last_mut() {
            let id = *id;
            match rest.next() {
                None => {
                    stack.pop();
                    open.remove(id);
                    done.insert(id);
                    found.order.push(Arc::clone(id));
                }
                Some(child) if open.contains(child) => {
                    if reported.insert(child) {
                        found.circular.push(Arc::clone(child));
                    }
                }
                Some(child) if done.contains(child) => {}
                Some(child) => {
                    if let Some(element) = graph.get(child) {
                        open.insert(child);
                        stack.push((child, children(element).into_iter()));
                    }
                }
            }
        }
    }
    found
}

/// Number of elements below each, counted along every way, up to a bound.
pub(super) fn counts<'g>(
    graph: &'g Graph,
    walk: &Walk,
    children: impl Fn(&'g Element) -> Vec<&'g Id>,
) -> HashMap<Id, usize> {
    let mut counts: HashMap<Id, usize> = HashMap::new();
    for id in &walk.order {
        let below = graph.get(id).map_or_else(Vec::new, |element| children(element));
        let count = below.iter().fold(0_usize, |sum, child| {
            sum.saturating_add(1).saturating_add(counts.get(*child).copied().unwrap_or(0))
        });
        counts.insert(Arc::clone(id), count);
    }
    counts
}
