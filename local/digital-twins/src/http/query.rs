//! `/query`

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Shared, json_response, paging, small_json};
use crate::answer::Refusal;
use crate::limits::Class;
use crate::query::{self, Select};

/// Rows in one page: what a client gets unasked, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

pub(super) async fn run(State(store): Shared, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    store.meter.admit(Class::Query)?;
    let body = small_json(&body)?;
    // The text of the query is ignored once there is a token: the token knows it.
    let state = match body.get("continuationToken").and_then(Value::as_str) {
        Some(token) => Some(paging::read_token(token)?),
        None => None,
    };
    let (text, after, rows_left) = match &state {
        Some(state) => {
            let text = state["query"]
                .as_str()
                .ok_or_else(|| Refusal::bad("BadRequest", "the continuation token is none of a query"))?;
            (text, paging::key_of(state)?, state["left"].as_u64())
        }
        None => {
            let text = body.get("query").and_then(Value::as_str);
            let text = text.ok_or_else(|| {
                Refusal::bad("InvalidArgument", "the body has neither query nor continuationToken: add one")
            })?;
            (text, Default::default(), None)
        }
    };
    let query = query::parse(text).map_err(|error| {
        let message = format!(
            "the query has an error at line {}, position {}: {}",
            error.line, error.position, error.message
        );
        Refusal::bad("SqlQueryError", message)
    })?;
    let size = paging::page_size(&headers, PAGE, LARGEST_PAGE)?;
    let left = rows_left.or(query.top);
    let size = left.map_or(size, |left| size.min(usize::try_from(left).unwrap_or(size)));
    let page = store.query(&query, &after, size);
    let left = left.map(|left| left.saturating_sub(page.rows.len() as u64));
    let more = page.after.as_ref().filter(|_| left != Some(0) && query.select != Select::Count);
    let token = more.map(|after| paging::token(&json!({"query": text, "after": after, "left": left})));
    let mut response =
        json_response(StatusCode::OK, &json!({"value": page.rows, "continuationToken": token}));
    // The formula of the real charge is not published; this one grows with the same things.
    let charge = 3.0 + 0.1 * page.rows.len() as f64 + 0.002 * page.examined as f64;
    if let Ok(value) = HeaderValue::from_str(&format!("{charge:.2}")) {
        response.headers_mut().insert("query-charge", value);
    }
    Ok(response)
}
