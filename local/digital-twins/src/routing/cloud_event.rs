//! What endpoints are told, in the words of CloudEvents.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock;
use crate::events::{TwinEvent, TwinEventKind, WireDocument};
use crate::patch;

/// An event in the JSON format of CloudEvents 1.0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique for each event of a source.
    pub id: String,
    /// `Microsoft.DigitalTwins.…` or `microsoft.iot.telemetry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The instance; for telemetry the instance and the twin.
    pub source: String,
    /// The twin, `<twin>/relationships/<id>`, or the component of telemetry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened.
    pub time: String,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The model that telemetry comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataschema: Option<String>,
    /// The trace that the request belonged to.
    pub traceparent: String,
    /// The body.
    pub data: Value,
}

fn relationship_subject(twin: &str, relationship: &WireDocument) -> Option<String> {
    let id = relationship.get("$relationshipId").and_then(Value::as_str).unwrap_or_default();
    Some(format!("{twin}/relationships/{id}"))
}

impl CloudEvent {
    /// The event that a change gives.
    pub(crate) fn of(event: &TwinEvent, host: &str) -> Self {
        let twin = || Some(event.twin_id.clone());
        let (kind, subject, data) = match &event.kind {
            TwinEventKind::Created(after) => ("Microsoft.DigitalTwins.Twin.Create", twin(), after.to_value()),
            TwinEventKind::Deleted(before) => {
                ("Microsoft.DigitalTwins.Twin.Delete", twin(), before.to_value())
            }
            TwinEventKind::Replaced { before, after } => {
                // Nothing published says what a replaced twin is announced as; the difference is a change like any other.
                let model = crate::twin::model_of(&after.0).unwrap_or_default();
                let data = json!({"modelId": model, "patch": patch::difference(&before.0, &after.0)});
                ("Microsoft.DigitalTwins.Twin.Update", twin(), data)
            }
            TwinEventKind::Updated { model, patch, .. } => {
                ("Microsoft.DigitalTwins.Twin.Update", twin(), json!({"modelId": model, "patch": patch}))
            }
            TwinEventKind::RelationshipCreated { after, .. } => (
                "Microsoft.DigitalTwins.Relationship.Create",
                relationship_subject(&event.twin_id, after),
                after.to_value(),
            ),
            TwinEventKind::RelationshipUpdated { model, patch, after } => (
                "Microsoft.DigitalTwins.Relationship.Update",
                relationship_subject(&event.twin_id, after),
                json!({"modelId": model, "patch": patch}),
            ),
            TwinEventKind::RelationshipDeleted { before, .. } => (
                "Microsoft.DigitalTwins.Relationship.Delete",
                relationship_subject(&event.twin_id, before),
                before.to_value(),
            ),
            TwinEventKind::Telemetry { component, payload, .. } => {
                ("microsoft.iot.telemetry", component.clone(), payload.clone())
            }
        };
        let mut made = Self {
            specversion: "1.0".to_owned(),
            id: uuid::Uuid::new_v4().to_string(),
            kind: kind.to_owned(),
            source: host.to_owned(),
            subject,
            time: clock::from_us(event.received_us),
            datacontenttype: "application/json".to_owned(),
            dataschema: None,
            traceparent: event.trace.clone().unwrap_or_else(crate::http::new_trace),
            data,
        };
        if let TwinEventKind::Telemetry { message_id, model, source_time, .. } = &event.kind {
            made.id.clone_from(message_id);
            made.source = format!("{host}/digitaltwins/{}", event.twin_id);
            made.dataschema = Some(model.clone());
            if let Some(time) = source_time {
                made.time.clone_from(time);
            }
        }
        made
    }

    /// An attribute by its name, for filters. Attributes that the event lacks are `None`.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        match name {
            "type" => Some(&self.kind),
            "source" => Some(&self.source),
            "subject" => self.subject.as_deref(),
            "dataschema" => self.dataschema.as_deref(),
            "datacontenttype" => Some(&self.datacontenttype),
            "specversion" => Some(&self.specversion),
            _ => None,
        }
    }

    /// The event as Event Grid passes it on: the body is wrapped once more.
    pub(super) fn wrapped(&self) -> Value {
        let mut data =
            json!({"data": self.data, "contentType": self.datacontenttype, "traceparent": self.traceparent});
        if let Some(schema) = &self.dataschema {
            data["dataschema"] = schema.as_str().into();
        }
        data
    }
}
