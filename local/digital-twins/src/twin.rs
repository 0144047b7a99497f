//! Twins and relationships as JSON documents: checks against the model, and the metadata that the service keeps.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use twinwright_dtdl::{ModelSet, ResolvedInterface, Schema, validate_value};

use crate::answer::Refusal;
use crate::clock;

/// A JSON object.
pub(crate) type Document = Map<String, Value>;

/// Largest body of a twin, and of a request that writes one ("Azure Digital Twins service limits").
pub(crate) const LARGEST_TWIN: usize = 32 * 1024;
/// Longest identifier of a twin or relationship that this service takes; the real limit is not published.
const LONGEST_ID: usize = 128;

pub(crate) fn new_etag() -> String {
    format!("W/\"{}\"", uuid::Uuid::new_v4())
}

pub(crate) fn check_id(id: &str) -> Result<(), Refusal> {
    if id.is_empty() || id.chars().count() > LONGEST_ID || id.chars().any(char::is_control) {
        let message =
            format!("the identifier must have 1 to {LONGEST_ID} characters and no control characters");
        return Err(Refusal::bad("InvalidArgument", message));
    }
    Ok(())
}

/// The model that a twin names, if it names one.
pub(crate) fn model_of(twin: &Document) -> Option<&str> {
    twin.get("$metadata")?.get("$model")?.as_str()
}

/// Checks a whole twin against its model; the refusal lists every fault.
pub(crate) fn validate(models: &ModelSet, twin: &Document) -> Result<(), Refusal> {
    let Some(model) = model_of(twin) else {
        return Err(Refusal::validation(
            "the twin names no model",
            vec!["add $metadata with $model, as in {\"$model\": \"dtmi:example:Pump;1\"}".into()],
        ));
    };
    let Some(interface) = models.resolve(model) else {
        let fault = format!("the model '{model}' or one that it depends on does not exist: create it first");
        return Err(Refusal::validation("the twin does not fit its model", vec![fault]));
    };
    let mut faults = Vec::new();
    check_container(interface, twin, "", &mut faults);
    for (name, id) in interface.components() {
        match (twin.get(name), models.resolve(id.as_str())) {
            (None, _) => faults.push(format!(
                "the component '{name}' is missing: every component must be present, an empty object will do"
            )),
            (Some(Value::Object(component)), Some(inner)) => {
                check_container(inner, component, &format!("/{name}"), &mut faults)
            }
            (Some(Value::Object(_)), None) => {
                faults.push(format!("the model '{id}' of component '{name}' does not exist"))
            }
            (Some(_), _) => faults.push(format!("the component '{name}' must be an object")),
        }
    }
    if !faults.is_empty() {
        return Err(Refusal::validation(format!("the twin does not fit its model '{model}'"), faults));
    }
    check_size(twin, "twin")
}

/// Refuses a document above the size that the service keeps. What the service adds to it does not count.
pub(crate) fn check_size(document: &Document, kind: &str) -> Result<(), Refusal> {
    let own = document.iter().filter(|(name, _)| *name != "$metadata" && *name != "$etag");
    let size: usize = own.map(|(name, value)| name.len() + 4 + size_of(value)).sum();
    if size > LARGEST_TWIN {
        let message = format!("the {kind} is larger than {LARGEST_TWIN} bytes: keep less in it");
        return Err(Refusal::bad("InvalidArgument", message));
    }
    Ok(())
}

/// Length of a value as JSON, near enough and without writing it.
fn size_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(list) => 2 + list.iter().map(|entry| size_of(entry) + 1).sum::<usize>(),
        Value::Object(map) => {
            let own = map.iter().filter(|(name, _)| *name != "$metadata");
            2 + own.map(|(name, value)| name.len() + 4 + size_of(value)).sum::<usize>()
        }
    }
}

fn check_container(
    interface: &ResolvedInterface,
    container: &Document,
    path: &str,
    faults: &mut Vec<String>,
) {
    for (name, value) in container {
        if name.starts_with('$') {
            if !matches!(name.as_str(), "$dtId" | "$etag" | "$metadata") {
                faults.push(format!("'{path}/{name}' is no system property: remove it"));
            }
        } else if let Some(schema) = interface.property(name) {
            check_value(schema, value, &format!("{path}/{name}"), faults);
        } else if path.is_empty() && interface.component(name).is_some() {
            // Components are checked by the caller, who has the set of models.
        } else {
            faults.push(format!(
                "'{path}/{name}' is no property of the model '{}': remove it or correct its name",
                interface.id()
            ));
        }
    }
}

fn check_value(schema: &Schema, value: &Value, path: &str, faults: &mut Vec<String>) {
    faults.extend(
        validate_value(schema, value)
            .into_iter()
            .map(|fault| format!("'{path}{}' {}", fault.path, fault.message)),
    );
}

/// Checks the properties of a relationship against its definition.
pub(crate) fn validate_properties(
    definition: &twinwright_dtdl::Relationship,
    document: &Document,
) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    for (name, value) in document.iter().filter(|(name, _)| !name.starts_with('$')) {
        match definition.properties.get(name) {
            Some(schema) => check_value(schema, value, &format!("/{name}"), &mut faults),
            None => faults.push(format!(
                "'/{name}' is no property of this relationship: remove it or correct its name"
            )),
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::validation("the relationship does not fit its model", faults))
    }
}

/// The stored form of a twin that a client put: identifiers set, metadata made.
pub(crate) fn from_put(id: &str, mut body: Document, models: &ModelSet) -> Document {
    let now = clock::now();
    body.remove("$etag");
    body.insert("$dtId".into(), id.into());
    let model = model_of(&body).map(str::to_owned);
    let components: Vec<String> = match model.as_deref().and_then(|model| models.resolve(model)) {
        Some(interface) => interface.components().map(|(name, _)| name.to_owned()).collect(),
        None => Vec::new(),
    };
    for name in &components {
        if let Some(Value::Object(component)) = body.get_mut(name) {
            let metadata = fresh_metadata(component, &[], None, &now);
            component.insert("$metadata".into(), metadata);
        }
    }
    let metadata = fresh_metadata(&body, &components, model, &now);
    body.insert("$metadata".into(), metadata);
    body
}

/// Metadata of a container that was just written whole. Source times that the client gave are kept.
pub(crate) fn fresh_metadata(
    container: &Document,
    components: &[String],
    model: Option<String>,
    now: &str,
) -> Value {
    let given = container.get("$metadata");
    let mut metadata = Map::new();
    if let Some(model) = model {
        metadata.insert("$model".into(), model.into());
    }
    metadata.insert("$lastUpdateTime".into(), now.into());
    for name in container.keys().filter(|name| !name.starts_with('$') && !components.contains(*name)) {
        let source =
            given.and_then(|given| given.get(name)?.get("sourceTime")?.as_str()).and_then(clock::normalise);
        let entry = match source {
            Some(source) => json!({"lastUpdateTime": now, "sourceTime": source}),
            None => now.into(),
        };
        metadata.insert(name.clone(), entry);
    }
    Value::Object(metadata)
}

/// A twin or component as clients see it.
///
/// Inside, the metadata of a property that says nothing but `lastUpdateTime` is that time alone, since an object for each
/// property of each twin would take most of the memory. This writes it in full.
pub(crate) struct Wire<'a>(pub(crate) &'a Document);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            match value {
                Value::Object(metadata) if name == "$metadata" => {
                    map.serialize_entry(name, &WireMetadata(metadata))?;
                }
                Value::Object(component) if component.contains_key("$metadata") => {
                    map.serialize_entry(name, &Wire(component))?;
                }
                value => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

struct WireMetadata<'a>(&'a Document);

impl Serialize for WireMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Entry<'a> {
            last_update_time: &'a str,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            match value {
                Value::String(time) if !name.starts_with('$') => {
                    map.serialize_entry(name, &Entry { last_update_time: time })?;
                }
                value => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

/// The document as [`Wire`] writes it.
pub(crate) fn unfold(document: &Document) -> Document {
    let mut whole = document.clone();
    unfold_container(&mut whole);
    whole
}

fn unfold_container(container: &mut Document) {
    for (name, value) in container.iter_mut() {
        let Value::Object(inner) = value else { continue };
        if name == "$metadata" {
            for (_, entry) in inner.iter_mut().filter(|(name, _)| !name.starts_with('$')) {
                if let Value::String(time) = entry {
                    *entry = json!({"lastUpdateTime": time});
                }
            }
        } else if inner.contains_key("$metadata") {
            unfold_container(inner);
        }
    }
}

/// The twin as a client of an API version sees it: the oldest knows no time of last update for the whole.
pub(crate) fn present(document: &Document, api_version: &str) -> String {
    if api_version != "2020-10-31" {
        return serde_json::to_string(&Wire(document)).unwrap_or_default();
    }
    let mut value = Value::Object(unfold(document));
    strip_last_update(&mut value);
    value.to_string()
}

/// True when a body or patch sets a `sourceTime`, which the oldest API version does not know.
pub(crate) fn sets_source_time(body: &Value) -> bool {
    let entries = body.as_array().into_iter().flatten();
    let mut paths = entries.filter_map(|entry| entry.get("path")?.as_str());
    paths.any(|path| path.contains("$metadata/") && path.ends_with("/sourceTime"))
}

fn strip_last_update(value: &mut Value) {
    let Value::Object(map) = value else { return };
    if let Some(Value::Object(metadata)) = map.get_mut("$metadata") {
        metadata.remove("$lastUpdateTime");
    }
    for inner in map.values_mut() {
        if inner.get("$metadata").is_some() {
            strip_last_update(inner);
        }
    }
}
