//! Relationships of a twin, outgoing and incoming.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Shared, conditions, document_response, json_response, no_content, object, paging, small_json};
use crate::answer::Refusal;
use crate::limits::Class;
use crate::store::Store;

/// Relationships in one page; the service sends small pages and clients must follow the link.
const PAGE: usize = 50;

pub(super) async fn get(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Read)?;
    let document = store.relationship(&id, &relationship)?;
    Ok(document_response(&document, &Value::Object((*document).clone())))
}

pub(super) async fn put(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let document =
        store.put_relationship(&id, &relationship, object(small_json(&body)?)?, &conditions(&headers)?)?;
    Ok(document_response(&document, &Value::Object((*document).clone())))
}

pub(super) async fn patch(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let etag = store.patch_relationship(&id, &relationship, &small_json(&body)?, &conditions(&headers)?)?;
    Ok(no_content(Some(&etag)))
}

pub(super) async fn delete(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    store.delete_relationship(&id, &relationship, &conditions(&headers)?)?;
    Ok(no_content(None))
}

pub(super) async fn list(
    State(store): Shared,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let name = paging::parameter(&uri, "relationshipName");
    page(&store, &id, name.as_deref(), false, &uri, &headers)
}

pub(super) async fn incoming(
    State(store): Shared,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    page(&store, &id, None, true, &uri, &headers)
}

fn page(
    store: &Store,
    id: &str,
    name: Option<&str>,
    incoming: bool,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Read)?;
    let page = store.relationships(id, name, incoming, &paging::after(uri)?, PAGE)?;
    let link = paging::next_link(uri, headers, page.after.as_ref());
    Ok(json_response(StatusCode::OK, &json!({"value": page.rows, "nextLink": link})))
}
