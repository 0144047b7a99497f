//! Many changes at once, for jobs: each chunk is one durable step.

use serde_json::Value;
use twinwright_dtdl::{ModelSet, Rules};

use super::locks::{Lock, Place, changes, reads};
use super::models::version_of;
use super::twins::wire;
use super::{Change, Graph, Origin, Plan, Store};
use crate::answer::Refusal;
use crate::events::TwinEventKind;
use crate::twin::Document;

/// Twins or relationships deleted in one step.
const CHUNK: usize = 1000;

/// Entries that were not taken, by identifier.
pub(crate) type Refused = Vec<(String, Refusal)>;

impl Store {
    /// Creates models, however many; those that exist already with the same content are passed over.
    pub(crate) async fn import_models(&self, documents: Vec<Value>) -> Result<(), Refusal> {
        let fresh: Vec<Value> = {
            let graph = self.graph();
            let known = |document: &Value| {
                let id = document["@id"].as_str().unwrap_or_default();
                graph.entries.get(id).is_some_and(|entry| entry.document == *document)
            };
            documents.into_iter().filter(|document| !known(document)).collect()
        };
        if fresh.is_empty() {
            return Ok(());
        }
        self.link_and_add(fresh).await.map(|_| ())
    }

    /// Creates or replaces twins whose identifiers differ.
    pub(crate) async fn import_twins(&self, twins: Vec<(String, Document)>) -> Result<Refused, Refusal> {
        let origin = Origin::now();
        let (snapshot, version) = {
            let graph = self.graph();
            // Only what the check of a twin looks at; the twins themselves are not copied.
            let snapshot =
                Graph { models: graph.models.clone(), entries: graph.entries.clone(), ..Graph::default() };
            (snapshot, version_of(&graph))
        };
        let mut locks: Vec<Lock> = vec![reads(Place::Models)];
        let mut refused = Vec::new();
        let mut ready = Vec::with_capacity(twins.len());
        for (id, body) in twins {
            // Checked here, on the caller's thread, so that the writer is free for others.
            match super::twins::prepare(&snapshot, &id, body, None) {
                Ok(document) => {
                    locks.push(changes(Place::Twin(id.clone())));
                    ready.push(Change::twin(id, document));
                }
                Err(refusal) => refused.push((id, refusal)),
            }
        }
        self.submit(locks, move |graph| {
            if version_of(graph) != version {
                return Err(Refusal::unavailable("models changed during the import: start it again"));
            }
            let mut events = Vec::with_capacity(ready.len());
            for change in &ready {
                let Change::Twin { id, document, .. } = change else { continue };
                let kind = match graph.twins.get(id) {
                    Some(before) => TwinEventKind::Replaced { before: wire(before), after: wire(document) },
                    None => TwinEventKind::Created(wire(document)),
                };
                events.push(origin.event(id, kind));
            }
            Ok(Plan { changes: ready, events, reply: refused })
        })
        .await
    }

    /// Creates or replaces relationships whose keys differ.
    pub(crate) async fn import_relationships(
        &self,
        relationships: Vec<(String, String, Document)>,
    ) -> Result<Refused, Refusal> {
        let origin = Origin::now();
        let mut locks: Vec<Lock> = vec![reads(Place::Models)];
        for (source, id, document) in &relationships {
            locks.push(reads(Place::Twin(source.clone())));
            if let Some(target) = document.get("$targetId").and_then(Value::as_str) {
                locks.push(reads(Place::Twin(target.to_owned())));
            }
            locks.push(changes(Place::Relationship(source.clone(), id.clone())));
        }
        self.submit(locks, move |graph| {
            let (mut changes, mut events, mut refused) = (Vec::new(), Vec::new(), Vec::new());
            for (source, id, body) in relationships {
                match super::relationships::plan_put(graph, &source, &id, body, None, &origin) {
                    Ok((change, event, _)) => {
                        changes.push(change);
                        events.push(event);
                    }
                    Err(refusal) => refused.push((format!("{source}/{id}"), refusal)),
                }
            }
            Ok(Plan { changes, events, reply: refused })
        })
        .await
    }

    /// Deletes some of what there is: relationships first, then twins, at last all models. Gives back how many.
    pub(crate) async fn delete_chunk(&self) -> Result<usize, Refusal> {
        let origin = Origin::now();
        // What it will meet is known only in its turn, so nothing else may share its batch: all writes look at models.
        let locks = vec![changes(Place::Models)];
        self.submit(locks, move |graph| {
            let (mut list, mut events) = (Vec::new(), Vec::new());
            for (key, document) in graph.relationships.iter().take(CHUNK) {
                let model = super::relationships::source_model(graph, &key.0);
                let kind = TwinEventKind::RelationshipDeleted { model, before: wire(document) };
                events.push(origin.event(&key.0, kind));
                list.push(Change::DeleteRelationship(key.clone()));
            }
            if list.is_empty() {
                for (id, document) in graph.twins.iter().take(CHUNK) {
                    events.push(origin.event(id, TwinEventKind::Deleted(wire(document))));
                    list.push(Change::DeleteTwin(id.clone()));
                }
            }
            let mut count = list.len();
            if list.is_empty() && !graph.entries.is_empty() {
                count = graph.entries.len();
                let gone = graph.entries.iter().map(|(id, entry)| (id.clone(), entry.sequence)).collect();
                list.push(Change::DeleteModels { gone, models: ModelSet::new(Rules::DigitalTwins) });
            }
            Ok(Plan { changes: list, events, reply: count })
        })
        .await
    }
}
