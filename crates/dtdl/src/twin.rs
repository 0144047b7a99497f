//! Whole twins and patches against their models.

use serde_json::{Map, Value};

use crate::element::Relationship;
use crate::model_set::{ModelSet, ResolvedInterface};
use crate::value::{Fault, validate_value};

/// Names that the service keeps for itself at the root of a twin and of a component.
const SYSTEM: [&str; 3] = ["$dtId", "$etag", "$metadata"];

/// Checks a twin against the model that it names under `$metadata`/`$model`, with its components. An empty list means that
/// it fits. Properties may be absent, components may not.
///
/// Source: "Manage digital twins" and "Twins and their graph" of the Azure Digital Twins documentation.
pub fn validate_twin(models: &ModelSet, twin: &Map<String, Value>) -> Vec<Fault> {
    let model = twin.get("$metadata").and_then(|metadata| metadata.get("$model")).and_then(Value::as_str);
    let Some(model) = model else {
        return vec![fault("/$metadata/$model", "is missing: name the model, as in \"dtmi:example:Pump;1\"")];
    };
    let Some(interface) = models.resolve(model) else {
        return vec![fault(
            "/$metadata/$model",
            &format!("names the model '{model}', which does not exist: create it first"),
        )];
    };
    let mut faults = Vec::new();
    container(interface, twin, "", true, &mut faults);
    for (name, id) in interface.components() {
        let path = format!("/{name}");
        match (twin.get(name), models.resolve(id.as_str())) {
            (None, _) => {
                faults.push(fault(
                    &path,
                    "is missing: every component must be present, an empty object will do",
                ));
            }
            (Some(Value::Object(component)), Some(inner)) => {
                container(inner, component, &path, false, &mut faults);
            }
            (Some(Value::Object(_)), None) => {
                faults.push(fault(
                    &path,
                    &format!("is a component of the model '{id}', which does not exist: create it first"),
                ));
            }
            (Some(_), _) => faults.push(fault(&path, "must be an object, as it is a component")),
        }
    }
    faults
}

/// Checks the properties of a relationship against its definition. An empty list means that it fits.
pub fn validate_relationship(definition: &Relationship, document: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, value) in document.iter().filter(|(name, _)| !name.starts_with('$')) {
        let path = format!("/{}", escape(name));
        match definition.properties.get(name) {
            Some(schema) => faults.extend(below(&path, validate_value(schema, value))),
            None => faults
                .push(fault(&path, "is no property of this relationship: remove it or correct its name")),
        }
    }
    faults
}

/// Checks one operation of a JSON Patch before it is applied: that its path leads to a property or a part of one, and that the
/// new value fits where the whole property is set. `path` is split and unescaped; `value` is absent for `remove`. Whether
/// parts of a property fit together shows once the patch is applied: [`validate_twin`] looks at the result.
pub fn validate_patch(
    models: &ModelSet,
    model: &ResolvedInterface,
    path: &[String],
    value: Option<&Value>,
) -> Vec<Fault> {
    let pointer: String = path.iter().map(|segment| format!("/{}", escape(segment))).collect();
    let Some((first, rest)) = path.split_first() else {
        return vec![fault("", "is the whole twin, which cannot be patched: name a property")];
    };
    if first.starts_with('$') {
        return if first == "$metadata" {
            Vec::new()
        } else {
            vec![fault(&pointer, "is kept by the service: leave it out")]
        };
    }
    if let Some(id) = model.component(first) {
        let Some(inner) = models.resolve(id.as_str()) else {
            return vec![fault(
                &pointer,
                &format!("is in a component of the model '{id}', which does not exist"),
            )];
        };
        if rest.is_empty() {
            return match value {
                Some(Value::Object(component)) => {
                    let mut faults = Vec::new();
                    container(inner, component, &pointer, false, &mut faults);
                    faults
                }
                Some(_) => vec![fault(&pointer, "must be an object, as it is a component")],
                None => {
                    vec![fault(&pointer, "is a component, which cannot be removed: remove its properties")]
                }
            };
        }
        return property(inner, rest, &pointer, value);
    }
    property(model, path, &pointer, value)
}

fn property(model: &ResolvedInterface, path: &[String], pointer: &str, value: Option<&Value>) -> Vec<Fault> {
    let Some((name, rest)) = path.split_first() else { return Vec::new() };
    if name.starts_with('$') {
        return Vec::new();
    }
    match (model.property(name), value) {
        (None, _) => vec![unknown(model, pointer)],
        (Some(schema), Some(value)) if rest.is_empty() => {
            below(pointer, validate_value(schema, value)).collect()
        }
        _ => Vec::new(),
    }
}

fn container(
    interface: &ResolvedInterface,
    container: &Map<String, Value>,
    path: &str,
    root: bool,
    faults: &mut Vec<Fault>,
) {
    for (name, value) in container {
        let path = format!("{path}/{}", escape(name));
        if name.starts_with('$') {
            if !SYSTEM.contains(&name.as_str()) {
                faults.push(fault(&path, "is no system property: remove it"));
            }
        } else if let Some(schema) = interface.property(name) {
            faults.extend(below(&path, validate_value(schema, value)));
        } else if !(root && interface.component(name).is_some()) {
            faults.push(unknown(interface, &path));
        }
    }
}

fn unknown(interface: &ResolvedInterface, path: &str) -> Fault {
    fault(path, &format!("is no property of the model '{}': remove it or correct its name", interface.id()))
}

fn fault(path: &str, message: &str) -> Fault {
    Fault { path: path.to_owned(), message: message.to_owned() }
}

fn below(path: &str, faults: Vec<Fault>) -> impl Iterator<Item = Fault> {
    faults.into_iter().map(move |fault| Fault { path: format!("{path}{}", fault.path), ..fault })
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
