//! Every request carries a token of a shared access policy.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::errors::ServiceError;
use crate::hub::Context;
use crate::percent;
use crate::registry::Right;
use crate::sas::SasToken;

/// Lets a request through if its token covers the path and its policy has one of the rights needed.
pub(super) async fn check(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = context.requests.try_acquire() else {
        return ServiceError::throttled("too many requests at a time").into_response();
    };
    match authorise(&context, &request) {
        Ok(()) => next.run(request).await,
        Err(reason) => ServiceError::unauthorized(&reason).into_response(),
    }
}

fn authorise(context: &Context, request: &Request) -> Result<(), String> {
    let header = request.headers().get(header::AUTHORIZATION).ok_or("no Authorization header")?;
    let token = header.to_str().map_err(|_| "the Authorization header is not text")?;
    let token = SasToken::parse(token).map_err(|error| error.to_string())?;
    let name = token.policy.as_deref().ok_or("the token names no policy (skn)")?;
    let policy = context.registry.policy(name).ok_or_else(|| format!("policy {name:?} does not exist"))?;
    let segments: Vec<String> = request
        .uri()
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent::decode(segment).unwrap_or_else(|| segment.to_owned()))
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let keys = [policy.primary_key.as_str(), policy.secondary_key.as_str()];
    token.check(&keys, &context.hosts, &segments, SystemTime::now()).map_err(|error| error.to_string())?;
    let needed = rights(request.method(), &segments);
    if needed.iter().any(|right| policy.permits(*right)) {
        Ok(())
    } else {
        Err(format!("policy {name:?} has none of the rights {needed:?}"))
    }
}

/// Any one of these is enough.
fn rights(method: &Method, path: &[&str]) -> &'static [Right] {
    match (path.first().copied(), method) {
        (Some("devices"), &Method::POST) => &[Right::RegistryRead, Right::ServiceConnect],
        (Some("devices" | "statistics"), &Method::GET) => &[Right::RegistryRead],
        (Some("devices"), _) => &[Right::RegistryWrite],
        _ => &[Right::ServiceConnect],
    }
}
