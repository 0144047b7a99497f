//! Relationships: put, patch, delete.

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};

use super::twins::etag_of;
use super::{Conditions, Graph, Store, no_twin};
use crate::answer::Refusal;
use crate::clock;
use crate::events::TwinEventKind;
use crate::limits::Class;
use crate::patch;
use crate::twin::{self, Document, model_of};

/// Most outgoing or incoming relationships of one twin.
const MOST_RELATIONSHIPS: usize = 50_000;

fn text<'a>(document: &'a Document, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Value::as_str)
}

impl Store {
    /// One relationship.
    pub(crate) fn relationship(&self, source: &str, id: &str) -> Result<Arc<Document>, Refusal> {
        let graph = self.graph();
        if !graph.twins.contains_key(source) {
            return Err(no_twin(source));
        }
        find(&graph, source, id)
    }

    /// Creates or replaces a relationship. Identifiers of the path go before those of the body.
    pub(crate) fn put_relationship(
        &self,
        source: &str,
        id: &str,
        mut body: Document,
        conditions: &Conditions,
    ) -> Result<Arc<Document>, Refusal> {
        let received = clock::now_us();
        twin::check_id(id)?;
        let gate = self.meter.gate(source);
        let mut window = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let old = {
            let graph = self.graph();
            if !graph.twins.contains_key(source) {
                return Err(no_twin(source));
            }
            graph.relationships.get(&(source.to_owned(), id.to_owned())).cloned()
        };
        conditions.check(old.as_deref().and_then(etag_of))?;
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&mut window, source)?;
        let missing =
            |name: &str| Refusal::bad("InvalidArgument", format!("the relationship has no {name}: add it"));
        let name = text(&body, "$relationshipName").ok_or_else(|| missing("$relationshipName"))?.to_owned();
        let target = text(&body, "$targetId").ok_or_else(|| missing("$targetId"))?.to_owned();
        if target == source {
            return Err(Refusal::bad(
                "OperationNotAllowed",
                "a twin cannot have a relationship to itself: name another target",
            ));
        }
        let changed = |old: &Document| {
            text(old, "$targetId") != Some(&target) || text(old, "$relationshipName") != Some(&name)
        };
        if old.as_deref().is_some_and(changed) {
            return Err(Refusal::bad(
                "InvalidArgument",
                "the target and the name of a relationship cannot be changed: delete it and create it anew",
            ));
        }
        for (key, value) in [("$relationshipId", id), ("$sourceId", source)] {
            body.insert(key.into(), value.into());
        }
        body.remove("$metadata");
        body.insert("$etag".into(), twin::new_etag().into());
        check(&self.graph(), source, &body)?;
        let document = Arc::new(body);
        self.commit(json!({"op": "relationship", "relationship": *document}), |graph| {
            // Twins may have gone since the check above; the graph must never hold a loose end.
            if !graph.twins.contains_key(&target) {
                return Err(no_target(&target));
            }
            if graph.incoming.get(&target).is_some_and(|list| list.len() >= MOST_RELATIONSHIPS) {
                return Err(Refusal::bad(
                    "LimitExceeded",
                    format!("the twin '{target}' has {MOST_RELATIONSHIPS} incoming relationships already"),
                ));
            }
            if graph.twins.contains_key(source) { Ok(()) } else { Err(no_twin(source)) }
        })?;
        let whole = Value::Object((*document).clone());
        let kind = if old.is_some() {
            TwinEventKind::RelationshipUpdated(whole)
        } else {
            TwinEventKind::RelationshipCreated(whole)
        };
        self.announce(source, received, kind);
        Ok(document)
    }

    /// Patches the properties of a relationship; gives back the new etag.
    pub(crate) fn patch_relationship(
        &self,
        source: &str,
        id: &str,
        body: &Value,
        conditions: &Conditions,
    ) -> Result<String, Refusal> {
        let received = clock::now_us();
        let operations = patch::parse(body)?;
        let gate = self.meter.gate(source);
        let mut window = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.relationship(source, id)?;
        conditions.check(etag_of(&old))?;
        self.meter.admit_write(&mut window, source)?;
        let mut document = (*old).clone();
        patch::apply_to_relationship(&mut document, &operations)?;
        let etag = twin::new_etag();
        document.insert("$etag".into(), etag.clone().into());
        check(&self.graph(), source, &document)?;
        let whole = Value::Object(document);
        self.commit(json!({"op": "relationship", "relationship": whole}), |_| Ok(()))?;
        self.announce(source, received, TwinEventKind::RelationshipUpdated(whole));
        Ok(etag)
    }

    /// Deletes a relationship.
    pub(crate) fn delete_relationship(
        &self,
        source: &str,
        id: &str,
        conditions: &Conditions,
    ) -> Result<(), Refusal> {
        let received = clock::now_us();
        let gate = self.meter.gate(source);
        let mut window = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.relationship(source, id)?;
        conditions.check(etag_of(&old))?;
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&mut window, source)?;
        self.commit(json!({"op": "deleteRelationship", "source": source, "id": id}), |_| Ok(()))?;
        self.announce(source, received, TwinEventKind::RelationshipDeleted(id.to_owned()));
        Ok(())
    }
}

fn find(graph: &Graph, source: &str, id: &str) -> Result<Arc<Document>, Refusal> {
    let key = (source.to_owned(), id.to_owned());
    let missing = || {
        Refusal::missing("RelationshipNotFound", format!("the twin '{source}' has no relationship '{id}'"))
    };
    graph.relationships.get(&key).cloned().ok_or_else(missing)
}

fn no_target(id: &str) -> Refusal {
    // The published list says TargetTwinNotFound; this is what the service sends.
    Refusal::missing("TargetDigitalTwinNotFound", format!("there is no target twin '{id}': create it first"))
}

/// The relationship must be one of the source's model, lead to a twin of the right model and fit its definition.
fn check(graph: &Graph, source: &str, document: &Document) -> Result<(), Refusal> {
    let source = graph.twins.get(source).ok_or_else(|| no_twin(source))?;
    let (name, target) = (
        text(document, "$relationshipName").unwrap_or_default(),
        text(document, "$targetId").unwrap_or_default(),
    );
    let target = graph.twins.get(target).ok_or_else(|| no_target(target))?;
    let model = model_of(source).unwrap_or_default();
    let Some(interface) = graph.models.resolve(model) else {
        let fault = format!("the model '{model}' of the source twin does not exist");
        return Err(Refusal::validation("the relationship does not fit its model", vec![fault]));
    };
    let Some(definition) = interface.relationship(name) else {
        return Err(Refusal::bad(
            "InvalidRelationship",
            format!("the model '{model}' has no relationship '{name}'"),
        ));
    };
    let target_model = model_of(target).unwrap_or_default();
    if let Some(wanted) =
        definition.target.as_ref().filter(|wanted| !graph.models.is_of_model(target_model, wanted, false))
    {
        let message = format!("the target is of model '{target_model}', and '{name}' leads to '{wanted}'");
        return Err(Refusal::bad("InvalidRelationship", message));
    }
    twin::validate_properties(definition, document)
}
