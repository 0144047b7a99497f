//! One invocation: wait for the handler, send, judge the reply, write the output bindings; again, by the retry policy.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header},
};
use bytes::Bytes;
use futures::stream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    HostEvent,
    encode::{Invocation, RetryContext},
    events::{Events, LogLevel},
    handler::{HandlerClient, HandlerControl},
    queues::QueueService,
    reply::{Reply, Verdict, judge},
    settings::{Framing, FunctionDefinition, RetryPolicy},
};

/// What the host says of its version to handlers.
pub(crate) const HOST_VERSION: &str = "4.1052.200.0";
/// The host's limit for bodies, both ways.
pub(crate) const MAX_BODY: usize = 104_857_600;
const MAX_REDIRECTS: usize = 10;

/// Why an invocation has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It failed for good.
    Failed(String),
    /// The host stops; nothing may be concluded.
    Stopping,
}

/// Calls the handler; shared by all triggers.
#[derive(Clone)]
pub(crate) struct Invoker {
    pub(crate) client: HandlerClient,
    pub(crate) handler: HandlerControl,
    pub(crate) events: Events,
    pub(crate) queues: Option<Arc<dyn QueueService>>,
    pub(crate) framing: Framing,
    pub(crate) traceparent: bool,
    pub(crate) function_timeout: Option<Duration>,
    /// No new work and no checkpoints.
    pub(crate) stopping: CancellationToken,
    /// Running calls end.
    pub(crate) abort: CancellationToken,
    /// Stops the host with a reason.
    pub(crate) fatal: tokio::sync::mpsc::Sender<String>,
}

impl Invoker {
    /// One invocation with its retries; the id stays the same.
    pub(crate) async fn invoke(
        &self,
        function: &FunctionDefinition,
        invocation: &Invocation,
        policy: Option<&RetryPolicy>,
    ) -> Result<Reply, Failure> {
        let id = Uuid::new_v4();
        let mut context = policy.map(|policy| RetryContext {
            retry_count: 0,
            max_retry_count: policy.max_retry_count,
            exception: None,
        });
        loop {
            let cause = match self.attempt(function, id, invocation.body(context.as_ref())).await {
                Err(Failure::Failed(cause)) => cause,
                other => return other,
            };
            let (Some(policy), Some(context)) = (policy, context.as_mut()) else {
                return Err(Failure::Failed(cause));
            };
            if policy.max_retry_count.is_some_and(|most| context.retry_count >= most) {
                return Err(Failure::Failed(cause));
            }
            context.retry_count = context.retry_count.saturating_add(1);
            context.exception = Some(cause);
            tokio::select! {
                () = tokio::time::sleep(policy.delay(context.retry_count)) => {}
                () = self.stopping.cancelled() => return Err(Failure::Stopping),
            }
        }
    }

    async fn attempt(&self, function: &FunctionDefinition, id: Uuid, body: Bytes) -> Result<Reply, Failure> {
        let generation = self.ready().await?;
        let started = self.started(&function.name, id);
        let work = async {
            let reply = self.exchange(function, id, body).await?;
            self.write_outputs(function, &reply).await.map_err(Failure::Failed)?;
            Ok(reply)
        };
        let result = self.within_timeout(generation, work).await;
        match &result {
            Ok(reply) => {
                for line in &reply.logs {
                    self.events.log(LogLevel::Information, Some(&function.name), cut(line));
                }
                self.succeeded(&function.name, id, started);
            }
            Err(Failure::Failed(cause)) => self.failed(&function.name, id, started, cause),
            Err(Failure::Stopping) => self.failed(&function.name, id, started, "the host stops"),
        }
        result
    }

    /// Waits while the handler starts; too long stops the host.
    pub(crate) async fn ready(&self) -> Result<u64, Failure> {
        let most = self.handler.initialization_timeout.saturating_mul(4);
        tokio::select! {
            serving = tokio::time::timeout(most, self.handler.serving()) => match serving {
                Ok(Some(generation)) => Ok(generation),
                Ok(None) => Err(Failure::Stopping),
                Err(_) => {
                    let reason = "initialization timed out and host is shutting down".to_owned();
                    let _ = self.fatal.try_send(reason);
                    Err(Failure::Stopping)
                }
            },
            () = self.stopping.cancelled() => Err(Failure::Stopping),
        }
    }

    /// Runs work under `functionTimeout`; running into it replaces the handler's process, as the host does.
    pub(crate) async fn within_timeout<T>(
        &self,
        generation: u64,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let limit = async {
            match self.function_timeout {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            result = work => result,
            () = limit => {
                self.handler.restart(generation).await;
                let limit = self.function_timeout.unwrap_or_default();
                Err(Failure::Failed(format!("timeout value of {limit:?} was exceeded by the function")))
            }
            () = self.abort.cancelled() => Err(Failure::Stopping),
        }
    }

    async fn exchange(&self, function: &FunctionDefinition, id: Uuid, body: Bytes) -> Result<Reply, Failure> {
        let answer = self.post(&function.name, id, body).await.map_err(Failure::Failed)?;
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, MAX_BODY)
            .await
            .map_err(|error| Failure::Failed(format!("reading the reply: {}", chain(&error))))?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match judge(parts.status.as_u16(), kind, &bytes) {
            Verdict::Reply(reply) => Ok(reply),
            Verdict::Failed(cause) => Err(Failure::Failed(cause)),
            Verdict::Hangs => {
                let warning = "the handler answered with an empty body: the host waits for the function's timeout; answer {} instead";
                self.events.log(LogLevel::Warning, Some(&function.name), warning);
                // Stopping need not wait for an answer that will never come.
                self.stopping.cancelled().await;
                Err(Failure::Stopping)
            }
        }
    }

    /// POST, following redirects as .NET's client does.
    async fn post(&self, path: &str, id: Uuid, body: Bytes) -> Result<Response<Body>, String> {
        let mut uri = self.handler.uri(&format!("/{path}")).map_err(|error| error.to_string())?;
        let mut method = Method::POST;
        for _ in 0..=MAX_REDIRECTS {
            let request = self.request(&method, &uri, id, &body).map_err(|error| error.to_string())?;
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| format!("calling the handler: {}", chain(&error)))?;
            let status = answer.status();
            let Some(place) = redirect(status, answer.headers().get(header::LOCATION), &uri) else {
                return Ok(answer.map(Body::new));
            };
            if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                method = Method::GET;
            }
            uri = place;
        }
        Err(format!("the handler redirected more than {MAX_REDIRECTS} times"))
    }

    fn request(
        &self,
        method: &Method,
        uri: &Uri,
        id: Uuid,
        body: &Bytes,
    ) -> Result<Request<Body>, axum::http::Error> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(uri.clone())
            .header("X-Azure-Functions-HostVersion", HOST_VERSION)
            .header("X-Azure-Functions-InvocationId", id.to_string())
            .header(header::USER_AGENT, format!("Azure-Functions-Host/{HOST_VERSION}"));
        if self.traceparent {
            request = request.header("traceparent", traceparent());
        }
        if *method == Method::GET {
            return request.body(Body::empty());
        }
        request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        request.body(match self.framing {
            Framing::ContentLength => Body::from(body.clone()),
            Framing::Chunked => {
                Body::from_stream(stream::once(std::future::ready(Ok::<_, std::convert::Infallible>(
                    body.clone(),
                ))))
            }
        })
    }

    async fn write_outputs(&self, function: &FunctionDefinition, reply: &Reply) -> Result<(), String> {
        for (queue, messages) in reply.queue_messages(function) {
            let queues = self.queues.as_ref().ok_or("the host has no queue service")?;
            for message in messages {
                queues
                    .send(queue, message)
                    .await
                    .map_err(|error| format!("output to queue {queue}: {error}"))?;
            }
        }
        Ok(())
    }

    pub(crate) fn started(&self, function: &str, id: Uuid) -> Instant {
        self.events.emit(HostEvent::InvocationStarted { function: function.to_owned(), id });
        Instant::now()
    }

    pub(crate) fn succeeded(&self, function: &str, id: Uuid, started: Instant) {
        let duration = started.elapsed();
        self.events.emit(HostEvent::InvocationSucceeded { function: function.to_owned(), id, duration });
    }

    pub(crate) fn failed(&self, function: &str, id: Uuid, started: Instant, cause: &str) {
        tracing::warn!(function, %id, cause, "invocation failed");
        self.events.emit(HostEvent::InvocationFailed {
            function: function.to_owned(),
            id,
            duration: started.elapsed(),
            cause: cause.to_owned(),
        });
    }
}

fn redirect(status: StatusCode, location: Option<&HeaderValue>, from: &Uri) -> Option<Uri> {
    if !matches!(status.as_u16(), 300..=303 | 307 | 308) {
        return None;
    }
    let location = location?.to_str().ok()?;
    let base = url::Url::parse(&from.to_string()).ok()?;
    base.join(location).ok()?.as_str().parse().ok()
}

/// A W3C trace context that is not sampled, as .NET's client adds one.
pub(crate) fn traceparent() -> String {
    let span = Uuid::new_v4().simple().to_string();
    format!("00-{}-{}-00", Uuid::new_v4().simple(), &span[..16])
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn cut(line: &str) -> &str {
    let mut end = line.len().min(16 * 1024);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}
