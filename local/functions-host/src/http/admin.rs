//! The admin paths of Core Tools: status, list of functions, and running a function without its trigger.
//!
//! A run must be asked for with a JSON content type. The real host wants it too, and here it also keeps web pages of other
//! origins from starting functions on this machine.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{Method, Response, StatusCode, header},
};
use bytes::Bytes;
use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{HttpState, answer};
use crate::{
    encode::queue::invocation,
    invoke::{Failure, HOST_VERSION},
    queues::QueueMessage,
};

pub(super) async fn serve(state: &Arc<HttpState>, request: Request) -> Response<Body> {
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let method = request.method().clone();
    match (method, path.as_str()) {
        (Method::GET | Method::POST, "/admin/host/ping") => answer(StatusCode::OK, ""),
        (Method::GET, "/admin/host/status") => {
            let serving = state.invoker.handler.state.borrow().clone();
            let running = matches!(serving, crate::handler::HandlerState::Serving { .. });
            let state = if running { "Running" } else { "Initialized" };
            super::json(StatusCode::OK, &json!({"id": "local", "state": state, "version": HOST_VERSION}))
        }
        (Method::GET, "/admin/functions") => {
            let names: Vec<Value> =
                state.names.iter().map(|(name, kind)| json!({"name": name, "trigger": kind})).collect();
            super::json(StatusCode::OK, &Value::Array(names))
        }
        (Method::POST, path) => match path.strip_prefix("/admin/functions/") {
            Some(name) => run(state, name, request).await,
            None => answer(StatusCode::NOT_FOUND, ""),
        },
        _ => answer(StatusCode::NOT_FOUND, ""),
    }
}

async fn run(state: &Arc<HttpState>, name: &str, request: Request) -> Response<Body> {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        return answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send content-type: application/json");
    }
    let Ok(body) = to_bytes(request.into_body(), 1024 * 1024).await else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB");
    };
    let input = match body.is_empty() {
        true => Value::Null,
        false => match serde_json::from_slice::<Value>(&body) {
            Ok(value) => value.get("input").cloned().unwrap_or(Value::Null),
            Err(_) => {
                return answer(StatusCode::BAD_REQUEST, "the body must be JSON such as {\"input\":\"\"}");
            }
        },
    };
    let known = |key: &&String| key.eq_ignore_ascii_case(name);
    if let Some(timer) = state.timers.keys().find(known).and_then(|key| state.timers.get(key)) {
        let timer = Arc::clone(timer);
        // Accepted, not awaited, as in the real host.
        tokio::spawn(async move { timer.invoke(false).await });
        return answer(StatusCode::ACCEPTED, "");
    }
    if let Some(queue) = state.queues.keys().find(known).and_then(|key| state.queues.get(key)) {
        let queue = queue.clone();
        let body = input.as_str().map_or_else(|| input.to_string(), str::to_owned);
        tokio::spawn(async move {
            let now = Utc::now();
            let message = QueueMessage {
                id: Uuid::new_v4().to_string(),
                pop_receipt: String::new(),
                dequeue_count: 1,
                insertion_time: now,
                expiration: now,
                next_visible: now,
                body: Bytes::from(body),
            };
            let call = invocation(&queue.function.name, &queue.function.binding, queue.data_type, &message);
            let result: Result<_, Failure> = queue.invoker.invoke(&queue.function, &call, None).await;
            result
        });
        return answer(StatusCode::ACCEPTED, "");
    }
    if state.names.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
        return answer(
            StatusCode::BAD_REQUEST,
            "this host runs timer and queue functions on demand, no others",
        );
    }
    answer(StatusCode::NOT_FOUND, "")
}
