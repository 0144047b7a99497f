//! What happened to the graph, for observers in the same process and for event routes.

use std::sync::Arc;

use serde_json::{Map, Value};

/// A change of the graph, after it became durable.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinEvent {
    /// Identifier of the twin; of the source twin for relationships.
    pub twin_id: String,
    /// When the request arrived, in microseconds since 1970 (UTC).
    pub received_us: i64,
    /// The `traceparent` of the request that caused it, if there was one.
    pub trace: Option<String>,
    /// What happened.
    pub kind: TwinEventKind,
}

/// A whole twin or relationship.
#[derive(Debug, Clone, PartialEq)]
pub struct WireDocument(pub(crate) Arc<Map<String, Value>>);

impl WireDocument {
    /// A property, component or identifier by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The document as the service returns it, metadata included.
    pub fn to_value(&self) -> Value {
        Value::Object(crate::twin::unfold(&self.0))
    }
}

/// What happened to a twin.
#[derive(Debug, Clone, PartialEq)]
pub enum TwinEventKind {
    /// A twin was created.
    Created(WireDocument),
    /// A twin was replaced by PUT.
    Replaced {
        /// The twin as it was.
        before: WireDocument,
        /// The twin as it is.
        after: WireDocument,
    },
    /// A twin or one of its components was patched.
    Updated {
        /// Model of the twin.
        model: String,
        /// The JSON Patch as applied to the twin; paths begin at the twin's root.
        patch: Value,
        /// The twin as it is.
        after: WireDocument,
    },
    /// A twin was deleted; the twin as it was.
    Deleted(WireDocument),
    /// A relationship was created.
    RelationshipCreated {
        /// Model of the source twin.
        model: String,
        /// The relationship.
        after: WireDocument,
    },
    /// A relationship was replaced or patched.
    RelationshipUpdated {
        /// Model of the source twin.
        model: String,
        /// What changed, as JSON Patch.
        patch: Value,
        /// The relationship as it is.
        after: WireDocument,
    },
    /// A relationship was deleted; the relationship as it was.
    RelationshipDeleted {
        /// Model of the source twin.
        model: String,
        /// The relationship.
        before: WireDocument,
    },
    /// Telemetry was sent through a twin.
    Telemetry {
        /// `Message-Id` of the request.
        message_id: String,
        /// Component that sent it, if any.
        component: Option<String>,
        /// Model of the twin or of the component.
        model: String,
        /// `Telemetry-Source-Time` of the request, if given.
        source_time: Option<String>,
        /// The payload.
        payload: Value,
    },
}
