//! Queries of one collection: the fewest candidates that an index offers, in the order of their keys.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use super::ast::{Condition, Operand, Operator, Query, Source, Test};
use super::budget::GivenUp;
use super::evaluate::{Document, Parts};
use super::page::{Collector, Flow, Position};
use super::pins;
use crate::store::{Comparison, Filter, Graph, NodeEntry};

/// A twin (its identifier, and nothing) or a relationship (source and identifier).
type Key<'g> = (&'g str, &'g str);
/// Candidates in order; no document for those that are ruled out without looking at it.
type Candidates<'g> = Box<dyn Iterator<Item = (Key<'g>, Option<&'g Arc<Document>>)> + 'g>;

type Relationships<'g> = Box<dyn Iterator<Item = (Key<'g>, &'g Arc<Document>)> + 'g>;

/// Twins are looked at in the order of their identifiers, wanted or not, when one in so many is wanted.
const MOSTLY: usize = 4;

/// What the condition says of identifiers, names and models.
pub(super) struct ScanPlan {
    ids: Option<BTreeSet<String>>,
    sources: Option<BTreeSet<String>>,
    targets: Option<BTreeSet<String>>,
    names: Option<BTreeSet<String>>,
    models: Option<Vec<usize>>,
}

impl ScanPlan {
    pub(super) fn new(query: &Query) -> Self {
        let texts = |name| pins::texts(query, 0, &[name]);
        match query.source {
            Source::Twins => Self {
                ids: texts("$dtId"),
                sources: None,
                targets: None,
                names: None,
                models: pins::models(query, 0),
            },
            Source::Relationships => Self {
                ids: None,
                sources: texts("$sourceId"),
                targets: texts("$targetId"),
                names: texts("$relationshipName"),
                models: None,
            },
        }
    }

    /// The whole answer of a COUNT that an index knows.
    pub(super) fn count(&self, query: &Query, graph: &Graph, models: &[HashSet<&str>]) -> Option<u64> {
        let count = match (query.source, query.condition.as_ref()) {
            (Source::Twins, None) => graph.twins.len(),
            (Source::Relationships, None) => graph.relationships.len(),
            (Source::Twins, Some(Condition::Test { test: Test::IsOfModel(number), negated: false })) => {
                let lists = graph.index.models().iter();
                lists
                    .filter(|(model, _)| models[*number].contains(&***model))
                    .map(|(_, twins)| twins.len())
                    .sum()
            }
            _ => return None,
        };
        Some(count as u64)
    }

    /// Candidates in order, after a key.
    fn candidates<'g>(
        &'g self,
        query: &Query,
        graph: &'g Graph,
        models: &[HashSet<&str>],
        after: Option<Key<'g>>,
    ) -> Candidates<'g> {
        match query.source {
            Source::Twins => self.twins(filters(query, graph), graph, models, after.map(|after| after.0)),
            Source::Relationships => {
                Box::new(self.relationships(graph, after).map(|(key, found)| (key, Some(found))))
            }
        }
    }

    fn twins<'g>(
        &'g self,
        filters: Vec<Filter>,
        graph: &'g Graph,
        models: &[HashSet<&str>],
        after: Option<&'g str>,
    ) -> Candidates<'g> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (after, Bound::Unbounded);
        if let Some(ids) = &self.ids {
            let found = ids.range::<str, _>(range).filter_map(|id| graph.twins.get_key_value(id));
            return Box::new(found.map(|(id, twin)| ((id.as_str(), ""), Some(twin))));
        }
        let look = move |entry: &'g NodeEntry| {
            let ruled_out = filters.iter().any(|filter| filter.rules_out(&entry.sketch));
            ((&*entry.id, ""), entry.twin.as_ref().filter(|_| !ruled_out))
        };
        let all = graph.index.twins_after(after);
        let Some(numbers) = &self.models else { return Box::new(all.map(look)) };
        let of_models = graph.index.models().iter();
        let wanted =
            of_models.filter(|(model, _)| numbers.iter().any(|number| models[*number].contains(&***model)));
        let (names, lists): (Vec<_>, Vec<_>) = wanted.unzip();
        let count: usize = lists.iter().map(|twins| twins.len()).sum();
        if count * MOSTLY < graph.twins.len() || lists.len() == 1 {
            let lists = lists.into_iter().map(|twins| {
                let nodes = twins.range::<str, _>(range).map(|(_, node)| graph.index.node(*node));
                nodes.map(|entry| (&*entry.id, entry))
            });
            return Box::new(Merge::new(lists).map(move |(_, entry)| look(entry)));
        }
        // All twins of a model share its name, so where it stands tells it from others.
        let mut places: Vec<*const u8> = names.into_iter().map(|name| name.as_ptr()).collect();
        places.sort_unstable();
        Box::new(all.map(move |entry| match places.binary_search(&entry.model().as_ptr()) {
            Ok(_) => look(entry),
            Err(_) => ((&*entry.id, ""), None),
        }))
    }

    fn relationships<'g>(&'g self, graph: &'g Graph, after: Option<Key<'g>>) -> Relationships<'g> {
        let first = after
            .map_or(Bound::Unbounded, |(source, id)| Bound::Excluded((source.to_owned(), id.to_owned())));
        if let Some(sources) = &self.sources {
            let from = after.map_or(Bound::Unbounded, |after| Bound::Included(after.0));
            let each = sources.range::<str, _>((from, Bound::Unbounded)).flat_map(move |source| {
                let first = match after {
                    Some((last, id)) if last == source => Bound::Excluded((source.clone(), id.to_owned())),
                    _ => Bound::Included((source.clone(), String::new())),
                };
                let range = graph.relationships.range((first, Bound::Unbounded));
                range.take_while(move |((found, _), _)| found == source)
            });
            return Box::new(each.map(|((source, id), document)| ((source.as_str(), id.as_str()), document)));
        }
        if let Some(targets) = &self.targets {
            let nodes = targets.iter().filter_map(|id| graph.index.find(id));
            let edges = nodes.flat_map(|node| &graph.index.node(node).incoming);
            let keyed = edges
                .map(|edge| graph.index.edge(*edge))
                .map(|edge| ((&*edge.source_id, &*edge.id), &edge.document));
            let mut keyed: Vec<_> = keyed.filter(|(key, _)| after.is_none_or(|after| *key > after)).collect();
            keyed.sort_unstable_by_key(|(key, _)| *key);
            return Box::new(keyed.into_iter());
        }
        if let Some(names) = &self.names {
            let lists = names.iter().filter_map(|name| graph.index.named(name)).map(|edges| {
                let first = after.map_or(Bound::Unbounded, |(source, id)| {
                    Bound::Excluded((Arc::from(source), Arc::from(id)))
                });
                let range = edges.range((first, Bound::Unbounded));
                range.map(|((source, id), edge)| ((&**source, &**id), &graph.index.edge(*edge).document))
            });
            return Box::new(Merge::new(lists));
        }
        let all = graph.relationships.range((first, Bound::Unbounded));
        Box::new(all.map(|((source, id), document)| ((source.as_str(), id.as_str()), document)))
    }

    /// Collects rows after a position until the page is full, the lock should be let go, or there are no more.
    pub(super) fn run(
        &self,
        query: &Query,
        graph: &Graph,
        models: &[HashSet<&str>],
        after: Option<&Position>,
        collector: &mut Collector,
    ) -> Result<Flow, GivenUp> {
        let part = |level: &Vec<String>, number: usize| level.get(number).cloned().unwrap_or_default();
        let after = after.and_then(|levels| levels.first()).map(|level| (part(level, 0), part(level, 1)));
        let after = after.as_ref().map(|(first, second)| (first.as_str(), second.as_str()));
        // What an index answers whole need not be asked again.
        let answered = self.models.as_deref().filter(|_| self.ids.is_none());
        let conditions: Vec<&Condition> = query
            .conjuncts()
            .iter()
            .filter(|condition| match condition {
                Condition::Test { test: Test::IsOfModel(number), negated: false } => {
                    answered != Some(std::slice::from_ref(number))
                }
                _ => true,
            })
            .collect();
        let model_slots = vec![0; query.models.len()];
        for (key, document) in self.candidates(query, graph, models, after) {
            collector.step()?;
            let position = || match query.source {
                Source::Twins => vec![vec![key.0.to_owned()]],
                Source::Relationships => vec![vec![key.0.to_owned(), key.1.to_owned()]],
            };
            if let Some(document) = document {
                let parts = Parts { documents: &[Some(document)], models, model_slots: &model_slots };
                if conditions.iter().all(|condition| parts.meet(condition))
                    && collector.take(|| vec![Some(Arc::clone(document))], position) == Flow::Full
                {
                    return Ok(Flow::Full);
                }
            }
            if collector.pause(position) == Flow::Pause {
                return Ok(Flow::Pause);
            }
        }
        Ok(Flow::Next)
    }
}

/// What sketches of twins can tell of a condition.
fn filters(query: &Query, graph: &Graph) -> Vec<Filter> {
    let of_condition = |condition: &Condition| {
        let Condition::Test { test: Test::Compare { left, operator, right }, negated: false } = condition
        else {
            return None;
        };
        let (path, value, turned) = match (left, right) {
            (Operand::Path(path), Operand::Literal(value)) => (path, value, false),
            (Operand::Literal(value), Operand::Path(path)) => (path, value, true),
            _ => return None,
        };
        let [name] = path.names.as_slice() else { return None };
        let comparison = match (operator, turned) {
            (Operator::Equal, _) => Comparison::Equal,
            (Operator::Less | Operator::LessOrEqual, false)
            | (Operator::Greater | Operator::GreaterOrEqual, true) => Comparison::AtMost,
            (Operator::Greater | Operator::GreaterOrEqual, false)
            | (Operator::Less | Operator::LessOrEqual, true) => Comparison::AtLeast,
            (Operator::NotEqual, _) => return None,
        };
        graph.index.properties().filter(name, comparison, value)
    };
    query.conjuncts().iter().filter_map(of_condition).collect()
}

/// Several lists in order, as one.
struct Merge<K, V, I: Iterator<Item = (K, V)>> {
    lists: Vec<(Option<V>, I)>,
    heads: BinaryHeap<Reverse<(K, usize)>>,
}

impl<K: Ord, V, I: Iterator<Item = (K, V)>> Merge<K, V, I> {
    fn new(lists: impl Iterator<Item = I>) -> Self {
        let mut merge = Self { lists: Vec::new(), heads: BinaryHeap::new() };
        for (number, mut list) in lists.enumerate() {
            let head = list.next().map(|(key, value)| {
                merge.heads.push(Reverse((key, number)));
                value
            });
            merge.lists.push((head, list));
        }
        merge
    }
}

impl<K: Ord, V, I: Iterator<Item = (K, V)>> Iterator for Merge<K, V, I> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let mut head = self.heads.peek_mut()?;
        let number = head.0.1;
        let (value, list) = &mut self.lists[number];
        let current = value.take()?;
        match list.next() {
            Some((key, next)) => {
                *value = Some(next);
                let Reverse((key, _)) = std::mem::replace(&mut *head, Reverse((key, number)));
                Some((key, current))
            }
            None => {
                let Reverse((key, _)) = std::collections::binary_heap::PeekMut::pop(head);
                Some((key, current))
            }
        }
    }
}
