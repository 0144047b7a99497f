//! The extractors, the reply and the life of a server, over real connections.

// What the tests share fails as they do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use axum::{Extension, Router};
use azure_functions_rs_custom_handler::testing::{
    BatchOptions, EventSpec, event_hub_body, queue_body, timer_body,
};
use azure_functions_rs_custom_handler::{
    BindingName, BodyLimit, EventHubTrigger, HandlerPort, InvocationContext, QueueTrigger, Reply, ServeError,
    TimerTrigger, bind, handler, serve_on,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower::ServiceExt;

const DEADLINE: Duration = Duration::from_secs(20);

fn router() -> Router {
    Router::new()
        .route(
            "/ingest",
            post(|context: InvocationContext, EventHubTrigger(batch): EventHubTrigger| async move {
                let id = context.invocation_id.unwrap_or_default();
                Reply::ok()
                    .log(id)
                    .messages("out", batch.events().map(|event| json!({ "device": event.device_id() })))
                    .unwrap()
            }),
        )
        .route(
            "/notify",
            post(
                |QueueTrigger(message): QueueTrigger| async move { Reply::ok().log(message.text().unwrap()) },
            ),
        )
        .route(
            "/watch",
            post(
                |TimerTrigger(run): TimerTrigger| async move { Reply::ok().output("late", run.is_past_due) },
            ),
        )
}

fn batch() -> Vec<u8> {
    let events = [EventSpec::telemetry("arm-1", 1, 0, b"x"), EventSpec::telemetry("arm-2", 2, 0, b"y")];
    event_hub_body(&events, &BatchOptions::default())
}

async fn call(router: Router, request: Request<Body>) -> (StatusCode, String, Value) {
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, kind.unwrap_or_default(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn post_to(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).header("x-azure-functions-invocationid", "id-1").body(body.into()).unwrap()
}

#[tokio::test]
async fn a_batch_becomes_messages() {
    let (status, kind, body) = call(router(), post_to("/ingest", batch())).await;
    assert_eq!(status, StatusCode::OK);
    assert!(kind.starts_with("application/json"));
    assert_eq!(
        body,
        json!({ "Outputs": { "out": [{ "device": "arm-1" }, { "device": "arm-2" }] }, "Logs": ["id-1"], "ReturnValue": null })
    );
}

#[tokio::test]
async fn the_other_triggers_arrive() {
    let queue = queue_body("alert", b"hello", 1, "id", false, 0);
    assert_eq!(call(router(), post_to("/notify", queue)).await.2["Logs"], json!(["hello"]));
    let timer = timer_body("timer", true, None, 0);
    assert_eq!(call(router(), post_to("/watch", timer)).await.2["Outputs"], json!({ "late": true }));
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_failure_with_its_cause() {
    let mut body = batch();
    body.truncate(300);
    let (status, kind, body) = call(router(), post_to("/ingest", body)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(kind.starts_with("application/json"));
    let error = body["error"].as_str().unwrap();
    assert!(error.starts_with("cannot decode the invocation: cannot read "), "{error}");
}

#[tokio::test]
async fn a_binding_can_be_named() {
    let named = router().layer(Extension(BindingName("other")));
    let (status, _, body) = call(named, post_to("/ingest", batch())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["error"].as_str().unwrap().contains("Data.other is missing"));
}

#[tokio::test]
async fn bodies_above_the_limit_are_refused() {
    for announced in [true, false] {
        let limited = router().layer(Extension(BodyLimit(1_000)));
        let mut request = post_to("/ingest", batch());
        if announced {
            let length = request.body().size_hint().exact().unwrap();
            request.headers_mut().insert("content-length", length.into());
        }
        let (status, _, body) = call(limited, request).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(body["error"].as_str().unwrap().contains("1000 bytes"));
    }
}

#[tokio::test]
async fn readiness_is_answered_before_any_route() {
    let own = router().route("/", get(|| async { StatusCode::IM_A_TEAPOT }));
    let ask = || Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(call(handler(router()), ask()).await.0, StatusCode::OK);
    assert_eq!(call(handler(own.clone()), ask()).await.0, StatusCode::OK);
    // A proxied invocation of the root is no question for readiness.
    let proxied =
        Request::get("/").header("x-azure-functions-invocationid", "id").body(Body::empty()).unwrap();
    assert_eq!(call(handler(own), proxied).await.0, StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
async fn an_unknown_function_is_not_found() {
    let (status, _, body) = call(handler(router()), post_to("/nowhere", "{}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["error"], "no function at /nowhere");
}

/// Sends raw bytes and reads until the server closes.
async fn raw(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn both_framings_arrive_and_a_running_invocation_may_finish() {
    let listener = bind(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel::<()>();
    let (entered, mut was_entered) = tokio::sync::mpsc::channel::<()>(1);
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(Some(released)));
    let slow = post(move || {
        let (entered, released) = (entered.clone(), released.clone());
        async move {
            entered.send(()).await.unwrap();
            let waiting = released.lock().await.take().unwrap();
            waiting.await.unwrap();
            Reply::ok().log("finished")
        }
    });
    let server = tokio::spawn(serve_on(listener, router().route("/slow", slow), async {
        let _ = stopped.await;
    }));

    let body = batch();
    let head = "POST /ingest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n";
    let mut with_length = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    with_length.extend_from_slice(&body);
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(700) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    for request in [with_length, chunked] {
        let answer = raw(port, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains(r#"{"device":"arm-2"}"#), "{answer}");
    }
    assert!(
        raw(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.contains("200 OK")
    );

    let running = tokio::spawn(async move {
        raw(port, b"POST /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .await
    });
    timeout(DEADLINE, was_entered.recv()).await.unwrap().unwrap();
    stop.send(()).unwrap();
    release.send(()).unwrap();
    assert!(timeout(DEADLINE, running).await.unwrap().unwrap().contains("finished"));
    timeout(DEADLINE, server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let listener = bind(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = bind(port).await.unwrap_err();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[test]
fn a_port_is_a_number_above_zero() {
    assert_eq!(HandlerPort::parse("7072").unwrap(), HandlerPort(7072));
    for wrong in ["", "0", "65536", "http", "-1"] {
        assert!(matches!(HandlerPort::parse(wrong), Err(ServeError::PortInvalid { .. })), "{wrong}");
    }
}
