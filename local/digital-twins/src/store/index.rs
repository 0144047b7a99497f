//! Where the query language finds twins and relationships fast: twins by model, relationships by name and by both ends.
//!
//! Twins and relationships have small numbers here, so that walking the graph costs no comparison of texts, and a
//! relationship on a path is told from another by its number. Numbers are used again after a deletion; nothing that
//! outlives the lock of the graph may hold one.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

use super::sketch::{Names, Sketch};
use crate::twin::{Document, model_of};

/// Number of a twin.
pub(crate) type Node = u32;
/// Number of a relationship.
pub(crate) type Edge = u32;

/// A twin, and the relationships that touch it. A relationship may come before its twins.
#[derive(Debug, Clone)]
pub(crate) struct NodeEntry {
    pub(crate) id: Arc<str>,
    pub(crate) twin: Option<Arc<Document>>,
    pub(crate) sketch: Sketch,
    model: Option<Arc<str>>,
    /// By name and identifier.
    pub(crate) outgoing: Vec<Edge>,
    /// By name, source and identifier.
    pub(crate) incoming: Vec<Edge>,
}

/// A relationship.
#[derive(Debug, Clone)]
pub(crate) struct EdgeEntry {
    pub(crate) source: Node,
    pub(crate) target: Node,
    pub(crate) source_id: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) id: Arc<str>,
    pub(crate) document: Arc<Document>,
}

/// By source twin and relationship.
type EdgesByKey = BTreeMap<(Arc<str>, Arc<str>), Edge>;

/// The index of a graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    nodes: Vec<NodeEntry>,
    free_nodes: Vec<Node>,
    by_id: BTreeMap<Arc<str>, Node>,
    edges: Vec<EdgeEntry>,
    free_edges: Vec<Edge>,
    /// Twins that name no model stand under the empty text.
    models: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Node>>,
    names: BTreeMap<Arc<str>, EdgesByKey>,
    properties: Names,
}

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number for a new entry: one that became free, or the next.
fn place<T>(list: &mut Vec<T>, free: &mut Vec<u32>, entry: T) -> u32 {
    if let Some(number) = free.pop() {
        list[number as usize] = entry;
        return number;
    }
    list.push(entry);
    // The service's own limit is 20 million relationships.
    u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
}

impl NodeEntry {
    /// The model that the twin names; the empty text for none.
    pub(crate) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }
}

impl Index {
    pub(crate) fn node(&self, node: Node) -> &NodeEntry {
        &self.nodes[node as usize]
    }

    pub(crate) fn edge(&self, edge: Edge) -> &EdgeEntry {
        &self.edges[edge as usize]
    }

    /// The number of a twin that exists.
    pub(crate) fn find(&self, id: &str) -> Option<Node> {
        self.by_id.get(id).copied().filter(|node| self.node(*node).twin.is_some())
    }

    /// Twins after an identifier, in the order of their identifiers.
    pub(crate) fn twins_after<'a>(
        &'a self,
        after: Bound<&'a str>,
    ) -> impl Iterator<Item = &'a NodeEntry> + use<'a> {
        let range = self.by_id.range::<str, _>((after, Bound::Unbounded));
        range.map(|(_, node)| self.node(*node)).filter(|entry| entry.twin.is_some())
    }

    /// Numbers of the names of properties, for filters on sketches.
    pub(crate) fn properties(&self) -> &Names {
        &self.properties
    }

    /// Models that have twins, and those twins in the order of their identifiers.
    pub(crate) fn models(&self) -> &BTreeMap<Arc<str>, BTreeMap<Arc<str>, Node>> {
        &self.models
    }

    /// Relationships of one name, in the order of source and identifier.
    pub(crate) fn named(&self, name: &str) -> Option<&EdgesByKey> {
        self.names.get(name)
    }

    /// Of a twin's relationships in one direction, those of a name.
    pub(crate) fn named_among<'a>(&self, edges: &'a [Edge], name: &str) -> &'a [Edge] {
        let first = edges.partition_point(|edge| &*self.edge(*edge).name < name);
        let after = edges.partition_point(|edge| &*self.edge(*edge).name <= name);
        &edges[first..after]
    }

    /// Takes note of a twin that was created or changed.
    pub(crate) fn put_twin(&mut self, twin: &Arc<Document>) {
        let node = self.node_of(text(twin, "$dtId"));
        let model = model_of(twin).unwrap_or_default();
        let sketch = self.properties.sketch(twin);
        let entry = &mut self.nodes[node as usize];
        entry.twin = Some(Arc::clone(twin));
        entry.sketch = sketch;
        if entry.model.as_deref() == Some(model) {
            return;
        }
        let old = entry.model.take();
        if let Some(old) = old {
            self.leave_model(&old, node);
        }
        let name = match self.models.get_key_value(model) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(model),
        };
        let entry = &mut self.nodes[node as usize];
        entry.model = Some(Arc::clone(&name));
        self.models.entry(name).or_default().insert(Arc::clone(&entry.id), node);
    }

    /// Takes note that a twin is gone.
    pub(crate) fn remove_twin(&mut self, id: &str) {
        let Some(node) = self.by_id.get(id).copied() else { return };
        let entry = &mut self.nodes[node as usize];
        entry.twin = None;
        entry.sketch = Sketch::default();
        if let Some(model) = entry.model.take() {
            self.leave_model(&model, node);
        }
        self.sweep(node);
    }

    fn leave_model(&mut self, model: &str, node: Node) {
        let id = Arc::clone(&self.node(node).id);
        let now_empty = self.models.get_mut(model).is_some_and(|twins| {
            twins.remove(&id);
            twins.is_empty()
        });
        if now_empty {
            self.models.remove(model);
        }
    }

    /// Takes note of a relationship that was created, or changed from `old`.
    pub(crate) fn put_relationship(&mut self, new: &Arc<Document>, old: Option<&Document>) {
        if let Some(old) = old {
            self.remove_relationship(old);
        }
        let source = self.node_of(text(new, "$sourceId"));
        let target = self.node_of(text(new, "$targetId"));
        let name = text(new, "$relationshipName");
        let name = match self.names.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(name),
        };
        let entry = EdgeEntry {
            source,
            target,
            source_id: Arc::clone(&self.node(source).id),
            name: Arc::clone(&name),
            id: Arc::from(text(new, "$relationshipId")),
            document: Arc::clone(new),
        };
        let key = (Arc::clone(&entry.source_id), Arc::clone(&entry.id));
        let edge = place(&mut self.edges, &mut self.free_edges, entry);
        self.names.entry(name).or_default().insert(key, edge);
        let at = self.position(&self.node(source).outgoing, self.edge(edge));
        self.nodes[source as usize].outgoing.insert(at.unwrap_or_else(|at| at), edge);
        let at = self.position(&self.node(target).incoming, self.edge(edge));
        self.nodes[target as usize].incoming.insert(at.unwrap_or_else(|at| at), edge);
    }

    /// Takes note that a relationship is gone.
    pub(crate) fn remove_relationship(&mut self, old: &Document) {
        let key = (Arc::from(text(old, "$sourceId")), Arc::from(text(old, "$relationshipId")));
        let name = text(old, "$relationshipName");
        let Some(edges) = self.names.get_mut(name) else { return };
        let Some(edge) = edges.remove(&key) else { return };
        if edges.is_empty() {
            self.names.remove(name);
        }
        let (source, target) = (self.edge(edge).source, self.edge(edge).target);
        if let Ok(at) = self.position(&self.node(source).outgoing, self.edge(edge)) {
            self.nodes[source as usize].outgoing.remove(at);
        }
        if let Ok(at) = self.position(&self.node(target).incoming, self.edge(edge)) {
            self.nodes[target as usize].incoming.remove(at);
        }
        self.edges[edge as usize].document = Arc::default();
        self.free_edges.push(edge);
        self.sweep(source);
        self.sweep(target);
    }

    /// Where a relationship stands, or would stand, in a list that is in order.
    fn position(&self, list: &[Edge], wanted: &EdgeEntry) -> Result<usize, usize> {
        list.binary_search_by(|edge| {
            let edge = self.edge(*edge);
            let order = |left: &str, right: &str| left.cmp(right);
            let by_name = order(&edge.name, &wanted.name);
            let by_source = || match edge.source == wanted.source {
                true => Ordering::Equal,
                false => order(&edge.source_id, &wanted.source_id),
            };
            by_name.then_with(by_source).then_with(|| order(&edge.id, &wanted.id))
        })
    }

    fn node_of(&mut self, id: &str) -> Node {
        if let Some(node) = self.by_id.get(id) {
            return *node;
        }
        let id: Arc<str> = Arc::from(id);
        let entry = NodeEntry {
            id: Arc::clone(&id),
            twin: None,
            sketch: Sketch::default(),
            model: None,
            outgoing: Vec::new(),
            incoming: Vec::new(),
        };
        let node = place(&mut self.nodes, &mut self.free_nodes, entry);
        self.by_id.insert(id, node);
        node
    }

    /// Frees the number of a twin that is gone with all its relationships.
    fn sweep(&mut self, node: Node) {
        let entry = self.node(node);
        if entry.twin.is_none() && entry.outgoing.is_empty() && entry.incoming.is_empty() {
            // A relationship from a twin to itself sweeps it twice.
            let id = Arc::clone(&entry.id);
            if self.by_id.get(&id) == Some(&node) {
                self.by_id.remove(&id);
                self.free_nodes.push(node);
            }
        }
    }
}
