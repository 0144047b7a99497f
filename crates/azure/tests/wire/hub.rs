use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use twinwright_azure::{
    connection::ConnectionString,
    hub::{HubClient, MethodOutcome, NewDevice},
    identity::TokenSource,
    secret::Secret,
};

use crate::server::{Reply, Server, options, reply};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

async fn hub(replies: Vec<Reply>) -> (Server, HubClient) {
    let server = Server::start(replies).await;
    let text = format!("HostName=localhost:8443;SharedAccessKeyName=service;SharedAccessKey={KEY}");
    let tokens = TokenSource::sas(ConnectionString::parse(&text).unwrap());
    let client = HubClient::new(&server.url, tokens, &options()).unwrap();
    (server, client)
}

fn device(id: &str) -> Value {
    json!({ "deviceId": id, "generationId": "g", "etag": "e", "connectionState": "Connected", "status": "enabled",
        "authentication": { "type": "sas", "symmetricKey": { "primaryKey": KEY, "secondaryKey": KEY } } })
}

fn nested(code: u32, message: &str) -> Value {
    let inner = json!({ "errorCode": code, "trackingId": "t", "message": message, "timestampUtc": "2026" });
    json!({ "Message": inner.to_string(), "ExceptionMessage": "" })
}

async fn invoke(answer: Reply) -> (MethodOutcome, Server) {
    let (server, client) = hub(vec![answer]).await;
    let (response, connect) = (Duration::from_secs(30), Duration::from_secs(5));
    (
        client.invoke_method("pump 01", "emergencyStop", &json!({ "why": "heat" }), response, connect).await,
        server,
    )
}

#[tokio::test]
async fn devices_are_created_read_listed_and_deleted() {
    let missing = json!({ "Message": "ErrorCode:DeviceNotFound;pump", "ExceptionMessage": "Tracking ID:x" });
    let exists = json!({ "Message": "ErrorCode:DeviceAlreadyExists;pump", "ExceptionMessage": "" });
    let (server, client) = hub(vec![
        reply(200, device("pump 01")),
        reply(409, exists),
        reply(200, device("pump 01")),
        reply(404, missing.clone()),
        reply(200, json!([device("a"), { "deviceId": "b", "status": "disabled" }])),
        reply(204, ""),
        reply(404, missing),
        reply(404, "<html>no such site</html>"),
    ])
    .await;
    let new =
        NewDevice { id: "pump 01".into(), enabled: true, keys: Some((Secret::new(KEY), Secret::new(KEY))) };
    let made = client.create_device(&new).await.unwrap();
    assert!(made.enabled && made.connected);
    assert_eq!(made.primary_key.as_ref().unwrap().reveal(), KEY);
    let error = client.create_device(&new).await.unwrap_err();
    assert!(error.is_conflict() && error.service().unwrap().code == "DeviceAlreadyExists", "{error}");
    assert!(client.get_device("pump 01").await.unwrap().is_some());
    assert!(client.get_device("pump").await.unwrap().is_none());
    let all = client.list_devices(1000).await.unwrap();
    assert_eq!((all.len(), all[1].enabled, all[1].primary_key.is_none()), (2, false, true));
    assert!(client.delete_device("a").await.unwrap());
    assert!(!client.delete_device("a").await.unwrap());
    assert!(
        client.get_device("a").await.is_err(),
        "a 404 that is not the hub's says nothing about the device"
    );
    let shown = format!("{client:?} {new:?} {all:?} {made:?} {error:?}");
    assert!(!shown.contains(&KEY[..12]), "{shown}");

    let asked = server.asked();
    assert_eq!(asked[0].line(), "PUT /devices/pump%2001?api-version=2021-04-12");
    assert_eq!(
        asked[0].json(),
        json!({ "deviceId": "pump 01", "status": "enabled",
            "authentication": { "type": "sas", "symmetricKey": { "primaryKey": KEY, "secondaryKey": KEY } } })
    );
    assert_eq!(asked[4].line(), "GET /devices?top=1000&api-version=2021-04-12");
    assert_eq!(
        (asked[5].line().as_str(), asked[5].header("if-match")),
        ("DELETE /devices/a?api-version=2021-04-12", "\"*\"")
    );
    let token = asked[0].header("authorization");
    assert!(
        token.starts_with("SharedAccessSignature sr=localhost%3A8443&sig=")
            && token.ends_with("&skn=service"),
        "{token}"
    );
}

#[tokio::test]
async fn a_method_ends_in_one_of_five_ways() {
    let (outcome, server) =
        invoke(reply(200, json!({ "status": 200, "payload": { "stopped": true } }))).await;
    assert_eq!(outcome, MethodOutcome::Answered { status: 200, payload: json!({ "stopped": true }) });
    let asked = &server.asked()[0];
    assert_eq!(asked.line(), "POST /twins/pump%2001/methods?api-version=2021-04-12");
    assert_eq!(
        asked.json(),
        json!({ "methodName": "emergencyStop", "payload": { "why": "heat" },
            "responseTimeoutInSeconds": 30, "connectTimeoutInSeconds": 5 })
    );
    let late = nested(404_103, "Timed out waiting for device to connect.");
    assert_eq!(invoke(reply(404, late)).await.0, MethodOutcome::NotOnline);
    assert_eq!(invoke(reply(404, nested(404_001, "no"))).await.0, MethodOutcome::NotFound);
    let missing = json!({ "Message": "ErrorCode:DeviceNotFound;pump", "ExceptionMessage": "" });
    assert_eq!(invoke(reply(404, missing)).await.0, MethodOutcome::NotFound);
    let (outcome, server) = invoke(reply(504, nested(504_101, "no answer"))).await;
    assert_eq!((outcome, server.asked().len()), (MethodOutcome::TimedOut, 1));
    // A failure of the hub is not tried again: the method may have run.
    let (outcome, server) = invoke(reply(500, "")).await;
    assert!(matches!(outcome, MethodOutcome::Failed { status: 500, .. }), "{outcome:?}");
    assert_eq!(server.asked().len(), 1);
    let (outcome, _) = invoke(reply(400, nested(400_004, "responseTimeoutInSeconds"))).await;
    assert!(
        matches!(&outcome, MethodOutcome::Failed { status: 400, code, .. } if code == "400004"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_throttled_method_is_tried_again() {
    let answered = reply(200, json!({ "status": 0, "payload": null }));
    let (server, client) = hub(vec![reply(429, "").header("retry-after", 0), answered]).await;
    let seconds = Duration::from_secs;
    let outcome = client.invoke_method("a", "m", &Value::Null, seconds(5), seconds(0)).await;
    assert_eq!(outcome, MethodOutcome::Answered { status: 0, payload: Value::Null });
    assert_eq!(server.asked().len(), 2);
    let outcome = client.invoke_method("a", "m", &Value::Null, seconds(4), seconds(0)).await;
    assert!(
        matches!(&outcome, MethodOutcome::Failed { status: 0, message, .. } if message.contains("5 to 300 s")),
        "{outcome:?}"
    );
    assert!(server.asked().is_empty());
}

/// A hub that hangs up after reading may have called the device: that must not happen twice.
#[tokio::test]
async fn a_lost_method_is_not_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
        }
    });
    let text = format!("HostName=localhost:8443;SharedAccessKeyName=service;SharedAccessKey={KEY}");
    let tokens = TokenSource::sas(ConnectionString::parse(&text).unwrap());
    let client = HubClient::new(&url, tokens, &options()).unwrap();
    let outcome = client.invoke_method("a", "m", &Value::Null, Duration::from_secs(5), Duration::ZERO).await;
    assert_eq!(outcome, MethodOutcome::TimedOut);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
