//! The state itself, and how a change alters it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use twinwright_dtdl::{ModelSet, Rules};

use super::change::{Change, ModelEntry, RelationshipKey};
use super::index::Index;
use crate::answer::Refusal;
use crate::jobs::{Job, JobKind};
use crate::routing::CompiledRoute;
use crate::twin::{Document, model_of};

/// Everything that the service knows.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) models: ModelSet,
    /// Models in the order of their upload.
    pub(crate) entries: IndexMap<String, Arc<ModelEntry>>,
    pub(crate) twins: BTreeMap<String, Arc<Document>>,
    /// By source twin and relationship.
    pub(crate) relationships: BTreeMap<RelationshipKey, Arc<Document>>,
    /// Target twin to source twin and relationship.
    pub(crate) incoming: BTreeMap<String, BTreeSet<RelationshipKey>>,
    /// Number of relationships that begin at a twin; none when there are none.
    pub(crate) outgoing: HashMap<String, usize>,
    pub(crate) routes: BTreeMap<String, Arc<CompiledRoute>>,
    pub(crate) jobs: BTreeMap<(JobKind, String), Arc<Job>>,
    /// Number for the next model.
    pub(crate) next_model: u64,
    /// Twins and relationships as queries look for them.
    pub(crate) index: Index,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            models: ModelSet::new(Rules::DigitalTwins),
            entries: IndexMap::new(),
            twins: BTreeMap::new(),
            relationships: BTreeMap::new(),
            incoming: BTreeMap::new(),
            outgoing: HashMap::new(),
            routes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            next_model: 1,
            index: Index::default(),
        }
    }
}

fn target_of(relationship: &Document) -> &str {
    relationship.get("$targetId").and_then(Value::as_str).unwrap_or_default()
}

impl Graph {
    /// Applies one change. Gives back the document that it replaced or removed, so that the caller can drop it where it
    /// holds nobody up.
    pub(crate) fn apply(&mut self, change: Change) -> Option<Arc<Document>> {
        match change {
            Change::Models { entries, models } => {
                self.models = models;
                for entry in entries {
                    self.next_model = self.next_model.max(entry.sequence + 1);
                    self.entries.insert(entry.id().to_owned(), entry);
                }
            }
            Change::Decommission(entry) => {
                self.entries.insert(entry.id().to_owned(), entry);
            }
            Change::DeleteModels { gone, models } => {
                self.models = models;
                let gone: std::collections::HashSet<String> = gone.into_iter().map(|(id, _)| id).collect();
                self.entries.retain(|id, _| !gone.contains(id));
            }
            Change::Twin { id, document, .. } => return self.insert_twin(id, document),
            Change::DeleteTwin(id) => return self.remove_twin(&id),
            Change::Relationship { key, document, .. } => return self.insert_relationship(key, document),
            Change::DeleteRelationship(key) => return self.remove_relationship(&key),
            Change::Route { id, route, .. } => {
                self.routes.insert(id, route);
            }
            Change::DeleteRoute(id) => {
                self.routes.remove(&id);
            }
            Change::Job(job) => {
                self.jobs.insert((job.kind, job.id.clone()), job);
            }
            Change::DeleteJob { kind, id } => {
                self.jobs.remove(&(kind, id));
            }
            Change::Delivered { .. } => {}
        }
        None
    }

    pub(crate) fn insert_twin(&mut self, id: String, document: Arc<Document>) -> Option<Arc<Document>> {
        self.index.put_twin(&document);
        self.twins.insert(id, document)
    }

    pub(crate) fn remove_twin(&mut self, id: &str) -> Option<Arc<Document>> {
        self.index.remove_twin(id);
        self.twins.remove(id)
    }

    pub(crate) fn insert_relationship(
        &mut self,
        key: RelationshipKey,
        document: Arc<Document>,
    ) -> Option<Arc<Document>> {
        let target = target_of(&document);
        match self.incoming.get_mut(target) {
            Some(sources) => {
                sources.insert(key.clone());
            }
            None => {
                self.incoming.insert(target.to_owned(), BTreeSet::from([key.clone()]));
            }
        }
        let source = key.0.clone();
        let old = self.relationships.get(&key).map(Arc::clone);
        self.index.put_relationship(&document, old.as_deref());
        let replaced = self.relationships.insert(key, document);
        if replaced.is_none() {
            *self.outgoing.entry(source).or_default() += 1;
        }
        replaced
    }

    pub(crate) fn remove_relationship(&mut self, key: &RelationshipKey) -> Option<Arc<Document>> {
        let removed = self.relationships.remove(key)?;
        self.index.remove_relationship(&removed);
        if let Some(count) = self.outgoing.get_mut(&key.0) {
            *count -= 1;
            if *count == 0 {
                self.outgoing.remove(&key.0);
            }
        }
        let target = target_of(&removed);
        let now_empty = self.incoming.get_mut(target).is_some_and(|sources| {
            sources.remove(key);
            sources.is_empty()
        });
        if now_empty {
            self.incoming.remove(target);
        }
        Some(removed)
    }

    /// Whether a relationship begins or ends at the twin.
    pub(crate) fn has_relationships(&self, twin: &str) -> bool {
        self.outgoing.contains_key(twin) || self.incoming.contains_key(twin)
    }

    /// Names of the components of a twin, by its model.
    pub(crate) fn components_of(&self, twin: &Document) -> Vec<String> {
        let interface = model_of(twin).and_then(|model| self.models.resolve(model));
        interface.map_or_else(Vec::new, |interface| {
            interface.components().map(|(name, _)| name.to_owned()).collect()
        })
    }

    /// One component of a twin.
    pub(crate) fn component_of<'a>(&self, twin: &'a Document, name: &str) -> Result<&'a Document, Refusal> {
        let known = self.components_of(twin).iter().any(|component| component == name);
        match twin.get(name) {
            Some(Value::Object(component)) if known => Ok(component),
            _ => Err(Refusal::missing("ComponentNotFound", format!("the twin has no component '{name}'"))),
        }
    }
}
