use std::time::{Duration, Instant};

use serde_json::json;
use twinwright_azure::{Error, http::HttpOptions, retry::RetryPolicy, twins::TwinsClient};

use crate::{
    server::{Reply, Server, options, reply, token},
    twins::twin,
};

async fn get(replies: Vec<Reply>, options: HttpOptions) -> (Result<bool, Error>, usize) {
    let server = Server::start(replies).await;
    let (_file, tokens) = token("t");
    let client = TwinsClient::new(&server.url, tokens, &options).unwrap();
    (client.get_twin("a").await.map(|found| found.is_some()), server.asked().len())
}

#[tokio::test]
async fn failures_that_pass_are_tried_again() {
    let replies = vec![reply(500, ""), reply(503, ""), reply(200, twin("a"))];
    let (found, asked) = get(replies, options()).await;
    assert!(found.unwrap());
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let start = Instant::now();
    let replies = vec![reply(429, "").header("retry-after", 1), reply(200, twin("a"))];
    let (found, _) = get(replies, options()).await;
    assert!(found.unwrap());
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_ends_it_at_once() {
    let throttled = json!({ "error": { "statusCode": 429, "message": "slow down" } });
    let replies = vec![reply(429, throttled).header("retry-after", 600)];
    let start = Instant::now();
    let (found, asked) = get(replies, options()).await;
    let error = found.unwrap_err();
    assert_eq!(error.service().unwrap().retry_after, Some(Duration::from_secs(600)));
    assert!(error.is_temporary());
    let text = error.to_string();
    assert!(
        text.starts_with("get twin a: the service answered 429 (slow down) after 1 attempt in "),
        "{text}"
    );
    assert_eq!(asked, 1);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn attempts_are_counted_in_the_error() {
    let (found, asked) = get(vec![reply(500, ""), reply(500, ""), reply(502, "")], options()).await;
    let text = found.unwrap_err().to_string();
    assert!(text.contains("502") && text.contains("after 3 attempts in "), "{text}");
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let refusal = json!({ "error": { "code": "ValidationFailed", "message": "no" } });
    let (found, asked) = get(vec![reply(400, refusal)], options()).await;
    let error = found.unwrap_err();
    assert_eq!(
        (error.service().unwrap().code.as_str(), error.is_temporary(), asked),
        ("ValidationFailed", false, 1)
    );
}

#[tokio::test]
async fn a_slow_answer_is_cut_off_and_tried_again() {
    let slow = reply(200, twin("a")).delay(Duration::from_secs(120));
    let options = HttpOptions { timeout: Duration::from_millis(300), ..options() };
    let (found, asked) = get(vec![slow, reply(200, twin("a"))], options).await;
    assert!(found.unwrap());
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn the_deadline_bounds_it_all() {
    let slow = || reply(200, "").delay(Duration::from_secs(120));
    let retry = RetryPolicy { deadline: Duration::from_millis(400), ..options().retry };
    let start = Instant::now();
    let (found, _) = get(vec![slow(), slow()], HttpOptions { retry, ..options() }).await;
    assert!(matches!(found, Err(Error::Transport { may_have_acted: true, .. })), "{found:?}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_closed_port_is_a_clear_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (_file, tokens) = token("t");
    let error = TwinsClient::new(&url, tokens, &options()).unwrap().get_twin("a").await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Transport { may_have_acted: false, .. }), "{error:?}");
    assert!(text.contains("after 3 attempts") && text.to_lowercase().contains("refused"), "{text}");
}
