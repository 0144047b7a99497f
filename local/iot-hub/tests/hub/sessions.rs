//! Who may connect, and for how long.

use std::time::{Duration, SystemTime};

use rumqttc::{ConnectReturnCode, Packet, QoS, SubscribeReasonCode};
use twinwright_local_iot_hub::registry::{DeviceSpec, Status};
use twinwright_local_iot_hub::sas;

use super::support::{Device, TestHub, refusal, within};

#[tokio::test]
async fn a_wrong_token_is_refused_with_code_5() {
    let hub = TestHub::start().await;
    hub.hub.registry().create("d1").unwrap();
    hub.hub.registry().create("d2").unwrap();
    let user = "localhost/d1/?api-version=2021-04-12";
    let other = hub.token("d2", Duration::from_secs(60));
    let expired =
        sas::sign("localhost/devices/d1", &hub.key("d1"), SystemTime::now() - Duration::from_secs(5), None);
    let service = &hub.hub.registry().policy("service").unwrap().primary_key;
    let service =
        sas::sign("localhost", service, SystemTime::now() + Duration::from_secs(60), Some("service"));
    for password in [other, expired.unwrap(), service.unwrap(), "nonsense".to_owned()] {
        let mut options = hub.options("d1");
        options.set_credentials(user, password);
        assert_eq!(refusal(options).await, ConnectReturnCode::NotAuthorized);
    }
    let mut elsewhere = hub.options("d1");
    elsewhere.set_credentials(
        "elsewhere.net/d1/?api-version=2021-04-12",
        hub.token("d1", Duration::from_secs(60)),
    );
    assert_eq!(refusal(elsewhere).await, ConnectReturnCode::NotAuthorized);

    let mut module = hub.options("d1");
    module = {
        let mut options = rumqttc::MqttOptions::new("d1/m1", "localhost", hub.hub.mqtt_address().port());
        options.set_transport(module.transport());
        options.set_credentials(
            "localhost/d1/m1/?api-version=2021-04-12",
            hub.token("d1", Duration::from_secs(60)),
        );
        options
    };
    assert_eq!(refusal(module).await, ConnectReturnCode::BadClientId);
    hub.hub.stop().await;
}

#[tokio::test]
async fn secondary_keys_and_policies_with_device_connect_work_too() {
    let hub =
        TestHub::start_with(|config| config.accepted_hosts = vec!["plant.azure-devices.net".to_owned()])
            .await;
    let device = hub.hub.registry().create("d1").unwrap();
    let expiry = SystemTime::now() + Duration::from_secs(60);
    let secondary = &device.authentication.symmetric_key.secondary_key;
    let policy = &hub.hub.registry().policy("device").unwrap().primary_key;
    for (host, token) in [
        ("127.0.0.1", sas::sign("127.0.0.1:8883/devices/d1", secondary, expiry, None)),
        ("plant.azure-devices.net", sas::sign("plant.azure-devices.net", policy, expiry, Some("device"))),
    ] {
        let mut options = hub.options("d1");
        options.set_credentials(format!("{host}/d1/?api-version=2016-11-14"), token.unwrap());
        Device::connect(options).await.unwrap();
    }
    hub.hub.stop().await;
}

#[tokio::test]
async fn the_newer_connection_wins() {
    let hub = TestHub::start().await;
    let mut older = hub.connect("d1").await;
    let mut newer = hub.connect("d1").await;
    older.until_closed().await;
    newer.client.publish("devices/d1/messages/events/", QoS::AtLeastOnce, false, "x").await.unwrap();
    newer.until_acknowledged(1).await;
    assert_eq!(hub.hub.connected_devices(), 1);
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_connection_ends_with_its_token_and_with_its_device() {
    let hub = TestHub::start().await;
    hub.hub.registry().create("d1").unwrap();
    let mut options = hub.options("d1");
    options.set_credentials("localhost/d1/?api-version=2021-04-12", hub.token("d1", Duration::from_secs(2)));
    Device::connect(options).await.unwrap().until_closed().await;

    let mut device = hub.connect("d1").await;
    let body = r#"{"deviceId":"d1","status":"disabled"}"#;
    let put = hub
        .request(reqwest::Method::PUT, "/devices/d1", "registryReadWrite")
        .header("If-Match", "*")
        .body(body);
    assert_eq!(put.send().await.unwrap().status(), 200);
    device.until_closed().await;
    assert_eq!(refusal(hub.options("d1")).await, ConnectReturnCode::NotAuthorized);
    let enabled = DeviceSpec { status: Some(Status::Enabled), ..DeviceSpec::default() };
    hub.hub.registry().put("d1", enabled, Some("*")).unwrap();
    hub.connect("d1").await;
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_silent_device_is_dropped_after_one_and_a_half_intervals() {
    let hub = TestHub::start().await;
    hub.hub.registry().create("d1").unwrap();
    let mut options = hub.options("d1");
    options.set_keep_alive(Duration::from_secs(1));
    let device = Device::connect(options).await.unwrap();
    assert_eq!(hub.hub.connected_devices(), 1);
    // Not polled, the client sends no PINGREQ.
    within(async {
        while hub.hub.connected_devices() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    drop(device);
    hub.hub.stop().await;
}

#[tokio::test]
async fn known_filters_are_granted_and_others_refused() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    for (filter, asked, granted) in [
        ("$iothub/methods/POST/#", QoS::AtMostOnce, SubscribeReasonCode::Success(QoS::AtMostOnce)),
        ("$iothub/twin/res/#", QoS::ExactlyOnce, SubscribeReasonCode::Success(QoS::AtLeastOnce)),
        (
            "devices/d1/messages/devicebound/#",
            QoS::AtLeastOnce,
            SubscribeReasonCode::Success(QoS::AtLeastOnce),
        ),
        ("devices/d2/messages/devicebound/#", QoS::AtLeastOnce, SubscribeReasonCode::Failure),
        ("#", QoS::AtLeastOnce, SubscribeReasonCode::Failure),
    ] {
        device.client.subscribe(filter, asked).await.unwrap();
        let answer = device
            .until(
                |packet| if let Packet::SubAck(ack) = packet { Some(ack.return_codes.clone()) } else { None },
            )
            .await;
        assert_eq!(answer, [granted], "{filter}");
    }
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_persistent_session_outlives_connection_and_hub() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    assert!(!device.session_present);
    device.client.subscribe("$iothub/methods/POST/#", QoS::AtLeastOnce).await.unwrap();
    device.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
    drop(device);
    let hub = hub.restart(|_| {}).await;
    assert!(hub.connect("d1").await.session_present);
    let mut options = hub.options("d1");
    options.set_clean_session(true);
    assert!(!Device::connect(options).await.unwrap().session_present);
    assert!(!hub.connect("d1").await.session_present);
    hub.hub.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused() {
    let hub = TestHub::start_with(|config| config.max_connections = 1).await;
    let first = hub.connect("d1").await;
    hub.hub.registry().create("d2").unwrap();
    assert!(Device::connect(hub.options("d2")).await.is_err());
    drop(first);
    within(async {
        while Device::connect(hub.options("d2")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    hub.hub.stop().await;
}
