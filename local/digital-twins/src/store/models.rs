//! Models: upload, decommission, delete.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;
use twinwright_dtdl::{ErrorKind, ModelError, ModelSet};

use super::locks::{Place, changes};
use super::{Change, Graph, ModelEntry, Plan, Store};
use crate::answer::Refusal;
use crate::clock;
use crate::patch::{Action, Operation};

/// Limits of the service: models in one request and in all, bytes of one model.
const MOST_IN_REQUEST: usize = 250;
const MOST_IN_ALL: usize = 10_000;
const LARGEST_MODEL: usize = 1024 * 1024;

pub(crate) fn no_model(id: &str) -> Refusal {
    Refusal::missing("ModelNotFound", format!("there is no model '{id}': create it first"))
}

/// The first of the faults in models, for a message that has room for one.
pub(crate) fn first_fault(errors: &[ModelError]) -> String {
    errors.first().map_or_else(|| "unknown fault".to_owned(), ToString::to_string)
}

/// Two graphs of one store with the same version have the same models: numbers only grow, and a deletion takes from the count.
pub(super) fn version_of(graph: &Graph) -> (u64, usize) {
    (graph.next_model, graph.entries.len())
}

fn refuse(models: &ModelSet, count: usize, errors: &[ModelError]) -> Refusal {
    let exists =
        |error: &&ModelError| error.kind == ErrorKind::Duplicate && models.resolve(&error.model).is_some();
    if let Some(error) = errors.iter().find(exists) {
        return Refusal::new(StatusCode::CONFLICT, "ModelAlreadyExists", error.to_string());
    }
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Refusal::bad(
        "DTDLParserError",
        format!(
            "none of the {count} models was created, correct these and send all again: {}",
            lines.join("; ")
        ),
    )
}

impl Store {
    /// Uploads models, all or none, and gives back their data.
    pub(crate) async fn add_models(&self, documents: Vec<Value>) -> Result<Vec<Arc<ModelEntry>>, Refusal> {
        if documents.is_empty() {
            return Err(Refusal::bad("InvalidArgument", "the list of models is empty: send at least one"));
        }
        if documents.len() > MOST_IN_REQUEST {
            return Err(Refusal::bad(
                "LimitExceeded",
                format!("one request takes {MOST_IN_REQUEST} models: send several requests"),
            ));
        }
        self.link_and_add(documents).await
    }

    /// Uploads models without a bound on how many at once.
    pub(super) async fn link_and_add(&self, documents: Vec<Value>) -> Result<Vec<Arc<ModelEntry>>, Refusal> {
        let (models, version) = {
            let graph = self.graph();
            (graph.models.clone(), version_of(&graph))
        };
        if version.1 + documents.len() > MOST_IN_ALL {
            return Err(Refusal::bad(
                "LimitExceeded",
                format!("an instance holds {MOST_IN_ALL} models: delete some first"),
            ));
        }
        // Linking a large upload takes a while; it holds up neither the writer nor other requests.
        let linked = tokio::task::spawn_blocking(move || link(&models, documents)).await;
        let (documents, linked) =
            linked.map_err(|_| Refusal::unavailable("the upload was interrupted: send it again"))??;
        self.submit(vec![changes(Place::Models)], move |graph| {
            let linked = if version_of(graph) == version {
                linked
            } else {
                graph.models.with(&documents).map_err(|errors| refuse(&graph.models, documents.len(), &errors))?
            };
            let upload_time = clock::now_with_offset();
            let entries: Vec<Arc<ModelEntry>> = (graph.next_model..)
                .zip(documents)
                .map(|(sequence, document)| {
                    let upload_time = upload_time.clone();
                    Arc::new(ModelEntry { sequence, document, upload_time, decommissioned: false })
                })
                .collect();
            for entry in entries.iter().filter(|entry| has_command(&entry.document)) {
                tracing::warn!(model = entry.id(), "the model has a command: it is kept, but the documentation of Azure Digital Twins forbids commands in models");
            }
            let change = Change::Models { entries: entries.clone(), models: linked };
            Ok(Plan { changes: vec![change], events: Vec::new(), reply: entries })
        })
        .await
    }

    /// Decommissions a model, or takes it back into service.
    pub(crate) async fn decommission(&self, id: String, operations: &[Operation]) -> Result<(), Refusal> {
        let [Operation { action: Action::Replace, path, value: Value::Bool(decommissioned) }] = operations
        else {
            return Err(Refusal::bad(
                "JsonPatchInvalid",
                "a model takes one operation: replace /decommissioned with true or false",
            ));
        };
        if path.as_slice() != ["decommissioned"] {
            return Err(Refusal::bad("JsonPatchInvalid", "only /decommissioned of a model can be replaced"));
        }
        let decommissioned = *decommissioned;
        self.submit(vec![changes(Place::Models)], move |graph| {
            let entry = graph.entries.get(&id).ok_or_else(|| no_model(&id))?;
            let active = |other: &str| graph.entries.get(other).is_some_and(|entry| !entry.decommissioned);
            if decommissioned
                && let Some(other) = graph.models.dependants(&id).iter().find(|other| active(other.as_str()))
            {
                return Err(Refusal::new(
                    StatusCode::CONFLICT,
                    "ModelReferencesNotDecommissioned",
                    format!("the model '{other}' refers to this one: decommission it first"),
                ));
            }
            let entry = Arc::new(ModelEntry { decommissioned, ..(**entry).clone() });
            Ok(Plan { changes: vec![Change::Decommission(entry)], events: Vec::new(), reply: () })
        })
        .await
    }

    /// Deletes a model that no other model needs. Its twins stay.
    pub(crate) async fn delete_model(&self, id: String) -> Result<(), Refusal> {
        self.submit(vec![changes(Place::Models)], move |graph| {
            let entry = graph.entries.get(&id).ok_or_else(|| no_model(&id))?;
            if let Some(other) = graph.models.dependants(&id).first() {
                return Err(Refusal::new(
                    StatusCode::CONFLICT,
                    "ModelReferencesNotDeleted",
                    format!("the model '{other}' refers to this one: delete it first"),
                ));
            }
            let (gone, models) = (vec![(id.clone(), entry.sequence)], graph.models.without(&id));
            let change = Change::DeleteModels { gone, models };
            Ok(Plan { changes: vec![change], events: Vec::new(), reply: () })
        })
        .await
    }

    /// One model.
    pub(crate) fn model(&self, id: &str) -> Result<Arc<ModelEntry>, Refusal> {
        self.graph().entries.get(id).cloned().ok_or_else(|| no_model(id))
    }

    /// Models in the order of their upload, after a number; of those only that the given ones depend on, when any is
    /// given. At most `size`, and whether there are more.
    pub(crate) fn list_models(
        &self,
        dependencies_for: &[String],
        after: u64,
        size: usize,
    ) -> Result<(Vec<Arc<ModelEntry>>, bool), Refusal> {
        let graph = self.graph();
        let mut wanted = HashSet::new();
        let mut open: Vec<String> = dependencies_for.to_vec();
        while let Some(id) = open.pop() {
            if !graph.entries.contains_key(&id) {
                return Err(no_model(&id));
            }
            if wanted.insert(id.clone()) {
                open.extend(graph.models.dependencies(&id).iter().map(|id| id.as_str().to_owned()));
            }
        }
        let fits = |entry: &&Arc<ModelEntry>| {
            entry.sequence > after && (dependencies_for.is_empty() || wanted.contains(entry.id()))
        };
        let mut found: Vec<Arc<ModelEntry>> =
            graph.entries.values().filter(fits).take(size + 1).cloned().collect();
        let more = found.len() > size;
        found.truncate(size);
        Ok((found, more))
    }
}

/// Checks sizes and links documents to the models that exist.
fn link(models: &ModelSet, documents: Vec<Value>) -> Result<(Vec<Value>, ModelSet), Refusal> {
    if documents.iter().any(|document| document.to_string().len() > LARGEST_MODEL) {
        let message = format!("a model is larger than {LARGEST_MODEL} bytes: split it");
        return Err(Refusal::bad("LimitExceeded", message));
    }
    let linked = models.with(&documents).map_err(|errors| refuse(models, documents.len(), &errors))?;
    Ok((documents, linked))
}

fn has_command(model: &Value) -> bool {
    let is_command = |content: &Value| match &content["@type"] {
        Value::String(kind) => kind == "Command",
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "Command"),
        _ => false,
    };
    match &model["contents"] {
        Value::Array(contents) => contents.iter().any(is_command),
        content => is_command(content),
    }
}
