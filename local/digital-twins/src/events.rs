//! What observers in the same process are told.

use serde_json::Value;

/// A change of the graph, after it became durable.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinEvent {
    /// Identifier of the twin; of the source twin for relationships.
    pub twin_id: String,
    /// When the request arrived, in microseconds since 1970 (UTC).
    pub received_us: i64,
    /// What happened.
    pub kind: TwinEventKind,
}

/// What happened to a twin.
#[derive(Debug, Clone, PartialEq)]
pub enum TwinEventKind {
    /// A twin was created; the whole twin.
    Created(Value),
    /// A twin was replaced by PUT; the whole new twin.
    Replaced(Value),
    /// A twin or one of its components was patched.
    Updated {
        /// Model of the twin.
        model: String,
        /// The JSON Patch as applied to the twin; paths begin at the twin's root.
        patch: Value,
    },
    /// A twin was deleted.
    Deleted,
    /// A relationship was created; the whole relationship.
    RelationshipCreated(Value),
    /// A relationship was replaced or patched; the whole relationship.
    RelationshipUpdated(Value),
    /// A relationship was deleted; its identifier.
    RelationshipDeleted(String),
    /// Telemetry was sent through a twin.
    Telemetry {
        /// Component that sent it, if any.
        component: Option<String>,
        /// The payload.
        payload: Value,
    },
}
