use std::{
    io::Write as _,
    time::{Duration, SystemTime},
};

use chrono::DateTime;
use serde_json::json;
use twinwright_azure::{
    notify::{Card, Event, EventGrid, Teams, Webhook, verify_signature},
    secret::Secret,
};

use crate::server::{Server, options, reply, token};

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_webhook_is_signed_and_verified() {
    let server = Server::start(vec![reply(500, ""), reply(202, "x".repeat(100_000))]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{KEY}").unwrap();
    let webhook =
        Webhook::from_key_file(&format!("{}/hook?sig=hush", server.url), file.path(), &options()).unwrap();
    webhook.send("alert-1", &json!({ "score": 1.5 })).await.unwrap();

    let asked = server.asked();
    assert_eq!(asked.len(), 2, "a failure that may pass is tried again");
    let message = &asked[1];
    assert_eq!(message.line(), "POST /hook?sig=hush");
    assert_eq!(message.header("x-twinwright-id"), "alert-1");
    assert_eq!(message.header("content-type"), "application/json");
    let verify = |key: &str, body: &[u8]| {
        let tolerance = Duration::from_secs(300);
        verify_signature(&Secret::new(key), &message.headers, body, SystemTime::now(), tolerance)
    };
    assert_eq!(verify(KEY, &message.body), Ok(()));
    assert!(verify(KEY, b"{}").is_err());
    assert!(verify("another key of a good length", &message.body).is_err());
    let shown = format!("{webhook:?}");
    assert!(!shown.contains("hush") && !shown.contains(KEY) && shown.contains("127.0.0.1:"), "{shown}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_no_address_shows() {
    let target = Server::start(vec![]).await;
    let server = Server::start(vec![reply(307, "").header("location", format!("{}/x", target.url))]).await;
    let webhook =
        Webhook::new(&format!("{}/hook?sig=hush", server.url), Secret::new(KEY), &options()).unwrap();
    let error = webhook.send("alert-1", &json!({})).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("redirects are not followed") && !shown.contains("hush"), "{shown}");
    assert!(target.asked().is_empty());
    assert_eq!(server.asked().len(), 1);
    assert!(
        webhook.send("a.b", &json!({})).await.is_err(),
        "a dot in the id would make signatures ambiguous"
    );
}

#[test]
fn a_webhook_needs_https_and_a_real_key() {
    let refuse =
        |url: &str, key: &str| Webhook::new(url, Secret::new(key), &options()).unwrap_err().to_string();
    assert!(refuse("http://plant.example/hook?sig=hush", KEY).contains("https://"));
    assert!(!refuse("http://plant.example/hook?sig=hush", KEY).contains("hush"));
    assert!(refuse("https://plant.example/hook", "short").contains("openssl rand -hex 32"));
    assert!(Webhook::new("https://plant.example/hook", Secret::new(KEY), &options()).is_ok());
}

#[tokio::test]
async fn an_unreachable_webhook_does_not_show_its_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?sig=hush", listener.local_addr().unwrap());
    drop(listener);
    let error =
        Webhook::new(&url, Secret::new(KEY), &options()).unwrap().send("a", &json!({})).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
}

#[tokio::test]
async fn teams_gets_an_adaptive_card() {
    let server = Server::start(vec![reply(202, "")]).await;
    let teams = Teams::new(&format!("{}/workflows/1?sig=hush", server.url), &options()).unwrap();
    let card = Card {
        title: "pump-1 [overheats](https://evil.example)".into(),
        text: "temperature is high".into(),
        facts: vec![("score".into(), "1.5".into())],
        link: Some(("Open".into(), "https://plant.example/alerts/1".into())),
    };
    teams.send(&card).await.unwrap();
    let body = server.asked().remove(0).json();
    assert_eq!(body["type"], "message");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(attachment["content"]["type"], "AdaptiveCard");
    let blocks = &attachment["content"]["body"];
    assert_eq!(blocks[0]["text"], "pump-1 \\[overheats\\](https://evil.example)");
    assert_eq!(blocks[2]["facts"], json!([{ "title": "score", "value": "1.5" }]));
    assert_eq!(attachment["content"]["actions"][0]["url"], "https://plant.example/alerts/1");
    assert!(!format!("{teams:?}").contains("hush"));
    let long = Card { facts: vec![("n".into(), "v".repeat(2000)); 30], ..card };
    assert!(teams.send(&long).await.unwrap_err().to_string().contains("28 KiB"));
}

#[tokio::test]
async fn event_grid_gets_events_with_a_token() {
    let server = Server::start(vec![reply(200, "")]).await;
    let (_file, tokens) = token("grid-token");
    let topic = EventGrid::new(&server.url, tokens, &options()).unwrap();
    let event = Event {
        id: "alert-1".into(),
        kind: "Twinwright.AlertRaised".into(),
        subject: "devices/pump-1".into(),
        time: DateTime::from_timestamp(1_700_000_000, 250_000_000).unwrap(),
        data: json!({ "score": 1.5 }),
    };
    topic.send(std::slice::from_ref(&event)).await.unwrap();
    topic.send(&[]).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line(), "POST /api/events?api-version=2018-01-01");
    assert_eq!(asked[0].header("authorization"), "Bearer grid-token");
    assert_eq!(
        asked[0].json(),
        json!([{ "id": "alert-1", "eventType": "Twinwright.AlertRaised", "subject": "devices/pump-1",
            "eventTime": "2023-11-14T22:13:20.250000Z", "data": { "score": 1.5 }, "dataVersion": "1.0" }])
    );
}
