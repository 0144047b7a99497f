//! What the writer makes durable and then visible.

use std::sync::Arc;

use serde_json::{Value, json};
use twinwright_dtdl::ModelSet;

use crate::jobs::{Job, JobKind};
use crate::routing::CompiledRoute;
use crate::twin::Document;

/// Source twin and identifier of a relationship.
pub(crate) type RelationshipKey = (String, String);

/// A model as it was uploaded, and what the service adds.
#[derive(Debug, Clone)]
pub(crate) struct ModelEntry {
    /// Grows with every upload; lists are in this order.
    pub(crate) sequence: u64,
    pub(crate) document: Value,
    pub(crate) upload_time: String,
    pub(crate) decommissioned: bool,
}

impl ModelEntry {
    /// Its form in the database.
    pub(crate) fn line(&self) -> Value {
        json!({"model": self.document, "uploadTime": self.upload_time, "decommissioned": self.decommissioned})
    }

    /// From its form in the database.
    pub(crate) fn read(sequence: u64, mut line: Value) -> Result<Self, String> {
        let upload_time = line["uploadTime"].as_str().ok_or("it has no upload time")?.to_owned();
        let decommissioned = line["decommissioned"] == true;
        let document = line["model"].take();
        if !document["@id"].is_string() {
            return Err("it has no @id".to_owned());
        }
        Ok(Self { sequence, document, upload_time, decommissioned })
    }

    /// The identifier.
    pub(crate) fn id(&self) -> &str {
        self.document["@id"].as_str().unwrap_or_default()
    }
}

/// One change. `bytes` are the record as the database keeps it.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Models {
        entries: Vec<Arc<ModelEntry>>,
        models: ModelSet,
    },
    Decommission(Arc<ModelEntry>),
    DeleteModels {
        gone: Vec<(String, u64)>,
        models: ModelSet,
    },
    Twin {
        id: String,
        document: Arc<Document>,
        bytes: Vec<u8>,
    },
    DeleteTwin(String),
    Relationship {
        key: RelationshipKey,
        document: Arc<Document>,
        bytes: Vec<u8>,
    },
    DeleteRelationship(RelationshipKey),
    Route {
        id: String,
        route: Arc<CompiledRoute>,
        bytes: Vec<u8>,
    },
    DeleteRoute(String),
    Job(Arc<Job>),
    DeleteJob {
        kind: JobKind,
        id: String,
    },
    /// Events of a queue up to a number need no keeping any more.
    Delivered {
        queue: String,
        through: u64,
    },
}

impl Change {
    pub(crate) fn twin(id: String, document: Arc<Document>) -> Self {
        let bytes = serde_json::to_vec(&*document).unwrap_or_default();
        Self::Twin { id, document, bytes }
    }

    pub(crate) fn relationship(key: RelationshipKey, document: Arc<Document>) -> Self {
        let bytes = serde_json::to_vec(&*document).unwrap_or_default();
        Self::Relationship { key, document, bytes }
    }

    /// What a second graph needs of it; nothing for changes that no query sees.
    pub(crate) fn for_queries(&self) -> Option<Self> {
        match self {
            Self::Twin { id, document, .. } => {
                Some(Self::Twin { id: id.clone(), document: Arc::clone(document), bytes: Vec::new() })
            }
            Self::Relationship { key, document, .. } => Some(Self::Relationship {
                key: key.clone(),
                document: Arc::clone(document),
                bytes: Vec::new(),
            }),
            Self::Route { .. }
            | Self::DeleteRoute(_)
            | Self::Job(_)
            | Self::DeleteJob { .. }
            | Self::Delivered { .. } => None,
            other => Some(other.clone()),
        }
    }
}
