//! Device twins: tags, desired and reported properties, with versions.
//!
//! The part of "Understand and use device twins in IoT Hub" that the device SDKs ask for.

use std::collections::BTreeMap;

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::DesiredChange;
use super::device::tag;
use crate::error::HubError;

/// Limits of the service, in bytes of JSON text.
const MAX_SECTION: usize = 32 << 10;
const MAX_TAGS: usize = 8 << 10;
/// Levels of nesting below `desired`, `reported` and `tags`.
const MAX_DEPTH: usize = 10;

/// A device's twin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Twin {
    /// Set by the service, unseen by the device.
    pub tags: Map<String, Value>,
    /// Set by the service, read by the device.
    pub desired: Section,
    /// Set by the device.
    pub reported: Section,
    /// Counts all changes.
    pub version: u64,
    /// The model the device announced when it last connected.
    #[serde(default)]
    pub model_id: Option<String>,
}

/// One side's properties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The properties.
    pub values: Map<String, Value>,
    /// Counts the changes of this side.
    pub version: u64,
    /// When each top-level property last changed, ISO 8601.
    pub updated: BTreeMap<String, String>,
}

impl Default for Twin {
    fn default() -> Self {
        Self {
            tags: Map::new(),
            desired: Section::default(),
            reported: Section::default(),
            version: 1,
            model_id: None,
        }
    }
}

impl Default for Section {
    fn default() -> Self {
        Self { values: Map::new(), version: 1, updated: BTreeMap::new() }
    }
}

impl Section {
    /// Properties with `$version`: what a device gets.
    pub(crate) fn for_device(&self) -> Value {
        let mut values = self.values.clone();
        values.insert("$version".to_owned(), self.version.into());
        Value::Object(values)
    }

    /// Properties with `$metadata` and `$version`: what the service gets.
    pub(crate) fn for_service(&self) -> Value {
        let mut metadata = Map::new();
        let newest = self.updated.values().max().map_or("0001-01-01T00:00:00Z", String::as_str);
        metadata.insert("$lastUpdated".to_owned(), newest.into());
        for (name, time) in &self.updated {
            metadata.insert(name.clone(), json!({ "$lastUpdated": time }));
        }
        let mut values = self.values.clone();
        values.insert("$metadata".to_owned(), Value::Object(metadata));
        values.insert("$version".to_owned(), self.version.into());
        Value::Object(values)
    }

    fn change(&mut self, patch: &Map<String, Value>, replace: bool) -> Result<(), HubError> {
        let mut values = if replace { Map::new() } else { self.values.clone() };
        merge(&mut values, patch);
        check_size("properties", &values, MAX_SECTION)?;
        let now = crate::events::iso_time(Utc::now().timestamp_micros());
        self.updated.retain(|name, _| values.contains_key(name));
        for name in patch.keys().filter(|name| values.contains_key(*name)) {
            self.updated.insert(name.clone(), now.clone());
        }
        self.values = values;
        self.version += 1;
        Ok(())
    }
}

impl Twin {
    /// The twin's entity tag.
    pub fn etag(&self) -> String {
        tag(self.version)
    }

    /// The answer to a device's twin request.
    pub(crate) fn for_device(&self) -> Value {
        json!({ "desired": self.desired.for_device(), "reported": self.reported.for_device() })
    }

    /// Applies `{"tags": …, "properties": {"desired": …}}`; returns what the device must hear of.
    pub(super) fn apply(&mut self, change: &Value, replace: bool) -> Result<Option<DesiredChange>, HubError> {
        let tags = section(change.get("tags"), "tags")?;
        let desired = section(change.pointer("/properties/desired"), "properties.desired")?;
        if let Some(tags) = &tags {
            let mut merged = if replace { Map::new() } else { self.tags.clone() };
            merge(&mut merged, tags);
            check_size("tags", &merged, MAX_TAGS)?;
            self.tags = merged;
        }
        let told = match desired {
            Some(desired) => {
                self.desired.change(&desired, replace)?;
                Some(DesiredChange { patch: desired, version: self.desired.version })
            }
            None => None,
        };
        self.version += 1;
        Ok(told)
    }

    /// Merges reported properties; returns their version.
    pub(super) fn report(&mut self, patch: &Value) -> Result<u64, HubError> {
        let patch = section(Some(patch), "the reported patch")?.unwrap_or_default();
        self.reported.change(&patch, false)?;
        self.version += 1;
        Ok(self.reported.version)
    }
}

/// Takes a JSON object apart from what the hub itself writes into it (`$version`, `$metadata`), and checks its keys.
fn section(value: Option<&Value>, name: &str) -> Result<Option<Map<String, Value>>, HubError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => {
            let own = |key: &str| key == "$version" || key == "$metadata";
            let map: Map<String, Value> = map
                .iter()
                .filter(|(key, _)| !own(key))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            check_keys(&map, 1)?;
            Ok(Some(map))
        }
        Some(_) => Err(HubError::Twin(format!("{name} must be a JSON object"))),
    }
}

fn check_keys(map: &Map<String, Value>, depth: usize) -> Result<(), HubError> {
    if depth > MAX_DEPTH {
        return Err(HubError::Twin(format!("more than {MAX_DEPTH} levels of nesting")));
    }
    for (key, value) in map {
        if key.is_empty() || key.len() > 1024 || key.chars().any(|c| c.is_control() || ".$ ".contains(c)) {
            return Err(HubError::Twin(format!(
                "key {:?} is empty, too long or holds a dot, a dollar sign, a space or a control character",
                key.chars().take(40).collect::<String>()
            )));
        }
        if let Value::Object(inner) = value {
            check_keys(inner, depth + 1)?;
        }
    }
    Ok(())
}

fn check_size(what: &str, map: &Map<String, Value>, limit: usize) -> Result<(), HubError> {
    let size = serde_json::to_vec(map).map_or(usize::MAX, |text| text.len());
    if size > limit {
        return Err(HubError::Twin(format!("{what} would be {size} bytes, more than the {limit} allowed")));
    }
    Ok(())
}

/// Merge as JSON Merge Patch (RFC 7386): null removes, objects merge, all else replaces.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(inner) => {
                let slot = target.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(existing) = slot {
                    merge(existing, inner);
                }
            }
            other => {
                target.insert(key.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_merge_and_count_versions() {
        let mut twin = Twin::default();
        let change =
            json!({"tags": {"hall": 3}, "properties": {"desired": {"a": {"b": 1, "c": 2}, "$version": 9}}});
        assert_eq!(twin.apply(&change, false).unwrap().unwrap().version, 2);
        let told =
            twin.apply(&json!({"properties": {"desired": {"a": {"b": null}}}}), false).unwrap().unwrap();
        assert_eq!(told.version, 3);
        assert_eq!(twin.desired.for_device(), json!({"a": {"c": 2}, "$version": 3}));
        assert_eq!(twin.tags["hall"], 3);
        assert_eq!(twin.report(&json!({"firmware": "1"})).unwrap(), 2);
        assert_eq!(twin.version, 4);
        assert!(twin.desired.for_service()["$metadata"]["a"]["$lastUpdated"].is_string());
    }

    #[test]
    fn limits_hold() {
        let mut twin = Twin::default();
        let before = twin.clone();
        let large = "x".repeat(33 << 10);
        assert!(twin.report(&json!({ "large": large })).is_err());
        assert!(twin.report(&json!({ "a.b": 1 })).is_err());
        assert!(twin.report(&json!([1])).is_err());
        let mut deep = json!(1);
        for _ in 0..12 {
            deep = json!({ "a": deep });
        }
        assert!(twin.report(&deep).is_err());
        assert_eq!(twin, before);
    }
}
