//! Relationships of a twin, outgoing and incoming.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;

use super::{
    Shared, conditions, document_response, json_response, no_content, object, origin, paging, small_json,
};
use crate::answer::Refusal;
use crate::limits::Class;
use crate::store::Store;
use crate::twin::Document;

/// Relationships in one page; the service sends small pages and clients must follow the link.
const PAGE: usize = 50;

fn whole(document: &Document) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

pub(super) async fn get(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Read)?;
    let document = store.relationship(&id, &relationship)?;
    Ok(document_response(&document, whole(&document)))
}

pub(super) async fn put(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body = object(small_json(&body)?)?;
    let (conditions, origin) = (conditions(&headers)?, origin(&headers));
    let document = store.put_relationship(id, relationship, body, conditions, origin).await?;
    Ok(document_response(&document, whole(&document)))
}

pub(super) async fn patch(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body = small_json(&body)?;
    let (conditions, origin) = (conditions(&headers)?, origin(&headers));
    let etag = store.patch_relationship(id, relationship, &body, conditions, origin).await?;
    Ok(no_content(Some(&etag)))
}

pub(super) async fn delete(
    State(store): Shared,
    Path((id, relationship)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    store.delete_relationship(id, relationship, conditions(&headers)?, origin(&headers)).await?;
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
