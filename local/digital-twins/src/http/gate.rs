//! What every request passes first: a played outage, the token, the API version.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use super::{header, paging};
use crate::answer::Refusal;
use crate::config::Outage;
use crate::token::Tokens;

/// Versions that clients in use send.
const API_VERSIONS: [&str; 6] =
    ["2020-10-31", "2021-06-30-preview", "2022-05-31", "2023-02-27-preview", "2023-06-30", "2023-10-31"];

/// Decides who comes in.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) tokens: Tokens,
    pub(crate) outage: watch::Receiver<Option<Outage>>,
}

/// The API version of a request, for handlers.
#[derive(Debug, Clone)]
pub(crate) struct ApiVersion(pub(crate) &'static str);

pub(crate) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let outage = *guard.outage.borrow();
    if outage == Some(Outage::Hang) {
        // Waits until the outage ends or the service stops.
        let mut outage = guard.outage.clone();
        let _ = outage.wait_for(|outage| *outage != Some(Outage::Hang)).await;
    }
    if outage.is_some() {
        return Refusal::unavailable("the service is not available: try again later").into_response();
    }
    if !guard.tokens.accepts(header(request.headers(), &AUTHORIZATION)) {
        return Refusal::unauthorized().into_response();
    }
    let trace = trace(request.headers()).map(|given| format!("{}-{}-01", &given[..35], new_span()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut add = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    add("traceresponse", trace.unwrap_or_else(new_trace));
    add("mise-correlation-id", uuid::Uuid::new_v4().to_string());
    response
}

/// The `traceparent` of a request, if it is one.
///
/// Source: "Trace Context" of the W3C: version, trace, span and flags.
pub(super) fn trace(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let shaped = text.len() == 55
        && text.bytes().enumerate().all(|(index, byte)| match index {
            2 | 35 | 52 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    shaped.then_some(text)
}

fn new_span() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..16].to_owned()
}

/// A trace that begins here.
pub(crate) fn new_trace() -> String {
    format!("00-{}-{}-00", uuid::Uuid::new_v4().simple(), new_span())
}

pub(crate) async fn versions(mut request: Request, next: Next) -> Response {
    let given = paging::parameter(request.uri(), "api-version");
    let known = given.as_deref().and_then(|given| API_VERSIONS.into_iter().find(|version| *version == given));
    match (given, known) {
        (_, Some(version)) => {
            request.extensions_mut().insert(ApiVersion(version));
            next.run(request).await
        }
        (None, None) => Refusal::bad(
            "MissingArgument",
            "the query parameter 'api-version' is missing: add api-version=2023-10-31",
        )
        .into_response(),
        (Some(given), None) => {
            let message =
                format!("the api-version '{given}' is not known: use one of {}", API_VERSIONS.join(", "));
            Refusal::bad("UnsupportedApiVersion", message).into_response()
        }
    }
}

/// Jobs came with the versions of 2023; deletions with the last of them.
pub(super) async fn has_jobs(request: Request, next: Next) -> Response {
    let version = request.extensions().get::<ApiVersion>().map_or("", |version| version.0);
    let first = if request.uri().path().starts_with("/jobs/deletions") { "2023-10-31" } else { "2023-02-27" };
    if version >= first {
        return next.run(request).await;
    }
    let message = format!("jobs of this kind are not known to the api-version '{version}': use 2023-10-31");
    Refusal::bad("UnsupportedApiVersion", message).into_response()
}
