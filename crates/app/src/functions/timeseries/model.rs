//! The time series model: read here, kept in the twin graph.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use twinwright_timeseries::model::{ID_PROPERTY, Model};
use twinwright_timeseries::search;

use super::{Answer, ApiError, Parameters, body, continuation};
use crate::app::App;
use crate::clock::now;

/// Instances of a page.
const PAGE: usize = 1_000;
/// Objects of a call, as the service had it.
const MOST: usize = 10_000;

async fn model(app: &App) -> Result<Arc<Model>, ApiError> {
    Ok(app.history.model(app.twins.as_deref(), now()).await?)
}

/// `modelSettings`
pub(super) async fn settings(State(app): State<Arc<App>>, Query(parameters): Query<Parameters>) -> Answer {
    parameters.store()?;
    let model = model(&app).await?;
    Ok(Json(json!({ "modelSettings": {
        "name": app.config.hub,
        "timeSeriesIdProperties": [{ "name": ID_PROPERTY, "type": "String" }],
        "defaultTypeId": model.default_type,
    }})))
}

/// `instances`, by page.
pub(super) async fn instances(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Answer {
    parameters.store()?;
    let model = model(&app).await?;
    // The token is the device behind which the page begins, so that what comes and goes meanwhile does no harm.
    let after = continuation(&headers).map(|token| token.trim_start_matches("after:").to_owned());
    let behind = model.instances.iter().filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
    let page: Vec<_> = behind.map(|(_, instance)| instance).take(PAGE + 1).collect();
    let mut answer = json!({ "instances": page.iter().take(PAGE).collect::<Vec<_>>() });
    if page.len() > PAGE {
        answer["continuationToken"] = json!(format!("after:{}", page[PAGE - 1].id()));
    }
    Ok(Json(answer))
}

/// `types`
pub(super) async fn types(State(app): State<Arc<App>>, Query(parameters): Query<Parameters>) -> Answer {
    parameters.store()?;
    let model = model(&app).await?;
    Ok(Json(json!({ "types": model.types.values().collect::<Vec<_>>() })))
}

/// `hierarchies`
pub(super) async fn hierarchies(State(app): State<Arc<App>>, Query(parameters): Query<Parameters>) -> Answer {
    parameters.store()?;
    let model = model(&app).await?;
    Ok(Json(json!({ "hierarchies": model.hierarchies.values().collect::<Vec<_>>() })))
}

/// `instances/$batch`: get alone.
pub(super) async fn instances_batch(State(app): State<Arc<App>>, text: String) -> Answer {
    let get = get(&text)?;
    let model = model(&app).await?;
    // Older clients send the ids alone.
    let ids = get.get("timeSeriesIds").or(Some(&get)).and_then(Value::as_array).cloned().unwrap_or_default();
    let names = strings(&get, "names");
    check(ids.len() + names.len())?;
    let by_id = ids.iter().map(|id| {
        let id = id[0].as_str().unwrap_or_default();
        model
            .instances
            .get(id)
            .map_or_else(|| missing("instance", id), |instance| json!({ "instance": instance }))
    });
    let by_name = names.iter().map(|name| {
        let found = model.instances.values().find(|instance| instance.name.as_deref() == Some(name));
        found.map_or_else(|| missing("instance", name), |instance| json!({ "instance": instance }))
    });
    Ok(Json(json!({ "get": by_id.chain(by_name).collect::<Vec<_>>() })))
}

/// `types/$batch`: get alone.
pub(super) async fn types_batch(State(app): State<Arc<App>>, text: String) -> Answer {
    let get = get(&text)?;
    let model = model(&app).await?;
    let (ids, names) = (strings(&get, "typeIds"), strings(&get, "names"));
    check(ids.len() + names.len())?;
    let found = |found: Option<_>, wanted: &str| {
        found.map_or_else(|| missing("type", wanted), |kind| json!({ "timeSeriesType": kind }))
    };
    let by_id = ids.iter().map(|id| found(model.types.get(id), id));
    let by_name = names.iter().map(|name| found(model.types.values().find(|kind| kind.name == **name), name));
    Ok(Json(json!({ "get": by_id.chain(by_name).collect::<Vec<_>>() })))
}

/// `hierarchies/$batch`: get alone.
pub(super) async fn hierarchies_batch(State(app): State<Arc<App>>, text: String) -> Answer {
    let get = get(&text)?;
    let model = model(&app).await?;
    let (ids, names) = (strings(&get, "hierarchyIds"), strings(&get, "names"));
    check(ids.len() + names.len())?;
    let found = |found: Option<_>, wanted: &str| {
        found.map_or_else(|| missing("hierarchy", wanted), |hierarchy| json!({ "hierarchy": hierarchy }))
    };
    let by_id = ids.iter().map(|id| found(model.hierarchies.get(id), id));
    let by_name = names
        .iter()
        .map(|name| found(model.hierarchies.values().find(|hierarchy| hierarchy.name == **name), name));
    Ok(Json(json!({ "get": by_id.chain(by_name).collect::<Vec<_>>() })))
}

/// `instances/search`
pub(super) async fn search(State(app): State<Arc<App>>, headers: HeaderMap, text: String) -> Answer {
    let request = body(&text)?;
    Ok(Json(search::search(&*model(&app).await?, &request, continuation(&headers))?))
}

/// `instances/suggest`
pub(super) async fn suggest(State(app): State<Arc<App>>, text: String) -> Answer {
    let request = body(&text)?;
    Ok(Json(search::suggest(&*model(&app).await?, &request)?))
}

fn get(text: &str) -> Result<Value, ApiError> {
    let mut body: Value = body(text)?;
    match body.get_mut("get").map(Value::take) {
        Some(get) if !get.is_null() => Ok(get),
        _ => {
            let text = "the model is read here and kept in the twin graph: change twins and relationships there \
                        (twinwright twins), or send a body with get";
            Err(ApiError::new(StatusCode::BAD_REQUEST, "InvalidInput", text))
        }
    }
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn check(count: usize) -> Result<(), ApiError> {
    if count <= MOST {
        return Ok(());
    }
    let text = format!("the call asks for {count} objects, at most {MOST} are answered: ask in parts");
    Err(ApiError::new(StatusCode::BAD_REQUEST, "InvalidInput", text))
}

fn missing(what: &str, name: &str) -> Value {
    json!({ "error": { "code": "InstanceNotFound", "message": format!("there is no {what} {name}") } })
}
