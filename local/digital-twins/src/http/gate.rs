//! What every request passes first: a played outage, the token, the API version.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, HeaderName};
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
    let trace = request.headers().get("traceparent").cloned();
    let mut response = next.run(request).await;
    if let Some(trace) = trace.or_else(new_trace) {
        response.headers_mut().insert(HeaderName::from_static("traceresponse"), trace);
    }
    response
}

fn new_trace() -> Option<HeaderValue> {
    let span = uuid::Uuid::new_v4().simple().to_string();
    HeaderValue::from_str(&format!("00-{}-{}-00", uuid::Uuid::new_v4().simple(), &span[..16])).ok()
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
