//! HTTP triggers: proxied, and by the Data/Metadata protocol.

use axum::{body::Body, http::Response};
use futures::{StreamExt as _, stream};
use std::time::Duration;

use crate::support::{App, Call, TestHandler, reply, start, status};

const PROXY: &str = r#""customHandler":{"description":{"defaultExecutablePath":"h"},"enableProxyingHttpRequest":true},"extensions":{"http":{"routePrefix":""}}"#;

fn function(route: &str) -> String {
    format!(
        r#"{{"bindings":[{{"type":"httpTrigger","direction":"in","name":"req","route":"{route}","authLevel":"anonymous","methods":["get","post"]}},
            {{"type":"http","direction":"out","name":"res"}}]}}"#
    )
}

fn client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxied_request_is_passed_on_untouched_and_its_answer_too() {
    let mut handler = TestHandler::start(|_: &Call| {
        Response::builder()
            .status(307)
            .header("location", "/else")
            .header("x-a", "1")
            .header("x-a", "2")
            .body(Body::from("moved"))
            .unwrap()
    })
    .await;
    let app = App::new(PROXY).function("api", &function("{*path}")).function("exact", &function("exact"));
    let host = start(app.config(handler.handler())).await;
    let url = format!("http://{}/a/b%20c?x=1&x=2", host.address());
    let answer = client().post(&url).header("x-own", "v").body("hello").send().await.unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers().get_all("x-a").iter().count(), 2);
    assert_eq!(answer.text().await.unwrap(), "moved");
    let call = handler.next().await;
    assert_eq!((call.path.as_str(), call.body.as_slice()), ("/a/b%20c?x=1&x=2", b"hello".as_slice()));
    assert_eq!(call.headers["host"], host.address().to_string().as_str());
    assert_eq!(call.headers["x-own"], "v");
    assert_eq!(call.headers["x-ms-invocation-id"], call.headers["x-azure-functions-invocationid"]);
    // A method that no binding allows is no route.
    assert_eq!(client().put(&url).send().await.unwrap().status(), 404);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxied_answer_streams() {
    let handler = TestHandler::start(|_: &Call| {
        // The second part comes only when the first has left; a host that buffers would never answer.
        let chunks = stream::unfold(0_u32, |number| async move {
            if number == 2 {
                std::future::pending::<()>().await;
            }
            Some((Ok::<_, std::convert::Infallible>(format!("part {number};")), number + 1))
        });
        Response::new(Body::from_stream(chunks))
    })
    .await;
    let app = App::new(PROXY).function("api", &function("{*path}"));
    let host = start(app.config(handler.handler())).await;
    let answer = client().get(format!("http://{}/stream", host.address())).send().await.unwrap();
    let mut body = answer.bytes_stream();
    let mut text = String::new();
    while text.len() < 14 {
        let chunk =
            tokio::time::timeout(Duration::from_secs(10), body.next()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert_eq!(text, "part 0;part 1;");
    drop(body);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_proxying_a_request_becomes_data_and_the_output_an_answer() {
    let mut handler = TestHandler::start(|call: &Call| {
        if call.json()["Data"]["req"]["Params"]["id"] == "bad" {
            return reply(r#"{"Outputs":{"res":"text"}}"#);
        }
        reply(r#"{"Outputs":{"res":{"statusCode":201,"headers":{"X-Kind":"twin"},"body":{"ok":true}}}}"#)
    })
    .await;
    let app = App::new("").function("twins", &function("twins/{id}"));
    let host = start(app.config(handler.handler())).await;
    let base = format!("http://{}/api/twins", host.address());
    let answer = client().post(format!("{base}/arm?full=1")).body("note").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["x-kind"].to_str().unwrap()), (201, "twin"));
    assert_eq!(answer.text().await.unwrap(), r#"{"ok":true}"#);
    let call = handler.next().await;
    assert_eq!(call.path, "/twins");
    let request = &call.json()["Data"]["req"];
    assert_eq!((request["Method"].as_str(), request["Body"].as_str()), (Some("POST"), Some("note")));
    assert_eq!(call.json()["Metadata"]["full"], "\"1\"");
    assert_eq!(client().get(format!("{base}/bad")).send().await.unwrap().status(), 500);
    assert_eq!(
        client().get(format!("http://{}/twins/arm", host.address())).send().await.unwrap().status(),
        404
    );
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_function_is_a_500_and_the_admin_paths_answer() {
    let handler = TestHandler::start(|_: &Call| status(503)).await;
    let app = App::new("").function("twins", &function("twins"));
    let host = start(app.config(handler.handler())).await;
    let base = format!("http://{}", host.address());
    assert_eq!(client().get(format!("{base}/api/twins")).send().await.unwrap().status(), 500);
    let state = client().get(format!("{base}/admin/host/status")).send().await.unwrap().text().await.unwrap();
    assert!(state.contains("Running"), "{state}");
    let list = client().get(format!("{base}/admin/functions")).send().await.unwrap().text().await.unwrap();
    assert!(list.contains("httpTrigger"), "{list}");
    host.stop().await;
    assert!(client().get(base).send().await.is_err());
}
