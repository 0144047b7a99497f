//! From PUBLISH to event.

use rumqttc::{LastWill, Packet, QoS};

use super::support::TestHub;

#[tokio::test]
async fn telemetry_becomes_an_event_with_the_services_properties() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("robotic-arm-001").await;
    let topic = "devices/robotic-arm-001/messages/events/%24.mid=m1&%24.ct=application%2Fjson&%24.ce=utf-8&level=hi%26gh&%24.cdid=other";
    device.client.publish(topic, QoS::AtLeastOnce, false, r#"{"temperature":45.1}"#).await.unwrap();
    device.until_acknowledged(1).await;

    // Acknowledged means stored: no waiting here.
    let events = hub.events(0).await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event.partition, hub.hub.events().partition_of("robotic-arm-001"));
    assert_eq!((event.sequence, event.offset, event.device_id.as_str()), (0, 0, "robotic-arm-001"));
    assert_eq!(&event.body[..], br#"{"temperature":45.1}"#);
    let system = &event.system_properties;
    assert_eq!(system["iothub-connection-device-id"], "robotic-arm-001");
    let method = r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#;
    assert_eq!(system["iothub-connection-auth-method"], method);
    assert_eq!(system["iothub-connection-auth-generation-id"].len(), 18);
    assert_eq!(system["iothub-message-source"], "Telemetry");
    assert_eq!(system["iothub-enqueuedtime"], event.enqueued_time());
    assert_eq!(system["message-id"], "m1");
    assert_eq!(system["content-type"], "application/json");
    assert_eq!(system["content-encoding"], "utf-8");
    assert_eq!(event.properties.iter().collect::<Vec<_>>(), [(&"level".to_owned(), &"hi&gh".to_owned())]);
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_device_keeps_its_order_and_numbers_have_no_holes() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    for number in 0..300 {
        let qos = if number % 3 == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        device.client.publish("devices/d1/messages/events/", qos, false, number.to_string()).await.unwrap();
        if number % 3 != 0 {
            device.until_acknowledged(1).await;
        }
    }
    let events = hub.events(300).await;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.sequence, number as i64);
        assert_eq!(event.body, number.to_string());
    }
    hub.hub.stop().await;
}

#[tokio::test]
async fn large_messages_pass_up_to_the_limit() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    device
        .client
        .publish("devices/d1/messages/events/", QoS::AtLeastOnce, false, vec![b'x'; 256 << 10])
        .await
        .unwrap();
    device.until_acknowledged(1).await;
    let topic = "devices/d1/messages/events/a=b";
    device.client.publish(topic, QoS::AtLeastOnce, false, vec![b'x'; 256 << 10]).await.unwrap();
    device.until_closed().await;
    assert_eq!(hub.events(1).await.len(), 1);
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_device_may_not_speak_for_another_nor_with_qos_2() {
    let hub = TestHub::start().await;
    for (topic, qos) in [
        ("devices/d10/messages/events/", QoS::AtLeastOnce),
        ("devices/d1/messages/events/", QoS::ExactlyOnce),
    ] {
        let mut device = hub.connect("d1").await;
        device.client.publish(topic, qos, false, "x").await.unwrap();
        device.until_closed().await;
    }
    assert!(hub.events(0).await.is_empty());
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_will_is_left_when_the_connection_breaks_and_not_when_the_device_says_goodbye() {
    let hub = TestHub::start().await;
    hub.hub.registry().create("d1").unwrap();
    let mut options = hub.options("d1");
    options.set_last_will(LastWill::new("devices/d1/messages/events/", "gone", QoS::AtLeastOnce, false));
    let mut device = super::support::Device::connect(options.clone()).await.unwrap();
    device.client.disconnect().await.unwrap();
    device.until_closed().await;

    let device = super::support::Device::connect(options).await.unwrap();
    drop(device);
    let events = hub.events(1).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].body, "gone");
    assert_eq!(events[0].properties["iothub-MessageType"], "Will");
    hub.hub.stop().await;
}

#[tokio::test]
async fn an_injected_fault_cuts_the_connection_and_its_message_is_not_acknowledged() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    device.client.publish("devices/d1/messages/events/", QoS::AtLeastOnce, false, "kept").await.unwrap();
    device.until_acknowledged(1).await;
    let topic =
        "devices/d1/messages/events/AzIoTHub_FaultOperationType=KillTcp&AzIoTHub_FaultOperationDelayInSecs=0";
    device.client.publish(topic, QoS::AtLeastOnce, false, "fault").await.unwrap();
    device.until_closed().await;
    assert_eq!(hub.events(1).await.len(), 1);

    let mut again = hub.connect("d1").await;
    again.client.subscribe("devices/d1/messages/devicebound/#", QoS::AtLeastOnce).await.unwrap();
    again.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
    hub.hub.stop().await;
}
