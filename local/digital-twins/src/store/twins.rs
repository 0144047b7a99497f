//! Twins: put, patch, delete.

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};

use super::{Conditions, Store, no_twin};
use crate::answer::Refusal;
use crate::clock;
use crate::events::TwinEventKind;
use crate::limits::Class;
use crate::patch::{self, Operation};
use crate::twin::{self, Document, model_of};

impl Store {
    /// One twin.
    pub(crate) fn twin(&self, id: &str) -> Result<Arc<Document>, Refusal> {
        self.graph().twins.get(id).cloned().ok_or_else(|| no_twin(id))
    }

    /// Creates or replaces a twin.
    pub(crate) fn put_twin(
        &self,
        id: &str,
        body: Document,
        conditions: &Conditions,
    ) -> Result<Arc<Document>, Refusal> {
        let received = clock::now_us();
        twin::check_id(id)?;
        let gate = self.meter.gate(id);
        let mut window = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let (models, old, decommissioned) = {
            let graph = self.graph();
            let decommissioned = model_of(&body)
                .and_then(|model| graph.entries.get(model))
                .is_some_and(|entry| entry.decommissioned);
            (graph.models.clone(), graph.twins.get(id).cloned(), decommissioned)
        };
        conditions.check(old.as_deref().and_then(etag_of))?;
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&mut window, id)?;
        let same_model = old.as_deref().is_some_and(|old| model_of(old) == model_of(&body));
        if decommissioned && !same_model {
            return Err(Refusal::bad(
                "ModelDecommissioned",
                "the model is decommissioned: no new twins of it can be created",
            ));
        }
        let mut document = twin::from_put(id, body, &models);
        document.insert("$etag".into(), twin::new_etag().into());
        twin::validate(&models, &document)?;
        let document = Arc::new(document);
        self.commit(json!({"op": "twin", "twin": *document}), |_| Ok(()))?;
        let whole = Value::Object((*document).clone());
        let kind = if old.is_some() { TwinEventKind::Replaced(whole) } else { TwinEventKind::Created(whole) };
        self.announce(id, received, kind);
        Ok(document)
    }

    /// Patches a twin, or one of its components; gives back the new etag.
    pub(crate) fn patch_twin(
        &self,
        id: &str,
        component: Option<&str>,
        body: &Value,
        conditions: &Conditions,
    ) -> Result<String, Refusal> {
        let received = clock::now_us();
        let mut operations = patch::parse(body)?;
        let gate = self.meter.gate(id);
        let mut window = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let (models, old, components) = {
            let graph = self.graph();
            let old = graph.twins.get(id).cloned().ok_or_else(|| no_twin(id))?;
            (graph.models.clone(), Arc::clone(&old), graph.components_of(&old))
        };
        conditions.check(etag_of(&old))?;
        self.meter.admit(Class::Patch)?;
        self.meter.admit_write(&mut window, id)?;
        if let Some(name) = component {
            if !components.iter().any(|known| known == name) {
                return Err(Refusal::bad(
                    "JsonPatchInvalid",
                    format!("the path '/{name}' cannot be resolved: the twin has no such component"),
                ));
            }
            for operation in &mut operations {
                operation.path.insert(0, name.to_owned());
            }
        }
        let mut document = (*old).clone();
        let known = components_after(&operations, &components, &models);
        patch::apply_to_twin(&mut document, &operations, &known)?;
        let etag = twin::new_etag();
        document.insert("$etag".into(), etag.clone().into());
        self.check_new_model(&old, &document)?;
        twin::validate(&models, &document)?;
        let model = model_of(&document).unwrap_or_default().to_owned();
        self.commit(json!({"op": "twin", "twin": document}), |_| Ok(()))?;
        self.announce(id, received, TwinEventKind::Updated { model, patch: rooted(&operations) });
        Ok(etag)
    }

    fn check_new_model(&self, old: &Document, new: &Document) -> Result<(), Refusal> {
        let (before, after) = (model_of(old), model_of(new));
        let decommissioned =
            after.and_then(|model| self.graph().entries.get(model).map(|entry| entry.decommissioned));
        if before != after && decommissioned == Some(true) {
            return Err(Refusal::bad(
                "ModelDecommissioned",
                "the new model is decommissioned: choose another",
            ));
        }
        Ok(())
    }

    /// Deletes a twin without relationships.
    pub(crate) fn delete_twin(&self, id: &str, conditions: &Conditions) -> Result<(), Refusal> {
        let received = clock::now_us();
        let gate = self.meter.gate(id);
        let mut window = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.twin(id)?;
        conditions.check(etag_of(&old))?;
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&mut window, id)?;
        self.commit(json!({"op": "deleteTwin", "id": id}), |graph| {
            let first = (id.to_owned(), String::new());
            let outgoing =
                graph.relationships.range(first..).next().is_some_and(|((source, _), _)| source == id);
            if outgoing || graph.incoming.contains_key(id) {
                return Err(Refusal::bad(
                    "RelationshipsNotDeleted",
                    format!("the twin '{id}' has relationships: delete them first"),
                ));
            }
            Ok(())
        })?;
        self.announce(id, received, TwinEventKind::Deleted);
        Ok(())
    }
}

pub(super) fn etag_of(document: &Document) -> Option<&str> {
    document.get("$etag").and_then(Value::as_str)
}

/// A patch may change the model and add that model's components at once.
fn components_after(
    operations: &[Operation],
    components: &[String],
    models: &twinwright_dtdl::ModelSet,
) -> Vec<String> {
    let mut names = components.to_vec();
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

/// The operations as JSON Patch again, with paths from the twin's root.
fn rooted(operations: &[Operation]) -> Value {
    let list = operations.iter().map(|operation| {
        let path: String = operation
            .path
            .iter()
            .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
            .collect();
        match operation.action {
            patch::Action::Add => json!({"op": "add", "path": path, "value": operation.value}),
            patch::Action::Replace => json!({"op": "replace", "path": path, "value": operation.value}),
            patch::Action::Remove => json!({"op": "remove", "path": path}),
        }
    });
    list.collect()
}
