//! The part of the query language that tools use to list devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::Deserialize;
use serde_json::Value;

use super::devices::MAX_PAGE;
use super::errors::ServiceError;
use super::twins::document;
use crate::hub::Context;

const ITEMS: &str = "x-ms-max-item-count";
const CONTINUATION: &str = "x-ms-continuation";

#[derive(Debug, Deserialize)]
pub(super) struct QueryBody {
    query: String,
}

/// `SELECT * FROM devices`, optionally `WHERE deviceId = '…'`; answers twins, page by page.
pub(super) async fn query(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, ServiceError> {
    let body: QueryBody = serde_json::from_str(&body)
        .map_err(|error| ServiceError::bad_request(&format!("the body must be {{\"query\": …}}: {error}")))?;
    let wanted = parse(&body.query).ok_or_else(|| {
        ServiceError::bad_request(
            "the local hub understands SELECT * FROM devices [WHERE deviceId = '…'] only",
        )
    })?;
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let size = header(ITEMS).and_then(|text| text.parse().ok()).unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let after = match header(CONTINUATION) {
        None => None,
        Some(token) => {
            let decoded = URL_SAFE.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            Some(decoded.ok_or_else(|| {
                ServiceError::bad_request("the continuation token is not one of this hub's")
            })?)
        }
    };
    let (found, more): (Vec<Value>, Option<String>) = match wanted {
        Some(id) => {
            let pair = context.registry.get(&id).zip(context.registry.twin(&id));
            (pair.iter().map(|(device, twin)| document(&context, device, twin)).collect(), None)
        }
        None => {
            let mut page = context.registry.page(after.as_deref(), size + 1);
            let more = page.len() > size;
            page.truncate(size);
            let last = page.last().filter(|_| more).map(|(device, _)| device.device_id.clone());
            (page.iter().map(|(device, twin)| document(&context, device, twin)).collect(), last)
        }
    };
    let mut response = Json(found).into_response();
    response.headers_mut().insert("x-ms-item-type", HeaderValue::from_static("Twin"));
    if let Some(token) = more.and_then(|last| HeaderValue::from_str(&URL_SAFE.encode(last)).ok()) {
        response.headers_mut().insert(CONTINUATION, token);
    }
    Ok(response)
}

/// `Some(None)` for all devices, `Some(Some(id))` for one, `None` for anything else.
fn parse(text: &str) -> Option<Option<String>> {
    let text = text.trim().trim_end_matches(';').trim_end();
    let mut words = text.split_whitespace();
    for expected in ["select", "*", "from", "devices"] {
        if !words.next()?.eq_ignore_ascii_case(expected) {
            return None;
        }
    }
    let rest = words.collect::<Vec<_>>().join(" ");
    if rest.is_empty() {
        return Some(None);
    }
    let condition =
        rest.get(..6).filter(|word| word.eq_ignore_ascii_case("where ")).map(|_| rest[6..].trim())?;
    let (field, value) = condition.split_once('=')?;
    if !field.trim().eq_ignore_ascii_case("deviceId") {
        return None;
    }
    let value = value.trim();
    let quoted = |quote| value.strip_prefix(quote).and_then(|inner: &str| inner.strip_suffix(quote));
    let id = quoted('\'').or_else(|| quoted('"'))?;
    (!id.contains(['\'', '"'])).then(|| Some(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_queries_are_understood_and_no_others() {
        assert_eq!(parse("SELECT * FROM devices"), Some(None));
        assert_eq!(parse(" select *  from Devices ; "), Some(None));
        assert_eq!(parse("SELECT * FROM devices WHERE deviceId='a-1'"), Some(Some("a-1".to_owned())));
        assert_eq!(parse("select * from devices where deviceid = \"a\""), Some(Some("a".to_owned())));
        for other in [
            "",
            "SELECT * FROM devices.jobs",
            "SELECT deviceId FROM devices",
            "SELECT * FROM devices WHERE tags.a = 'x'",
            "SELECT * FROM devices WHERE deviceId = 'a' OR 'b'",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
