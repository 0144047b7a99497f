//! `/jobs/imports` and `/jobs/deletions`

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::gate::ApiVersion;
use super::{Shared, header, json_response, no_content, object, paging, small_json};
use crate::answer::Refusal;
use crate::jobs::{JobKind, Runner};
use crate::limits::Class;
use crate::store::Store;

type Jobs = Extension<Arc<Runner>>;

/// Jobs in one page.
const PAGE: usize = 100;
/// Minutes that a deletion may take: unasked, at least and at most.
const MINUTES: u64 = 12 * 60;
const FEWEST_MINUTES: u64 = 15;
const MOST_MINUTES: u64 = 24 * 60;

pub(super) async fn list_imports(
    State(store): Shared,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    list(&store, JobKind::Import, &uri, &headers)
}

pub(super) async fn list_deletions(
    State(store): Shared,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    list(&store, JobKind::Deletion, &uri, &headers)
}

fn list(store: &Store, kind: JobKind, uri: &Uri, headers: &HeaderMap) -> Result<Response, Refusal> {
    store.meter.admit(Class::Jobs)?;
    let size = paging::page_size(headers, PAGE, PAGE)?;
    let (found, more) = store.list_jobs(kind, &paging::after(uri)?[0], size);
    let rows: Vec<Value> = found.iter().map(|job| job.wire()).collect();
    let after = found.last().filter(|_| more).map(|job| [job.id.clone(), String::new()]);
    let link = paging::next_link(uri, headers, after.as_ref());
    Ok(json_response(StatusCode::OK, &json!({"value": rows, "nextLink": link})))
}

pub(super) async fn get_import(State(store): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    store.meter.admit(Class::Jobs)?;
    Ok(json_response(StatusCode::OK, &store.job(JobKind::Import, &id)?.wire()))
}

pub(super) async fn get_deletion(State(store): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    store.meter.admit(Class::Jobs)?;
    Ok(json_response(StatusCode::OK, &store.job(JobKind::Deletion, &id)?.wire()))
}

pub(super) async fn put_import(
    State(store): Shared,
    Extension(jobs): Jobs,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Jobs)?;
    let body = Value::Object(object(small_json(&body)?)?);
    let job = jobs.import(&id, &body).await?;
    Ok(json_response(StatusCode::CREATED, &job.wire()))
}

pub(super) async fn delete_import(State(store): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    store.meter.admit(Class::Jobs)?;
    store.delete_job(JobKind::Import, id).await?;
    Ok(no_content(None))
}

pub(super) async fn cancel_import(
    State(store): Shared,
    Extension(jobs): Jobs,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Jobs)?;
    let job = jobs.cancel(&id).await?;
    Ok(json_response(StatusCode::OK, &job.wire()))
}

pub(super) async fn add_deletion(
    State(store): Shared,
    Extension(jobs): Jobs,
    Extension(version): Extension<ApiVersion>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Jobs)?;
    let minutes = match paging::parameter(&uri, "timeoutInMinutes") {
        None => MINUTES,
        Some(text) => {
            let minutes =
                text.parse().ok().filter(|minutes| (FEWEST_MINUTES..=MOST_MINUTES).contains(minutes));
            let message =
                format!("timeoutInMinutes must be a number from {FEWEST_MINUTES} to {MOST_MINUTES}");
            minutes.ok_or_else(|| Refusal::bad("ValidationFailed", message))?
        }
    };
    let given = headers.get("operation-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let id = given.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let job = jobs.deletion(&id, Duration::from_secs(minutes * 60)).await?;
    let mut response = json_response(StatusCode::ACCEPTED, &job.wire());
    let host = header(&headers, &HOST).unwrap_or("localhost");
    let location = format!("https://{host}/jobs/deletions/{id}?api-version={}", version.0);
    if let Ok(value) = HeaderValue::from_str(&location) {
        response.headers_mut().insert("operation-location", value);
    }
    Ok(response)
}
