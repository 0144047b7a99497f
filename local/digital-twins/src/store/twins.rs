//! Twins: put, patch, delete.

use std::sync::Arc;

use serde_json::Value;

use super::locks::{Place, changes, reads};
use super::{Change, Conditions, Graph, Origin, Plan, Store, no_twin};
use crate::answer::Refusal;
use crate::events::{TwinEventKind, WireDocument};
use crate::limits::Class;
use crate::patch::{self, Operation};
use crate::twin::{self, Document, model_of};

impl Store {
    /// One twin.
    pub(crate) fn twin(&self, id: &str) -> Result<Arc<Document>, Refusal> {
        self.graph().twins.get(id).cloned().ok_or_else(|| no_twin(id))
    }

    /// Creates or replaces a twin.
    pub(crate) async fn put_twin(
        &self,
        id: String,
        body: Document,
        conditions: Conditions,
        origin: Origin,
    ) -> Result<Arc<Document>, Refusal> {
        twin::check_id(&id)?;
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&id)?;
        self.submit(vec![reads(Place::Models), changes(Place::Twin(id.clone()))], move |graph| {
            let old = graph.twins.get(&id);
            conditions.check(old.and_then(|old| etag_of(old)))?;
            let document = prepare(graph, &id, body, old.map(|old| &**old))?;
            let kind = match old {
                Some(old) => TwinEventKind::Replaced { before: wire(old), after: wire(&document) },
                None => TwinEventKind::Created(wire(&document)),
            };
            Ok(Plan {
                events: vec![origin.event(&id, kind)],
                changes: vec![Change::twin(id, Arc::clone(&document))],
                reply: document,
            })
        })
        .await
    }

    /// Patches a twin, or one of its components; gives back the new etag.
    pub(crate) async fn patch_twin(
        &self,
        id: String,
        component: Option<String>,
        body: &Value,
        conditions: Conditions,
        origin: Origin,
    ) -> Result<String, Refusal> {
        self.meter.admit(Class::Patch)?;
        self.meter.admit_write(&id)?;
        let mut operations = patch::parse(body)?;
        if let Some(component) = &component {
            for operation in &mut operations {
                operation.path.insert(0, component.clone());
            }
        }
        self.submit(vec![reads(Place::Models), changes(Place::Twin(id.clone()))], move |graph| {
            let old = graph.twins.get(&id).ok_or_else(|| no_twin(&id))?;
            conditions.check(etag_of(old))?;
            if operations.is_empty() {
                return Ok(Plan::nothing(etag_of(old).unwrap_or_default().to_owned()));
            }
            let (document, etag) = patched(graph, old, component.as_deref(), &operations)?;
            let kind = TwinEventKind::Updated {
                model: model_of(&document).unwrap_or_default().to_owned(),
                patch: patch::rooted(&operations),
                after: wire(&document),
            };
            Ok(Plan {
                events: vec![origin.event(&id, kind)],
                changes: vec![Change::twin(id, document)],
                reply: etag,
            })
        })
        .await
    }

    /// Deletes a twin without relationships.
    pub(crate) async fn delete_twin(
        &self,
        id: String,
        conditions: Conditions,
        origin: Origin,
    ) -> Result<(), Refusal> {
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&id)?;
        self.submit(vec![reads(Place::Models), changes(Place::Twin(id.clone()))], move |graph| {
            let old = graph.twins.get(&id).ok_or_else(|| no_twin(&id))?;
            conditions.check(etag_of(old))?;
            if graph.has_relationships(&id) {
                return Err(Refusal::bad(
                    "RelationshipsNotDeleted",
                    format!("the twin '{id}' has relationships: delete them first"),
                ));
            }
            Ok(Plan {
                events: vec![origin.event(&id, TwinEventKind::Deleted(wire(old)))],
                changes: vec![Change::DeleteTwin(id)],
                reply: (),
            })
        })
        .await
    }
}

/// The stored form of a twin that a client put, checked against its model.
pub(super) fn prepare(
    graph: &Graph,
    id: &str,
    body: Document,
    old: Option<&Document>,
) -> Result<Arc<Document>, Refusal> {
    twin::check_id(id)?;
    let model = model_of(&body);
    let decommissioned =
        model.and_then(|model| graph.entries.get(model)).is_some_and(|entry| entry.decommissioned);
    if decommissioned && old.and_then(model_of) != model {
        return Err(Refusal::bad(
            "ModelDecommissioned",
            "the model is decommissioned: no new twins of it can be created",
        ));
    }
    let mut document = twin::from_put(id, body, &graph.models);
    document.insert("$etag".into(), twin::new_etag().into());
    twin::validate(&graph.models, &document)?;
    Ok(Arc::new(document))
}

fn patched(
    graph: &Graph,
    old: &Document,
    component: Option<&str>,
    operations: &[Operation],
) -> Result<(Arc<Document>, String), Refusal> {
    let components = graph.components_of(old);
    if let Some(name) = component.filter(|name| !components.iter().any(|known| known == name)) {
        return Err(Refusal::bad(
            "JsonPatchInvalid",
            format!("the path '/{name}' cannot be resolved: the twin has no such component"),
        ));
    }
    let mut document = old.clone();
    let known = components_after(operations, components, &graph.models);
    patch::apply_to_twin(&mut document, operations, &known)?;
    let etag = twin::new_etag();
    document.insert("$etag".into(), etag.clone().into());
    let (before, after) = (model_of(old), model_of(&document));
    let decommissioned =
        after.and_then(|model| graph.entries.get(model)).is_some_and(|new| new.decommissioned);
    if before != after && decommissioned {
        return Err(Refusal::bad("ModelDecommissioned", "the new model is decommissioned: choose another"));
    }
    twin::validate(&graph.models, &document)?;
    Ok((Arc::new(document), etag))
}

/// A document for an event.
pub(super) fn wire(document: &Arc<Document>) -> WireDocument {
    WireDocument(Arc::clone(document))
}

pub(super) fn etag_of(document: &Document) -> Option<&str> {
    document.get("$etag").and_then(Value::as_str)
}

/// A patch may change the model and add that model's components at once.
fn components_after(
    operations: &[Operation],
    mut names: Vec<String>,
    models: &twinwright_dtdl::ModelSet,
) -> Vec<String> {
    for operation in operations {
        let changes_model = operation.path.iter().map(String::as_str).eq(["$metadata", "$model"]);
        let interface =
            operation.value.as_str().filter(|_| changes_model).and_then(|model| models.resolve(model));
        names.extend(interface.into_iter().flat_map(|interface| {
            interface.components().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        }));
    }
    names
}
