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
fn data(id: &str, entry: &ModelEntry, with_definition: bool) -> Value {
    let mut data = json!({
        "id": id,
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
    // Linking large uploads takes a while; other requests go on meanwhile.
    let added = tokio::task::spawn_blocking(move || store.add_models(&documents)).await;
    let added = added.map_err(|_| Refusal::unavailable("the upload was interrupted: send it again"))??;
    let list: Value = added.iter().map(|(id, entry)| data(id, entry, false)).collect();
    Ok(json_response(StatusCode::CREATED, &list))
}

pub(super) async fn list(State(store): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    let size = paging::page_size(&headers, PAGE, PAGE)?;
    let after = paging::after(&uri)?;
    let ids = store.model_ids(&paging::parameters(&uri, "dependenciesFor"))?;
    let start = ids.iter().position(|id| *id == after[0]).map_or(0, |position| position + 1);
    let page = &ids[start..ids.len().min(start + size)];
    let with_definition = wants_definition(&uri);
    let rows: Vec<Value> = page
        .iter()
        .filter_map(|id| store.model(id).ok().map(|entry| data(id, &entry, with_definition)))
        .collect();
    let next = (start + size < ids.len()).then(|| [page[page.len() - 1].clone(), String::new()]);
    let link = paging::next_link(&uri, &headers, next.as_ref());
    Ok(json_response(StatusCode::OK, &json!({"value": rows, "nextLink": link})))
}

pub(super) async fn get(State(store): Shared, Path(id): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    let entry = store.model(&id)?;
    Ok(json_response(StatusCode::OK, &data(&id, &entry, wants_definition(&uri))))
}

pub(super) async fn decommission(
    State(store): Shared,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    store.decommission(&id, &patch::parse(&any_json(&body)?)?)?;
    Ok(no_content(None))
}

pub(super) async fn delete(State(store): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    store.meter.admit(Class::Models)?;
    store.delete_model(&id)?;
    Ok(no_content(None))
}
