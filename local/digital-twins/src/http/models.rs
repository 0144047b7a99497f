//! `/models`

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Shared, any_json, json_response, no_content, paging};
use crate::answer::Refusal;
use crate::limits::Class;
use crate::patch;
use crate::store::ModelEntry;

/// Models in one page ("Azure Digital Twins service limits").
const PAGE: usize = 100;

/// Model data as the service returns it.
fn data(entry: &ModelEntry, with_definition: bool) -> Value {
    let mut data = json!({
        "id": entry.id(),
        "description": localised(&entry.document["description"]),
        "displayName": localised(&entry.document["displayName"]),
        "decommissioned": entry.decommissioned,
        "uploadTime": entry.upload_time,
    });
    if with_definition {
        data["model"] = entry.document.clone();
    }
    data
}

/// A plain text is English.
fn localised(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({"en": text}),
        Value::Object(map) if !map.contains_key("@value") => Value::Object(map.clone()),
        _ => Value::Object(Map::new()),
    }
}

fn wants_definition(uri: &Uri) -> bool {
    paging::parameter(uri, "includeModelDefinition").is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub(super) async fn add(State(store): Shared, body: Bytes) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    let Value::Array(documents) = any_json(&body)? else {
        return Err(Refusal::bad(
            "InvalidArgument",
            "the payload is invalid: send the models as a JSON array",
        ));
    };
    let added = store.add_models(documents).await?;
    let list: Value = added.iter().map(|entry| data(entry, false)).collect();
    Ok(json_response(StatusCode::CREATED, &list))
}

pub(super) async fn list(State(store): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    let size = paging::page_size(&headers, PAGE, PAGE)?;
    // Lists go by the number of the upload, so that models which are deleted between two pages do no harm.
    let after = paging::after(&uri)?[0].parse().unwrap_or(0);
    // The JavaScript client sends the parameter without a value for an empty list.
    let mut dependencies_for = paging::parameters(&uri, "dependenciesFor");
    dependencies_for.retain(|id| !id.is_empty());
    let (found, more) = store.list_models(&dependencies_for, after, size)?;
    let with_definition = wants_definition(&uri);
    let rows: Vec<Value> = found.iter().map(|entry| data(entry, with_definition)).collect();
    let next = found.last().filter(|_| more).map(|entry| [entry.sequence.to_string(), String::new()]);
    let link = paging::next_link(&uri, &headers, next.as_ref());
    Ok(json_response(StatusCode::OK, &json!({"value": rows, "nextLink": link})))
}

pub(super) async fn get(State(store): Shared, Path(id): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    let entry = store.model(&id)?;
    Ok(json_response(StatusCode::OK, &data(&entry, wants_definition(&uri))))
}

pub(super) async fn decommission(
    State(store): Shared,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    store.decommission(id, &patch::parse(&any_json(&body)?)?).await?;
    Ok(no_content(None))
}

pub(super) async fn delete(State(store): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    store.delete_model(id).await?;
    Ok(no_content(None))
}
