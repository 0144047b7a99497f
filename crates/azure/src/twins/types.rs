use std::time::Duration;

use serde_json::{Map, Value};

/// An equipment twin as the service stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// `$dtId`.
    pub id: String,
    /// Weak entity tag, for `if_match`.
    pub etag: String,
    /// `$metadata.$model`.
    pub model: String,
    /// The whole JSON object, `$`-members included.
    pub body: Map<String, Value>,
}

/// A relationship, with its properties.
#[derive(Debug, Clone, PartialEq)]
pub struct Relationship {
    /// `$sourceId`.
    pub source: String,
    /// `$relationshipId`, unique per source.
    pub id: String,
    /// `$relationshipName`, as the model has it.
    pub name: String,
    /// `$targetId`.
    pub target: String,
    /// Weak entity tag; empty before it is stored.
    pub etag: String,
    /// The members that do not begin with `$`.
    pub properties: Map<String, Value>,
}

/// A relationship seen from its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingRelationship {
    /// `$relationshipId`.
    pub id: String,
    /// `$sourceId`.
    pub source: String,
    /// `$relationshipName`.
    pub name: String,
}

/// A model that the service holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// DTMI.
    pub id: String,
    /// No new twins can be made of it.
    pub decommissioned: bool,
    /// RFC 3339 time of the upload.
    pub uploaded: String,
    /// The DTDL interface, if it was asked for.
    pub definition: Option<Value>,
}

/// How a patch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatchOutcome {
    /// The twin has the new values.
    Patched {
        /// Its new entity tag.
        etag: Option<String>,
    },
    /// There is no such twin.
    NotFound,
    /// The twin is not the version that `if_match` named.
    PreconditionFailed,
    /// The service will refuse this patch for ever: drop it, say why.
    Invalid {
        /// The service's code, such as `ValidationFailed`, or `Http400` when it sent none.
        code: String,
        /// Its message.
        message: String,
    },
    /// The twin's or the instance's limit is reached.
    Throttled {
        /// How long to wait, if the service said.
        retry_after: Option<Duration>,
    },
    /// No connection, no token, or a failure of the service: the patch may go out later.
    Unavailable {
        /// Why.
        cause: String,
    },
}
