//! JSON Patch as the service takes it: add, replace and remove, on properties, components and some metadata.
//!
//! Source: RFC 6902, and the page "Manage digital twins" for what is narrower.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use twinwright_dtdl::Dtmi;

use crate::answer::Refusal;
use crate::clock;
use crate::twin::{Document, fresh_metadata};

/// Most operations in one patch; 32 kB hold no more useful ones.
const MOST_OPERATIONS: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Add,
    Replace,
    Remove,
}

/// One operation, its pointer taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operation {
    pub(crate) action: Action,
    pub(crate) path: Vec<String>,
    pub(crate) value: Value,
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("JsonPatchInvalid", message)
}

/// Reads a patch document.
pub(crate) fn parse(body: &Value) -> Result<Vec<Operation>, Refusal> {
    let Value::Array(list) = body else {
        return Err(Refusal::problem("a patch is an array of operations"));
    };
    // An empty patch is taken, and changes nothing.
    if list.len() > MOST_OPERATIONS {
        return Err(invalid(format!("a patch has {MOST_OPERATIONS} operations at the most")));
    }
    list.iter().map(parse_operation).collect()
}

fn parse_operation(entry: &Value) -> Result<Operation, Refusal> {
    let Value::Object(map) = entry else {
        return Err(Refusal::problem("every operation of a patch is an object with op and path"));
    };
    let action = match map.get("op").and_then(Value::as_str) {
        Some("add") => Action::Add,
        Some("replace") => Action::Replace,
        Some("remove") => Action::Remove,
        None | Some("") => {
            return Err(invalid("an operation's 'op' must not be empty: use add, replace or remove"));
        }
        Some(other) => {
            return Err(invalid(format!(
                "the operation '{other}' is not supported: use add, replace or remove"
            )));
        }
    };
    let Some(pointer) = map.get("path").and_then(Value::as_str) else {
        return Err(invalid("an operation has no 'path': add one, as in /temperature"));
    };
    let Some(pointer) = pointer.strip_prefix('/') else {
        return Err(invalid(format!(
            "the path '{pointer}' does not begin with '/': name a property, as in /temperature"
        )));
    };
    let path: Vec<String> =
        pointer.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
    if path.iter().any(String::is_empty) || path.len() > 32 {
        return Err(invalid(format!("the path '/{pointer}' has an empty part or is too deep")));
    }
    let value = match (action, map.get("value")) {
        (Action::Remove, _) => Value::Null,
        (_, None | Some(Value::Null)) => {
            return Err(invalid(format!(
                "the operation on '/{pointer}' has no value: give one, or use remove"
            )));
        }
        (_, Some(value)) => value.clone(),
    };
    Ok(Operation { action, path, value })
}

/// Applies operations to a twin, whose components have the given names. The result is not yet checked against the model.
pub(crate) fn apply_to_twin(
    twin: &mut Document,
    operations: &[Operation],
    components: &[String],
) -> Result<(), Refusal> {
    let now = clock::now();
    let mut root = Touched::default();
    let mut inner: Vec<(String, Touched)> = Vec::new();
    for operation in operations {
        let (first, rest) = operation.path.split_first().ok_or_else(|| invalid("a path is empty"))?;
        if first == "$metadata" {
            metadata_operation(twin, rest, operation, true)?;
        } else if !components.contains(first) {
            apply_to_container(twin, &operation.path, operation, &mut root)?;
        } else if rest.is_empty() {
            whole_component(twin, first, operation, &now)?;
            root.any = true;
        } else {
            let Some(Value::Object(component)) = twin.get_mut(first) else {
                return Err(invalid(format!("the component '{first}' is absent: add it whole first")));
            };
            let position = inner.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
                inner.push((first.clone(), Touched::default()));
                inner.len() - 1
            });
            if rest[0] == "$metadata" {
                metadata_operation(component, &rest[1..], operation, false)?;
            } else {
                apply_to_container(component, rest, operation, &mut inner[position].1)?;
            }
        }
    }
    for (name, touched) in inner {
        if let Some(Value::Object(component)) = twin.get_mut(&name) {
            touched.stamp(component, &now);
        }
    }
    root.stamp(twin, &now);
    Ok(())
}

/// Applies operations to a relationship, which has no metadata.
pub(crate) fn apply_to_relationship(
    relationship: &mut Document,
    operations: &[Operation],
) -> Result<(), Refusal> {
    let mut touched = Touched::default();
    operations
        .iter()
        .try_for_each(|operation| apply_to_container(relationship, &operation.path, operation, &mut touched))
}

/// The operations as JSON Patch again, with paths from the root.
pub(crate) fn rooted(operations: &[Operation]) -> Value {
    let list = operations.iter().map(|operation| {
        let path: String = operation.path.iter().map(|part| format!("/{}", escape(part))).collect();
        match operation.action {
            Action::Add => json!({"op": "add", "path": path, "value": operation.value}),
            Action::Replace => json!({"op": "replace", "path": path, "value": operation.value}),
            Action::Remove => json!({"op": "remove", "path": path}),
        }
    });
    list.collect()
}

/// What turns one document into the other, as JSON Patch; properties and the model only, since the service keeps the rest.
pub(crate) fn difference(before: &Document, after: &Document) -> Value {
    let mut list = Vec::new();
    let model = |document: &Document| crate::twin::model_of(document).map(str::to_owned);
    let (old_model, new_model) = (model(before), model(after));
    if old_model != new_model {
        list.push(json!({"op": "replace", "path": "/$metadata/$model", "value": new_model}));
    }
    compare(before, after, "", &mut list);
    Value::Array(list)
}

fn compare(before: &Document, after: &Document, path: &str, list: &mut Vec<Value>) {
    let own = |name: &&String| !name.starts_with('$');
    for name in before.keys().filter(own).filter(|name| !after.contains_key(*name)) {
        list.push(json!({"op": "remove", "path": format!("{path}/{}", escape(name))}));
    }
    for name in after.keys().filter(own) {
        let path = format!("{path}/{}", escape(name));
        match (before.get(name), &after[name]) {
            (None, value) => list.push(json!({"op": "add", "path": path, "value": value})),
            (Some(Value::Object(old)), Value::Object(new)) if new.contains_key("$metadata") => {
                compare(old, new, &path, list);
            }
            (Some(old), value) if old != value => {
                list.push(json!({"op": "replace", "path": path, "value": value}));
            }
            _ => {}
        }
    }
}

fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// The properties of one container that a patch wrote or removed.
#[derive(Default)]
struct Touched {
    names: BTreeSet<String>,
    any: bool,
}

impl Touched {
    fn stamp(self, container: &mut Document, now: &str) {
        let present: Vec<(String, bool)> =
            self.names.into_iter().map(|name| (name.clone(), container.contains_key(&name))).collect();
        let metadata = container.entry("$metadata").or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(metadata) = metadata else { return };
        for (name, present) in present {
            if !present {
                metadata.remove(&name);
                continue;
            }
            match metadata.get_mut(&name) {
                // It has a source time, which stays.
                Some(Value::Object(entry)) => {
                    entry.insert("lastUpdateTime".into(), now.into());
                }
                _ => {
                    metadata.insert(name, now.into());
                }
            }
        }
        metadata.insert("$lastUpdateTime".into(), now.into());
    }
}

fn apply_to_container(
    container: &mut Document,
    path: &[String],
    operation: &Operation,
    touched: &mut Touched,
) -> Result<(), Refusal> {
    let shown = || format!("/{}", operation.path.join("/"));
    let Some((last, parents)) = path.split_last() else { return Err(invalid("a path is empty")) };
    if path[0].starts_with('$') {
        return Err(invalid(format!("'{}' is kept by the service and cannot be patched", shown())));
    }
    touched.names.insert(path[0].clone());
    let mut target = container;
    for name in parents {
        target = match target.get_mut(name) {
            Some(Value::Object(inner)) => inner,
            Some(_) => {
                return Err(invalid(format!("'{}' leads through '{name}', which is no object", shown())));
            }
            None => {
                return Err(invalid(format!(
                    "'{}' leads through '{name}', which is not set: add the whole object first",
                    shown()
                )));
            }
        };
    }
    match operation.action {
        Action::Add => {
            target.insert(last.clone(), operation.value.clone());
        }
        Action::Replace if target.contains_key(last) => {
            target.insert(last.clone(), operation.value.clone());
        }
        Action::Remove if target.contains_key(last) => {
            target.remove(last);
        }
        Action::Replace => {
            return Err(invalid(format!("'{}' is not set and cannot be replaced: use add", shown())));
        }
        Action::Remove => return Err(invalid(format!("'{}' is not set and cannot be removed", shown()))),
    }
    Ok(())
}

fn whole_component(twin: &mut Document, name: &str, operation: &Operation, now: &str) -> Result<(), Refusal> {
    match (operation.action, &operation.value) {
        (Action::Remove, _) => {
            // Needed when a patch also changes the model; if the model still has the component, the check of the result refuses it.
            twin.remove(name)
                .map(|_| ())
                .ok_or_else(|| invalid(format!("the component '{name}' is absent and cannot be removed")))
        }
        (Action::Replace, _) if !twin.contains_key(name) => {
            Err(invalid(format!("the component '{name}' is absent and cannot be replaced: use add")))
        }
        (_, Value::Object(component)) => {
            let mut component = component.clone();
            let metadata = fresh_metadata(&component, &[], None, now);
            component.insert("$metadata".into(), metadata);
            twin.insert(name.to_owned(), Value::Object(component));
            Ok(())
        }
        _ => Err(invalid(format!("the component '{name}' must be an object"))),
    }
}

/// `$metadata/$model` of a twin may change, and `$metadata/<property>/sourceTime` anywhere.
fn metadata_operation(
    container: &mut Document,
    rest: &[String],
    operation: &Operation,
    root: bool,
) -> Result<(), Refusal> {
    let entry = container.entry("$metadata").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(metadata) = entry else { return Err(invalid("$metadata is no object")) };
    match rest {
        [model] if model == "$model" && root && operation.action != Action::Remove => {
            let id = operation.value.as_str().filter(|text| text.parse::<Dtmi>().is_ok());
            let Some(id) = id else {
                return Err(invalid("$metadata/$model must be the identifier of a model"));
            };
            metadata.insert("$model".into(), id.into());
            Ok(())
        }
        [property, field] if field == "sourceTime" && !property.starts_with('$') => {
            let entry = metadata.entry(property.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::String(time) = entry {
                *entry = json!({"lastUpdateTime": time});
            }
            let Value::Object(entry) = entry else { return Err(invalid("$metadata holds no object there")) };
            if operation.action == Action::Remove {
                return entry
                    .remove("sourceTime")
                    .map(|_| ())
                    .ok_or_else(|| invalid("this sourceTime is not set and cannot be removed"));
            }
            let Some(time) = operation.value.as_str().and_then(clock::normalise) else {
                return Err(invalid("a sourceTime must be a time such as 2026-01-31T12:00:00Z"));
            };
            entry.insert("sourceTime".into(), time.into());
            Ok(())
        }
        _ => Err(invalid(format!(
            "'/{}' is kept by the service and cannot be patched",
            operation.path.join("/")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn twin() -> Document {
        let value = json!({"$dtId": "a", "speed": 1, "place": {"x": 1}, "health": {"$metadata": {}, "score": 1},
            "$metadata": {"$model": "dtmi:a:b;1", "speed": {"lastUpdateTime": "t", "sourceTime": "s"}}});
        value.as_object().unwrap().clone()
    }

    fn run(patch: &Value) -> Result<Document, Refusal> {
        let mut twin = twin();
        apply_to_twin(&mut twin, &parse(patch)?, &["health".to_owned()])?;
        Ok(twin)
    }

    #[test]
    fn values_and_metadata_move_together() {
        let twin = run(&json!([{"op": "add", "path": "/speed", "value": 2}, {"op": "replace", "path": "/health/score", "value": 3}])).unwrap();
        assert_eq!(twin["speed"], 2);
        let twin = crate::twin::unfold(&twin);
        assert_ne!(twin["$metadata"]["speed"]["lastUpdateTime"], "t");
        assert_eq!(twin["$metadata"]["speed"]["sourceTime"], "s");
        assert!(twin["health"]["$metadata"]["score"]["lastUpdateTime"].is_string());
        let twin = run(&json!([{"op": "remove", "path": "/speed"}])).unwrap();
        assert!(twin.get("speed").is_none() && twin["$metadata"].get("speed").is_none());
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        for (patch, piece) in [
            (json!([{"op": "replace", "path": "/never", "value": 1}]), "use add"),
            (json!([{"op": "add", "path": "/never/x", "value": 1}]), "whole object first"),
            (json!([{"op": "move", "path": "/a", "from": "/b"}]), "not supported"),
            (json!([{}]), "must not be empty"),
            (json!(["x"]), "object"),
            (json!([{"op": "add", "path": "/$dtId", "value": "b"}]), "kept by the service"),
            (
                json!([{"op": "add", "path": "/$metadata/speed/lastUpdateTime", "value": "b"}]),
                "kept by the service",
            ),
            (json!([{"op": "add", "path": "speed", "value": 1}]), "does not begin"),
        ] {
            let refusal = run(&patch).unwrap_err();
            assert!(refusal.message.contains(piece), "{patch}: {}", refusal.message);
        }
    }

    proptest! {
        #[test]
        fn no_patch_panics(op in "add|replace|remove|move|", path in "(/?([a-z$~0-9]{0,4}|speed|health|\\$metadata)){0,5}", value in any::<Option<i32>>()) {
            let mut operation = json!({"op": op, "path": path});
            if let Some(value) = value {
                operation["value"] = value.into();
            }
            let _ = run(&json!([operation]));
        }
    }
}
