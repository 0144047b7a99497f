//! Direct methods and twins, from service to device and back.

use std::time::Duration;

use reqwest::Method;
use rumqttc::{Packet, Publish, QoS};
use serde_json::{Value, json};

use super::support::{Device, TestHub};

fn on_topic(prefix: &'static str) -> impl FnMut(&Packet) -> Option<Publish> {
    move |packet| match packet {
        Packet::Publish(publish) if publish.topic.starts_with(prefix) => Some(publish.clone()),
        _ => None,
    }
}

async fn subscribe(device: &mut Device, filter: &str) {
    device.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
    device.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
}

async fn call(hub: &TestHub, body: &Value) -> (u16, Value) {
    let response = hub
        .request(Method::POST, "/twins/d1/methods?api-version=2021-04-12", "service")
        .json(body)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_method_goes_to_the_device_and_its_answer_comes_back() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    subscribe(&mut device, "$iothub/methods/POST/#").await;
    let request = json!({"methodName": "emergencyStop", "payload": {"reason": "bearing"}, "responseTimeoutInSeconds": 30});
    let answer = async {
        let call = device.until(on_topic("$iothub/methods/POST/emergencyStop/")).await;
        assert_eq!(call.qos, QoS::AtMostOnce);
        assert_eq!(&call.payload[..], br#"{"reason":"bearing"}"#);
        let rid = call.topic.split_once("$rid=").unwrap().1;
        let topic = format!("$iothub/methods/res/200/?$rid={rid}");
        device.client.publish(topic, QoS::AtLeastOnce, false, r#"{"stopped":true}"#).await.unwrap();
        device.until_acknowledged(1).await;
    };
    let (reply, ()) = tokio::join!(call(&hub, &request), answer);
    assert_eq!(reply, (200, json!({"status": 200, "payload": {"stopped": true}})));

    // No payload travels as null, because the Node SDK refuses an empty one.
    let invoked = async {
        let registry =
            hub.hub.invoke_method("d1", "ping", &Value::Null, Duration::from_secs(5), Duration::ZERO);
        registry.await
    };
    let answer = async {
        let call = device.until(on_topic("$iothub/methods/POST/ping/")).await;
        assert_eq!(&call.payload[..], b"null");
        let rid = call.topic.split_once("$rid=").unwrap().1;
        let topic = format!("$iothub/methods/res/404/?$rid={rid}");
        device.client.publish(topic, QoS::AtMostOnce, false, "").await.unwrap();
        device.client.subscribe("$iothub/twin/res/#", QoS::AtMostOnce).await.unwrap();
        device.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
    };
    let (reply, ()) = tokio::join!(invoked, answer);
    let reply = reply.unwrap();
    assert_eq!((reply.status, reply.payload), (404, Value::Null));
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_device_that_is_away_is_404103_and_one_that_comes_in_time_is_called() {
    let hub = TestHub::start().await;
    let (status, body) = call(&hub, &json!({"methodName": "stop"})).await;
    assert_eq!((status, body["Message"].as_str().unwrap()), (404, "ErrorCode:DeviceNotFound;d1"));

    // Connected without a subscription is still not there for methods.
    let mut device = hub.connect("d1").await;
    let (status, body) = call(&hub, &json!({"methodName": "stop"})).await;
    let inner: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
    assert_eq!((status, &inner["errorCode"]), (404, &json!(404_103)));
    assert_eq!(inner["message"], "Timed out waiting for device to connect.");
    assert_eq!(inner["info"]["timeout"], "00:00:00");

    let come = async {
        subscribe(&mut device, "$iothub/methods/POST/#").await;
        let call = device.until(on_topic("$iothub/methods/POST/stop/")).await;
        let topic = call.topic.replace("methods/POST/stop", "methods/res/202");
        device.client.publish(topic, QoS::AtLeastOnce, false, "{}").await.unwrap();
        device.until_acknowledged(1).await;
    };
    let request = json!({"methodName": "stop", "connectTimeoutInSeconds": 20});
    let (reply, ()) = tokio::join!(call(&hub, &request), come);
    assert_eq!(reply, (200, json!({"status": 202, "payload": {}})));
    hub.hub.stop().await;
}

#[tokio::test]
async fn no_answer_is_504101_and_a_lost_device_is_not_waited_for() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    subscribe(&mut device, "$iothub/methods/POST/#").await;
    let request = json!({"methodName": "stop", "responseTimeoutInSeconds": 5});
    let silent = device.until(on_topic("$iothub/methods/POST/stop/"));
    let ((status, body), _) = tokio::join!(call(&hub, &request), silent);
    let inner: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
    assert_eq!((status, &inner["errorCode"]), (504, &json!(504_101)));

    let request = json!({"methodName": "stop", "responseTimeoutInSeconds": 300});
    let leave = async {
        device.until(on_topic("$iothub/methods/POST/stop/")).await;
        drop(device);
    };
    let ((status, body), ()) = tokio::join!(call(&hub, &request), leave);
    let inner: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
    assert_eq!((status, inner["message"].as_str()), (404, Some("Device unavailable")));
    hub.hub.stop().await;
}

#[tokio::test]
async fn requests_out_of_range_are_400004() {
    let hub = TestHub::start().await;
    hub.hub.registry().create("d1").unwrap();
    for request in [
        json!({"methodName": "stop", "responseTimeoutInSeconds": 4}),
        json!({"methodName": "stop", "connectTimeoutInSeconds": 301}),
        json!({"payload": 1}),
    ] {
        let (status, body) = call(&hub, &request).await;
        let inner: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
        assert_eq!((status, &inner["errorCode"]), (400, &json!(400_004)), "{request}");
    }
    hub.hub.stop().await;
}

#[tokio::test]
async fn twins_are_read_reported_and_desired() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    subscribe(&mut device, "$iothub/twin/res/#").await;
    subscribe(&mut device, "$iothub/twin/PATCH/properties/desired/#").await;
    let report = "$iothub/twin/PATCH/properties/reported/?$rid=r1";
    device.client.publish(report, QoS::AtMostOnce, false, r#"{"firmware":"1.2"}"#).await.unwrap();
    let answer = device.until(on_topic("$iothub/twin/res/")).await;
    assert_eq!(answer.topic, "$iothub/twin/res/204/?$rid=r1&$version=2");
    device.client.publish(report, QoS::AtMostOnce, false, "[1]").await.unwrap();
    assert!(
        device.until(on_topic("$iothub/twin/res/")).await.topic.starts_with("$iothub/twin/res/400/?$rid=r1")
    );

    let patch = json!({"properties": {"desired": {"interval": 5}}, "tags": {"hall": 3}});
    let told = device.until(on_topic("$iothub/twin/PATCH/properties/desired/"));
    let (response, told) =
        tokio::join!(hub.request(Method::PATCH, "/twins/d1", "service").json(&patch).send(), told);
    assert_eq!(told.topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    assert_eq!(
        serde_json::from_slice::<Value>(&told.payload).unwrap(),
        json!({"interval": 5, "$version": 2})
    );
    let twin: Value = response.unwrap().json().await.unwrap();
    assert_eq!(twin["tags"]["hall"], 3);
    assert_eq!(twin["properties"]["reported"]["firmware"], "1.2");
    assert_eq!(twin["connectionState"], "Connected");

    device.client.publish("$iothub/twin/GET/?$rid=r2", QoS::AtMostOnce, false, " ").await.unwrap();
    let answer = device.until(on_topic("$iothub/twin/res/200/?$rid=r2")).await;
    let document: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(document["desired"], json!({"interval": 5, "$version": 2}));
    assert_eq!(document["reported"], json!({"firmware": "1.2", "$version": 2}));
    hub.hub.stop().await;
}
