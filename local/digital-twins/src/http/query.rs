//! `/query`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::gate::ApiVersion;
use super::{Shared, any_json, paging};
use crate::answer::Refusal;
use crate::limits::Class;
use crate::query::{self, Budget, GivenUp, Page, Position, Query, QueryLimits, Select};

/// Largest body, in bytes: the longest query, each character escaped, in a token.
const LARGEST_BODY: usize = 256 * 1024;

/// Where a request begins: a query, and the place to go on from.
struct Start {
    text: String,
    query: Query,
    after: Option<Position>,
    /// Rows that TOP still lets through.
    left: Option<u64>,
}

pub(super) async fn run(
    State(store): Shared,
    Extension(ApiVersion(version)): Extension<ApiVersion>,
    Extension(limits): Extension<Arc<QueryLimits>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    store.meter.admit(Class::Query)?;
    if body.len() > LARGEST_BODY {
        let message = format!("the body has {} bytes: {LARGEST_BODY} are the most", body.len());
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message));
    }
    let start = start(&any_json(&body)?, &limits)?;
    let size = paging::page_size(&headers, limits.default_page, limits.largest_page.max(1))?;
    let size = start.left.map_or(size, |left| size.min(usize::try_from(left).unwrap_or(size)));
    // A client that went away takes its query with it.
    let abandoned = Abandoned::default();
    let budget = Budget::new(limits.timeout, Arc::clone(&abandoned.0));
    let with_times = version != "2020-10-31";
    let work = move || {
        let page = query::run(&start.query, start.after.clone(), size, budget, || store.query_graph());
        page.map_err(given_up).and_then(|page| answer(&start, &page, with_times))
    };
    let done = tokio::task::spawn_blocking(work).await;
    drop(abandoned);
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "a query ended in a panic");
        Err(Refusal::unavailable("the query could not be run: change it and try again"))
    })
}

/// Tells the work that nobody waits for it, when the request is dropped.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn start(body: &Value, limits: &QueryLimits) -> Result<Start, Refusal> {
    // The text of the query is ignored once there is a token: the token knows it.
    if let Some(token) = body.get("continuationToken").and_then(Value::as_str) {
        let state = paging::read_token(token)?;
        let bad = || {
            Refusal::bad("BadRequest", "the continuation token is none of a query: start again without one")
        };
        let text = state["query"].as_str().ok_or_else(bad)?.to_owned();
        let query = query::parse(&text, limits).map_err(|_| bad())?;
        let after = serde_json::from_value(state["after"].clone()).map_err(|_| bad())?;
        let left = match (&state["left"], query.top) {
            (Value::Null, None) => None,
            (left, Some(_)) => Some(left.as_u64().ok_or_else(bad)?),
            (_, None) => return Err(bad()),
        };
        return Ok(Start { text, query, after: Some(after), left });
    }
    let text = body.get("query").and_then(Value::as_str).ok_or_else(|| {
        Refusal::bad("InvalidArgument", "the body has neither query nor continuationToken: add one")
    })?;
    let query = query::parse(text, limits).map_err(|error| {
        let message = format!(
            "the query has an error at line {}, position {}: {}",
            error.line, error.position, error.message
        );
        Refusal::bad("SqlQueryError", message)
    })?;
    let left = query.top;
    Ok(Start { text: text.to_owned(), query, after: None, left })
}

fn given_up(reason: GivenUp) -> Refusal {
    match reason {
        GivenUp::Timeout => Refusal::bad(
            "TimeoutError",
            "the query takes too long: begin at fewer twins, ask for fewer hops, or name models and relationships",
        ),
        GivenUp::Abandoned => Refusal::unavailable("nobody waits for this query any more"),
    }
}

fn answer(start: &Start, page: &Page, with_times: bool) -> Result<Response, Refusal> {
    let rows = query::write_rows(&start.query, page, with_times).map_err(|error| {
        tracing::error!(%error, "the rows of a query cannot be written");
        Refusal::unavailable("the rows could not be written: try again")
    })?;
    let left = start.left.map(|left| left.saturating_sub(page.rows.len() as u64));
    let more = page.after.as_ref().filter(|_| left != Some(0) && start.query.select != Select::Count);
    let token = more.map(|after| paging::token(&json!({"query": start.text, "after": after, "left": left})));
    let mut body = Vec::with_capacity(rows.len() + 64);
    body.extend_from_slice(b"{\"value\":");
    body.extend_from_slice(&rows);
    body.extend_from_slice(b",\"continuationToken\":");
    body.extend_from_slice(Value::from(token).to_string().as_bytes());
    body.push(b'}');
    let mut response =
        (StatusCode::OK, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response();
    // The formula of the real charge is not published; this one grows with the same things.
    let count = page.rows.len() as f64;
    let charge = 3.0 + 0.1 * count + 0.002 * page.examined as f64;
    if let Ok(value) = HeaderValue::from_str(&format!("{charge:.2}")) {
        response.headers_mut().insert("query-charge", value);
    }
    Ok(response)
}
