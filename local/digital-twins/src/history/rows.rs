//! From a change to the rows that it leaves in the tables.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock;
use crate::events::{TwinEvent, TwinEventKind};
use crate::patch;

/// One row of one of the three tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "table")]
pub enum HistoryRow {
    /// Table `AdtPropertyEvents`.
    #[serde(rename = "AdtPropertyEvents")]
    Property(PropertyEvent),
    /// Table `AdtTwinLifeCycleEvents`.
    #[serde(rename = "AdtTwinLifeCycleEvents")]
    Twin(TwinLifeCycleEvent),
    /// Table `AdtRelationshipLifeCycleEvents`.
    #[serde(rename = "AdtRelationshipLifeCycleEvents")]
    Relationship(RelationshipLifeCycleEvent),
}

/// What happened to a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PropertyAction {
    /// It has a new value.
    Update,
    /// It was removed.
    Delete,
}

/// A row of `AdtPropertyEvents`: a property of a twin or of a relationship has a new value, or none any more.
/// Properties that a twin is created with are updates too, so that the table alone tells every value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PropertyEvent {
    /// When the service took the change; UTC with 7 fractional digits.
    pub time_stamp: String,
    /// When the value was observed, where the property's metadata says so.
    pub source_time_stamp: Option<String>,
    /// Name of the instance.
    pub service_id: String,
    /// The twin; the source twin for relationships.
    pub id: String,
    /// Model of the twin.
    pub model_id: String,
    /// Name of the property; `component.property` for those of components.
    pub key: String,
    /// The whole new value, `null` for a removed property.
    pub value: Value,
    /// The relationship, for properties of relationships.
    pub relationship_id: Option<String>,
    /// Target of the relationship, for properties of relationships.
    pub relationship_target: Option<String>,
    /// What happened.
    pub action: PropertyAction,
}

/// A row of `AdtTwinLifeCycleEvents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TwinLifeCycleEvent {
    /// The twin.
    pub twin_id: String,
    /// `Create` or `Delete`.
    pub action: String,
    /// When the service took the change; UTC with 7 fractional digits.
    pub time_stamp: String,
    /// Name of the instance.
    pub service_id: String,
    /// Model of the twin.
    pub model_id: String,
}

/// A row of `AdtRelationshipLifeCycleEvents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RelationshipLifeCycleEvent {
    /// The relationship.
    pub relationship_id: String,
    /// Its name, as the model calls it.
    pub name: String,
    /// `Create` or `Delete`.
    pub action: String,
    /// When the service took the change; UTC with 7 fractional digits.
    pub time_stamp: String,
    /// Name of the instance.
    pub service_id: String,
    /// The twin it begins at.
    pub source: String,
    /// The twin it leads to.
    pub target: String,
}

/// The rows of one event; telemetry leaves none.
pub(crate) fn rows_of(event: &TwinEvent, service_id: &str) -> Vec<HistoryRow> {
    let time = clock::from_us(event.received_us);
    let mut table = Table { service_id, time: &time, event, rows: Vec::new() };
    match &event.kind {
        TwinEventKind::Created(twin) => {
            table.twin("Create", &twin.0);
            table.properties(&twin.0, None);
        }
        TwinEventKind::Replaced { before, after } => {
            let changes = patch::difference(&before.0, &after.0);
            table.patched(&changes, &after.0, &model_of(&after.0), None);
        }
        TwinEventKind::Updated { model, patch, after } => table.patched(patch, &after.0, model, None),
        TwinEventKind::Deleted(twin) => table.twin("Delete", &twin.0),
        TwinEventKind::RelationshipCreated { model, after } => {
            table.relationship("Create", &after.0);
            table.properties(&after.0, Some(model));
        }
        TwinEventKind::RelationshipUpdated { model, patch, after } => {
            table.patched(patch, &after.0, model, Some(&after.0));
        }
        TwinEventKind::RelationshipDeleted { before, .. } => table.relationship("Delete", &before.0),
        TwinEventKind::Telemetry { .. } => {}
    }
    table.rows
}

struct Table<'a> {
    service_id: &'a str,
    time: &'a str,
    event: &'a TwinEvent,
    rows: Vec<HistoryRow>,
}

fn text(document: &Map<String, Value>, name: &str) -> String {
    document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn model_of(twin: &Map<String, Value>) -> String {
    crate::twin::model_of(twin).unwrap_or_default().to_owned()
}

impl Table<'_> {
    fn twin(&mut self, action: &str, twin: &Map<String, Value>) {
        self.rows.push(HistoryRow::Twin(TwinLifeCycleEvent {
            twin_id: self.event.twin_id.clone(),
            action: action.to_owned(),
            time_stamp: self.time.to_owned(),
            service_id: self.service_id.to_owned(),
            model_id: model_of(twin),
        }));
    }

    fn relationship(&mut self, action: &str, relationship: &Map<String, Value>) {
        self.rows.push(HistoryRow::Relationship(RelationshipLifeCycleEvent {
            relationship_id: text(relationship, "$relationshipId"),
            name: text(relationship, "$relationshipName"),
            action: action.to_owned(),
            time_stamp: self.time.to_owned(),
            service_id: self.service_id.to_owned(),
            source: text(relationship, "$sourceId"),
            target: text(relationship, "$targetId"),
        }));
    }

    /// A row for each property that a new twin (or, with a model, a new relationship) has.
    fn properties(&mut self, document: &Map<String, Value>, source_model: Option<&str>) {
        let model = source_model.map_or_else(|| model_of(document), str::to_owned);
        let relationship = source_model.map(|_| document);
        for (name, value) in document.iter().filter(|(name, _)| !name.starts_with('$')) {
            match value {
                Value::Object(component) if component.contains_key("$metadata") => {
                    for (inner, value) in component.iter().filter(|(inner, _)| !inner.starts_with('$')) {
                        self.property(document, &[name, inner], Some(value), &model, relationship);
                    }
                }
                value => self.property(document, &[name], Some(value), &model, relationship),
            }
        }
    }

    /// A row for each property that a patch touched, with its whole value after the patch.
    fn patched(
        &mut self,
        patch: &Value,
        after: &Map<String, Value>,
        model: &str,
        relationship: Option<&Map<String, Value>>,
    ) {
        let mut seen: Vec<Vec<String>> = Vec::new();
        for path in patch.as_array().into_iter().flatten().filter_map(|entry| entry["path"].as_str()) {
            let mut parts: Vec<String> =
                path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
            if parts.first().is_none_or(|first| first.starts_with('$')) {
                continue;
            }
            let component = after
                .get(&parts[0])
                .and_then(Value::as_object)
                .filter(|inner| relationship.is_none() && inner.contains_key("$metadata"));
            match component {
                Some(component) if parts.len() == 1 => {
                    for inner in component.keys().filter(|inner| !inner.starts_with('$')) {
                        let whole = vec![parts[0].clone(), inner.clone()];
                        if !seen.contains(&whole) {
                            seen.push(whole);
                        }
                    }
                    continue;
                }
                Some(_) if parts[1].starts_with('$') => continue,
                Some(_) => parts.truncate(2),
                None => parts.truncate(1),
            }
            if !seen.contains(&parts) {
                seen.push(parts);
            }
        }
        for parts in seen {
            let names: Vec<&str> = parts.iter().map(String::as_str).collect();
            let value = match names.as_slice() {
                [component, property] => after.get(*component).and_then(|inner| inner.get(*property)),
                [property] => after.get(*property),
                _ => None,
            };
            self.property(after, &names, value, model, relationship);
        }
    }

    fn property(
        &mut self,
        document: &Map<String, Value>,
        names: &[&str],
        value: Option<&Value>,
        model: &str,
        relationship: Option<&Map<String, Value>>,
    ) {
        let metadata = match names {
            [component, _] => document.get(*component).and_then(|inner| inner.get("$metadata")),
            _ => document.get("$metadata"),
        };
        let source_time = names.last().and_then(|name| metadata?.get(*name)?.get("sourceTime")?.as_str());
        self.rows.push(HistoryRow::Property(PropertyEvent {
            time_stamp: self.time.to_owned(),
            source_time_stamp: source_time.map(str::to_owned),
            service_id: self.service_id.to_owned(),
            id: self.event.twin_id.clone(),
            model_id: model.to_owned(),
            key: names.join("."),
            value: value.cloned().unwrap_or(Value::Null),
            relationship_id: relationship.map(|found| text(found, "$relationshipId")),
            relationship_target: relationship.map(|found| text(found, "$targetId")),
            action: if value.is_some() { PropertyAction::Update } else { PropertyAction::Delete },
        }));
    }
}
