//! Streams a client's request to the handler and its answer back, as the real host's proxy does.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{HttpState, answer};
use crate::{
    invoke::{Failure, HOST_VERSION, MAX_BODY, chain},
    settings::FunctionDefinition,
};

/// A transfer without any progress for this long is given up.
const ACTIVITY_TIMEOUT: Duration = Duration::from_secs(240);
const CONNECT_ATTEMPTS: u32 = 10;
/// Headers that concern one connection only.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

pub(super) async fn serve(
    state: &Arc<HttpState>,
    function: &FunctionDefinition,
    request: Request,
    permit: OwnedSemaphorePermit,
) -> Response<Body> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > MAX_BODY) {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 100 MiB");
    }
    let generation = match state.invoker.ready().await {
        Ok(generation) => generation,
        Err(_) => return answer(StatusCode::SERVICE_UNAVAILABLE, "the host stops"),
    };
    let id = Uuid::new_v4();
    let started = state.invoker.started(&function.name, id);
    let work = async { forward(state, request, id).await.map_err(Failure::Failed) };
    match state.invoker.within_timeout(generation, work).await {
        Ok(response) => {
            // The function ends with its answer's head; the body may stream on.
            state.invoker.succeeded(&function.name, id, started);
            stream_back(response, permit)
        }
        Err(Failure::Failed(cause)) => {
            state.invoker.failed(&function.name, id, started, &cause);
            answer(StatusCode::INTERNAL_SERVER_ERROR, "")
        }
        Err(Failure::Stopping) => answer(StatusCode::SERVICE_UNAVAILABLE, "the host stops"),
    }
}

async fn forward(state: &Arc<HttpState>, request: Request, id: Uuid) -> Result<Response<Body>, String> {
    let (parts, body) = request.into_parts();
    let legacy = state.forwarding && !state.proxying;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = state.invoker.handler.uri(path).map_err(|error| error.to_string())?;
    let mut headers = parts.headers.clone();
    let named: Vec<HeaderName> = connection_names(&headers);
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    headers.insert("x-azure-functions-hostversion", HeaderValue::from_static(HOST_VERSION));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert("x-azure-functions-invocationid", id.clone());
        headers.insert("x-ms-invocation-id", id);
    }
    let source = has_body(&parts, legacy).then(|| SharedBody::new(body));
    let mut pause = Duration::from_millis(50);
    for attempt in 1.. {
        let body = source.as_ref().map_or_else(Body::empty, |source| Body::from_stream(source.clone()));
        let mut outgoing = Request::new(body);
        *outgoing.method_mut() = parts.method.clone();
        *outgoing.uri_mut() = uri.clone();
        *outgoing.headers_mut() = headers.clone();
        let sent = tokio::time::timeout(ACTIVITY_TIMEOUT, state.invoker.client.request(outgoing)).await;
        let error = match sent {
            Err(_) => return Err(format!("the handler gave no answer within {ACTIVITY_TIMEOUT:?}")),
            Ok(Ok(response)) => return Ok(response.map(Body::new)),
            Ok(Err(error)) => error,
        };
        // Only a request of which nothing was sent can be sent again.
        let untouched = source.as_ref().is_none_or(SharedBody::untouched);
        if !(error.is_connect() && untouched) || attempt == CONNECT_ATTEMPTS {
            return Err(format!("proxying to the handler: {}", chain(&error)));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
    Err("proxying to the handler failed".to_owned())
}

fn has_body(parts: &Parts, legacy: bool) -> bool {
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let positive = length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > 0);
    // The old way forwards a body only when its length is known.
    positive || (!legacy && parts.headers.contains_key(header::TRANSFER_ENCODING))
}

fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

fn stream_back(response: Response<Body>, permit: OwnedSemaphorePermit) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    for name in HOP_BY_HOP.iter().chain(&connection_names(&parts.headers)) {
        parts.headers.remove(name);
    }
    let chunks = stream::unfold((body.into_data_stream(), permit), |(mut body, permit)| async move {
        match tokio::time::timeout(ACTIVITY_TIMEOUT, body.next()).await {
            Ok(Some(chunk)) => Some((chunk, (body, permit))),
            Ok(None) => None,
            Err(_) => Some((
                Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut))),
                (body, permit),
            )),
        }
    });
    Response::from_parts(parts, Body::from_stream(chunks))
}

/// The client's body, which the first attempt that connects uses up.
#[derive(Clone)]
struct SharedBody {
    body: Arc<Mutex<BodyDataStream>>,
    polled: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
}

impl SharedBody {
    fn new(body: Body) -> Self {
        Self {
            body: Arc::new(Mutex::new(body.into_data_stream())),
            polled: Arc::default(),
            bytes: Arc::default(),
        }
    }

    fn untouched(&self) -> bool {
        !self.polled.load(Ordering::Acquire)
    }
}

impl Stream for SharedBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.polled.store(true, Ordering::Release);
        let mut body = self.body.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let polled = body.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled {
            let length = chunk.len() as u64;
            if self.bytes.fetch_add(length, Ordering::Relaxed) + length > MAX_BODY as u64 {
                let error = std::io::Error::other("the body is longer than 100 MiB");
                return Poll::Ready(Some(Err(axum::Error::new(error))));
            }
        }
        polled
    }
}
