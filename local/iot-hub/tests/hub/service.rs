//! The registry over HTTPS, and the stream of events.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use twinwright_local_iot_hub::NewEvent;

use super::support::{TestHub, within};

#[tokio::test]
async fn devices_are_created_read_updated_and_removed() {
    let hub = TestHub::start().await;
    let put = || hub.request(Method::PUT, "/devices/pump%2301?api-version=2021-04-12", "iothubowner");
    let created = put().json(&json!({"deviceId": "pump#01"})).send().await.unwrap();
    assert_eq!(created.status(), 200);
    let created: Value = created.json().await.unwrap();
    assert_eq!(created["deviceId"], "pump#01");
    assert_eq!(created["authentication"]["type"], "sas");
    assert_eq!(created["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap().len(), 88);
    assert_eq!(created["connectionState"], "Disconnected");

    let again = put().json(&json!({"deviceId": "pump#01"})).send().await.unwrap();
    assert_eq!(
        (again.status().as_u16(), &again.headers()["iothub-errorcode"]),
        (409, &"DeviceAlreadyExists".parse().unwrap())
    );
    let stale =
        put().header("If-Match", "\"AAAA\"").json(&json!({"status": "disabled"})).send().await.unwrap();
    assert_eq!(stale.status(), 412);
    let etag = format!("\"{}\"", created["etag"].as_str().unwrap());
    let updated = put().header("If-Match", etag).json(&json!({"status": "disabled"})).send().await.unwrap();
    assert_eq!(updated.json::<Value>().await.unwrap()["status"], "disabled");

    let counts = hub.request(Method::GET, "/statistics/devices", "registryRead").send().await.unwrap();
    let counts: Value = counts.json().await.unwrap();
    assert_eq!(counts, json!({"totalDeviceCount": 1, "enabledDeviceCount": 0, "disabledDeviceCount": 1}));

    let delete =
        || hub.request(Method::DELETE, "/devices/pump%2301", "registryReadWrite").header("If-Match", "\"*\"");
    assert_eq!(delete().send().await.unwrap().status(), 204);
    let gone = delete().send().await.unwrap();
    assert_eq!(gone.status(), 404);
    let gone: Value = gone.json().await.unwrap();
    assert_eq!(gone["Message"], "ErrorCode:DeviceNotFound;pump#01");
    assert!(gone["ExceptionMessage"].as_str().unwrap().starts_with("Tracking ID:"));
    hub.hub.stop().await;
}

#[tokio::test]
async fn tokens_and_rights_are_checked() {
    let hub = TestHub::start().await;
    hub.hub.registry().create("d1").unwrap();
    for (method, path, policy, status) in [
        (Method::GET, "/devices/d1", "registryRead", 200),
        (Method::GET, "/devices/d1", "service", 401),
        (Method::DELETE, "/devices/d1", "registryRead", 401),
        (Method::GET, "/twins/d1", "service", 200),
        (Method::GET, "/twins/d1", "registryReadWrite", 401),
        (Method::GET, "/twins/d1", "device", 401),
        (Method::GET, "/nothing", "iothubowner", 404),
    ] {
        let response = hub.request(method.clone(), path, policy).send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path} {policy}");
    }
    let forged = hub.request(Method::GET, "/devices/d1", "service").header("Authorization", "Bearer x");
    assert_eq!(forged.send().await.unwrap().status(), 401);
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_query_lists_twins_page_by_page() {
    let hub = TestHub::start().await;
    for number in 0..5 {
        hub.hub.registry().create(&format!("d{number}")).unwrap();
    }
    let mut found = Vec::new();
    let mut continuation = String::new();
    loop {
        let request = hub
            .request(Method::POST, "/devices/query", "service")
            .header("x-ms-max-item-count", "2")
            .header("x-ms-continuation", &continuation)
            .json(&json!({"query": "SELECT * FROM devices"}));
        let response = request.send().await.unwrap();
        let next =
            response.headers().get("x-ms-continuation").map(|token| token.to_str().unwrap().to_owned());
        let page: Vec<Value> = response.json().await.unwrap();
        found.extend(page.iter().map(|twin| twin["deviceId"].as_str().unwrap().to_owned()));
        match next {
            Some(token) => continuation = token,
            None => break,
        }
    }
    assert_eq!(found, ["d0", "d1", "d2", "d3", "d4"]);
    let list = hub.request(Method::GET, "/devices?top=3", "registryRead").send().await.unwrap();
    assert_eq!(list.json::<Vec<Value>>().await.unwrap().len(), 3);
    let wrong = hub.request(Method::POST, "/devices/query", "service").json(&json!({"query": "SELECT 1"}));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
    hub.hub.stop().await;
}

#[tokio::test]
async fn the_monitor_streams_events_as_they_come_and_ends_with_the_hub() {
    let hub = TestHub::start().await;
    let append = async |device: &str, body: &'static str| {
        let event = NewEvent { device_id: device.to_owned(), body: body.into(), ..NewEvent::default() };
        hub.hub.events().append(event).await.unwrap();
    };
    append("d1", "earlier").await;
    let mut stream =
        hub.request(Method::GET, "/twinwright/events?from=latest", "service").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    append("d1", r#"{"temperature":1}"#).await;
    let line = within(stream.chunk()).await.unwrap().unwrap();
    let event: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((&event["deviceId"], &event["body"]), (&json!("d1"), &json!({"temperature": 1})));
    assert_eq!(event["sequenceNumber"], 1);

    let path = "/twinwright/events?from=earliest&device=d1";
    let mut earlier = hub.request(Method::GET, path, "service").send().await.unwrap();
    assert!(within(earlier.chunk()).await.unwrap().unwrap().starts_with(b"{"));
    tokio::time::timeout(Duration::from_secs(8), hub.hub.stop())
        .await
        .expect("streams must not hold the hub");
}
