//! Relationships: put, patch, delete.

use std::sync::Arc;

use serde_json::Value;

use super::locks::{Lock, Place, changes, reads};
use super::twins::{etag_of, wire};
use super::{Change, Conditions, Graph, Origin, Plan, Store, no_twin};
use crate::answer::Refusal;
use crate::events::{TwinEvent, TwinEventKind};
use crate::limits::Class;
use crate::patch;
use crate::twin::{self, Document, model_of};

/// Most outgoing or incoming relationships of one twin.
const MOST_RELATIONSHIPS: usize = 50_000;

fn text<'a>(document: &'a Document, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Value::as_str)
}

/// What a write of one relationship looks at and changes.
fn places(source: &str, id: &str) -> Vec<Lock> {
    vec![
        reads(Place::Models),
        reads(Place::Twin(source.to_owned())),
        changes(Place::Relationship(source.to_owned(), id.to_owned())),
    ]
}

impl Store {
    /// One relationship.
    pub(crate) fn relationship(&self, source: &str, id: &str) -> Result<Arc<Document>, Refusal> {
        find(&self.graph(), source, id).cloned()
    }

    /// Creates or replaces a relationship. Identifiers of the path go before those of the body.
    pub(crate) async fn put_relationship(
        &self,
        source: String,
        id: String,
        body: Document,
        conditions: Conditions,
        origin: Origin,
    ) -> Result<Arc<Document>, Refusal> {
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&source)?;
        let mut locks = places(&source, &id);
        locks.extend(text(&body, "$targetId").map(|target| reads(Place::Twin(target.to_owned()))));
        self.submit(locks, move |graph| {
            let (change, event, document) = plan_put(graph, &source, &id, body, Some(&conditions), &origin)?;
            Ok(Plan { changes: vec![change], events: vec![event], reply: document })
        })
        .await
    }

    /// Patches the properties of a relationship; gives back the new etag.
    pub(crate) async fn patch_relationship(
        &self,
        source: String,
        id: String,
        body: &Value,
        conditions: Conditions,
        origin: Origin,
    ) -> Result<String, Refusal> {
        self.meter.admit_write(&source)?;
        let operations = patch::parse(body)?;
        self.submit(places(&source, &id), move |graph| {
            let old = find(graph, &source, &id)?;
            conditions.check(etag_of(old))?;
            if operations.is_empty() {
                return Ok(Plan::nothing(etag_of(old).unwrap_or_default().to_owned()));
            }
            let mut document = (**old).clone();
            patch::apply_to_relationship(&mut document, &operations)?;
            let etag = twin::new_etag();
            document.insert("$etag".into(), etag.clone().into());
            check(graph, &source, &document)?;
            twin::check_size(&document, "relationship")?;
            let document = Arc::new(document);
            let kind = TwinEventKind::RelationshipUpdated {
                model: source_model(graph, &source),
                patch: patch::rooted(&operations),
                after: wire(&document),
            };
            Ok(Plan {
                events: vec![origin.event(&source, kind)],
                changes: vec![Change::relationship((source, id), document)],
                reply: etag,
            })
        })
        .await
    }

    /// Deletes a relationship.
    pub(crate) async fn delete_relationship(
        &self,
        source: String,
        id: String,
        conditions: Conditions,
        origin: Origin,
    ) -> Result<(), Refusal> {
        self.meter.admit(Class::Create)?;
        self.meter.admit_write(&source)?;
        self.submit(places(&source, &id), move |graph| {
            let old = find(graph, &source, &id)?;
            conditions.check(etag_of(old))?;
            let model = source_model(graph, &source);
            let kind = TwinEventKind::RelationshipDeleted { model, before: wire(old) };
            Ok(Plan {
                events: vec![origin.event(&source, kind)],
                changes: vec![Change::DeleteRelationship((source, id))],
                reply: (),
            })
        })
        .await
    }
}

/// Model of the twin that a relationship begins at.
pub(super) fn source_model(graph: &Graph, source: &str) -> String {
    graph.twins.get(source).and_then(|twin| model_of(twin)).unwrap_or_default().to_owned()
}

/// What putting a relationship does, if it may be put.
pub(super) fn plan_put(
    graph: &Graph,
    source: &str,
    id: &str,
    mut body: Document,
    conditions: Option<&Conditions>,
    origin: &Origin,
) -> Result<(Change, TwinEvent, Arc<Document>), Refusal> {
    twin::check_id(id)?;
    if !graph.twins.contains_key(source) {
        return Err(no_twin(source));
    }
    let key = (source.to_owned(), id.to_owned());
    let old = graph.relationships.get(&key);
    if let Some(conditions) = conditions {
        conditions.check(old.and_then(|old| etag_of(old)))?;
    }
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
    let changed = |old: &Arc<Document>| {
        text(old, "$targetId") != Some(&target) || text(old, "$relationshipName") != Some(&name)
    };
    if old.is_some_and(changed) {
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
    check(graph, source, &body)?;
    twin::check_size(&body, "relationship")?;
    let too_many = |side: &str, twin: &str| {
        let message = format!("the twin '{twin}' has {MOST_RELATIONSHIPS} {side} relationships already");
        Refusal::bad("LimitExceeded", message)
    };
    if old.is_none() {
        if graph.incoming.get(&target).is_some_and(|list| list.len() >= MOST_RELATIONSHIPS) {
            return Err(too_many("incoming", &target));
        }
        if graph.outgoing.get(source).is_some_and(|count| *count >= MOST_RELATIONSHIPS) {
            return Err(too_many("outgoing", source));
        }
    }
    let document = Arc::new(body);
    let model = source_model(graph, source);
    let kind = match old {
        Some(old) => TwinEventKind::RelationshipUpdated {
            model,
            patch: patch::difference(old, &document),
            after: wire(&document),
        },
        None => TwinEventKind::RelationshipCreated { model, after: wire(&document) },
    };
    let event = origin.event(source, kind);
    Ok((Change::relationship(key, Arc::clone(&document)), event, document))
}

fn find<'a>(graph: &'a Graph, source: &str, id: &str) -> Result<&'a Arc<Document>, Refusal> {
    if !graph.twins.contains_key(source) {
        return Err(no_twin(source));
    }
    let key = (source.to_owned(), id.to_owned());
    graph.relationships.get(&key).ok_or_else(|| {
        Refusal::missing("RelationshipNotFound", format!("the twin '{source}' has no relationship '{id}'"))
    })
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
