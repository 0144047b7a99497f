//! What a client gets: columns.

use serde::Serialize;
use twinwright_core::time::{Micros, iso};

use crate::{Value, ValueType};

/// A column of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// Name of the property or variable.
    pub name: String,
    /// Type of its values.
    pub kind: ValueType,
    /// One an event or bucket.
    pub values: Vec<Value>,
}

/// A page of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Times of events, or starts of buckets.
    pub timestamps: Vec<Micros>,
    /// Columns.
    pub properties: Vec<Property>,
    /// Per cent of the answer that was given with this page.
    pub progress: f64,
    /// What the next page is asked for with.
    pub continuation: Option<String>,
}

#[derive(Serialize)]
struct PropertyShape<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: ValueType,
    values: Vec<serde_json::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageShape<'a> {
    timestamps: Vec<String>,
    properties: Vec<PropertyShape<'a>>,
    progress: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<&'a str>,
}

impl Page {
    /// As the API answers it.
    pub fn json(&self) -> serde_json::Value {
        let property = |property: &Property| {
            let values = property.values.iter().map(Value::json).collect();
            serde_json::json!(PropertyShape { name: &property.name, kind: property.kind, values })
        };
        let shape = PageShape {
            timestamps: self.timestamps.iter().map(|time| iso(*time)).collect(),
            properties: Vec::new(),
            progress: self.progress,
            continuation_token: self.continuation.as_deref(),
        };
        let mut json = serde_json::json!(shape);
        json["properties"] = self.properties.iter().map(property).collect();
        json
    }
}
