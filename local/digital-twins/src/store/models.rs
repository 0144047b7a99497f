//! Models: upload, decommission, delete.

use std::collections::HashSet;

use serde_json::{Value, json};
use twinwright_dtdl::ErrorKind;

use super::{ModelEntry, Store};
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

impl Store {
    /// Uploads models, all or none, and gives back their data.
    pub(crate) fn add_models(&self, documents: &[Value]) -> Result<Vec<(String, ModelEntry)>, Refusal> {
        if documents.is_empty() {
            return Err(Refusal::bad("InvalidArgument", "the list of models is empty: send at least one"));
        }
        if documents.len() > MOST_IN_REQUEST {
            return Err(Refusal::bad(
                "LimitExceeded",
                format!("one request takes {MOST_IN_REQUEST} models: send several requests"),
            ));
        }
        if documents.iter().any(|document| document.to_string().len() > LARGEST_MODEL) {
            return Err(Refusal::bad(
                "LimitExceeded",
                format!("a model is larger than {LARGEST_MODEL} bytes: split it"),
            ));
        }
        let (models, count) = {
            let graph = self.graph();
            (graph.models.clone(), graph.entries.len())
        };
        if count + documents.len() > MOST_IN_ALL {
            return Err(Refusal::bad(
                "LimitExceeded",
                format!("an instance holds {MOST_IN_ALL} models: delete some first"),
            ));
        }
        models.with(documents).map_err(|errors| {
            let exists = errors
                .iter()
                .find(|error| error.kind == ErrorKind::Duplicate && models.resolve(&error.model).is_some());
            if let Some(error) = exists {
                return Refusal::new(
                    axum::http::StatusCode::CONFLICT,
                    "ModelAlreadyExists",
                    error.to_string(),
                );
            }
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Refusal::bad(
                "DTDLParserError",
                format!(
                    "none of the {} models was created, correct these and send all again: {}",
                    documents.len(),
                    lines.join("; ")
                ),
            )
        })?;
        let upload_time = clock::now_with_offset();
        let entries: Vec<(String, ModelEntry)> = documents
            .iter()
            .map(|document| {
                let id = document["@id"].as_str().unwrap_or_default().to_owned();
                (
                    id,
                    ModelEntry {
                        document: document.clone(),
                        upload_time: upload_time.clone(),
                        decommissioned: false,
                    },
                )
            })
            .collect();
        let lines: Vec<Value> = entries.iter().map(|(_, entry)| entry.line()).collect();
        self.commit(json!({"op": "models", "models": lines}), |graph| match graph.models.with(documents) {
            Ok(_) => Ok(()),
            Err(errors) => Err(Refusal::new(
                axum::http::StatusCode::CONFLICT,
                "ModelAlreadyExists",
                errors[0].to_string(),
            )),
        })?;
        Ok(entries)
    }

    /// Decommissions a model, or takes it back into service.
    pub(crate) fn decommission(&self, id: &str, operations: &[Operation]) -> Result<(), Refusal> {
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
        self.commit(json!({"op": "decommission", "id": id, "decommissioned": decommissioned}), |graph| {
            if !graph.entries.contains_key(id) {
                return Err(no_model(id));
            }
            let active = |other: &str| graph.entries.get(other).is_some_and(|entry| !entry.decommissioned);
            match graph.models.dependants(id).iter().find(|other| active(other.as_str())) {
                Some(other) if *decommissioned => Err(Refusal::new(
                    axum::http::StatusCode::CONFLICT,
                    "ModelReferencesNotDecommissioned",
                    format!("the model '{other}' refers to this one: decommission it first"),
                )),
                _ => Ok(()),
            }
        })
    }

    /// Deletes a model that no other model needs. Its twins stay.
    pub(crate) fn delete_model(&self, id: &str) -> Result<(), Refusal> {
        self.commit(json!({"op": "deleteModel", "id": id}), |graph| {
            if !graph.entries.contains_key(id) {
                return Err(no_model(id));
            }
            match graph.models.dependants(id).first() {
                Some(other) => Err(Refusal::new(
                    axum::http::StatusCode::CONFLICT,
                    "ModelReferencesNotDeleted",
                    format!("the model '{other}' refers to this one: delete it first"),
                )),
                None => Ok(()),
            }
        })
    }

    /// One model.
    pub(crate) fn model(&self, id: &str) -> Result<ModelEntry, Refusal> {
        self.graph().entries.get(id).cloned().ok_or_else(|| no_model(id))
    }

    /// Identifiers of models after one of them, in order; of those only that the given ones depend on, when any is given.
    pub(crate) fn model_ids(&self, dependencies_for: &[String]) -> Result<Vec<String>, Refusal> {
        let graph = self.graph();
        if dependencies_for.is_empty() {
            return Ok(graph.entries.keys().cloned().collect());
        }
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
        Ok(graph.entries.keys().filter(|id| wanted.contains(*id)).cloned().collect())
    }
}
