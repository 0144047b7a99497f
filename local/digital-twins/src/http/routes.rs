//! `/eventroutes`

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Shared, json_response, no_content, object, paging, small_json};
use crate::answer::Refusal;
use crate::limits::Class;

/// Routes in one page.
const PAGE: usize = 100;

pub(super) async fn list(State(store): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    store.meter.admit(Class::Routes)?;
    let size = paging::page_size(&headers, PAGE, PAGE)?;
    let (found, more) = store.list_routes(&paging::after(&uri)?[0], size);
    let rows: Vec<Value> = found.iter().map(|route| route.route.wire()).collect();
    let after = found.last().filter(|_| more).map(|route| [route.route.id.clone(), String::new()]);
    let link = paging::next_link(&uri, &headers, after.as_ref());
    Ok(json_response(StatusCode::OK, &json!({"value": rows, "nextLink": link})))
}

pub(super) async fn get(State(store): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    store.meter.admit(Class::Routes)?;
    Ok(json_response(StatusCode::OK, &store.route(&id)?.route.wire()))
}

pub(super) async fn put(
    State(store): Shared,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Routes)?;
    let body = Value::Object(object(small_json(&body)?)?);
    store.put_route(id, &body).await?;
    Ok(no_content(None))
}

pub(super) async fn delete(State(store): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    store.meter.admit(Class::Routes)?;
    store.delete_route(id).await?;
    Ok(no_content(None))
}
