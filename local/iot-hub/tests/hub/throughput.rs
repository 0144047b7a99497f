//! A measurement, not a check: `cargo test -p twinwright-local-iot-hub --test hub -- --ignored --nocapture`.

use std::time::Instant;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Login, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::TestHub;

const DEVICES: usize = 8;
const EACH: usize = 25_000;
/// Messages a device sends before it waits for acknowledgements.
const WINDOW: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn qos_1_publishes_per_second() {
    let hub = TestHub::start().await;
    let mut tasks = Vec::new();
    let started = Instant::now();
    for number in 0..DEVICES {
        let id = format!("device-{number:03}");
        hub.hub.registry().create(&id).unwrap();
        let token = hub.token(&id, std::time::Duration::from_secs(600));
        let tls = rumqttc::tokio_rustls::TlsConnector::from(hub.tls());
        let address = hub.hub.mqtt_address();
        tasks.push(tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = tls.connect("localhost".try_into().unwrap(), stream).await.unwrap();
            let mut out = bytes::BytesMut::new();
            let mut connect = Connect::new(&id);
            connect.login = Some(Login::new(format!("localhost/{id}/?api-version=2021-04-12"), token));
            connect.write(&mut out).unwrap();
            stream.write_all_buf(&mut out).await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, [0x20, 2, 0, 0]);
            let body =
                r#"{"temperature":45.12,"vibration":2.51,"pressure":120.3,"operationalStatus":"running"}"#;
            let topic = format!("devices/{id}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8");
            let mut answers = vec![0; WINDOW * 4];
            for round in 0..EACH / WINDOW {
                for index in 0..WINDOW {
                    let mut publish = Publish::new(&topic, QoS::AtLeastOnce, body);
                    publish.pkid = u16::try_from(round * WINDOW + index).unwrap_or(0) | 1;
                    publish.write(&mut out).unwrap();
                }
                stream.write_all_buf(&mut out).await.unwrap();
                stream.read_exact(&mut answers).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    let total = DEVICES * EACH;
    println!(
        "{total} messages in {seconds:.2} s: {:.0} a second over {DEVICES} connections",
        total as f64 / seconds
    );
    hub.hub.stop().await;
}
