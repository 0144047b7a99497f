//! Bytes that no device would send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{Connect, Login};
use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::tokio_rustls::client::TlsStream;
use rumqttc::tokio_rustls::rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{TestHub, within};

async fn open(hub: &TestHub) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(hub.hub.mqtt_address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(hub.tls()).connect(name, stream).await.unwrap()
}

#[test]
fn arbitrary_bytes_neither_panic_nor_harm_others() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(info);
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let hub = runtime.block_on(TestHub::start());
    runtime.block_on(async { hub.connect("victim").await });
    hub.hub.registry().create("d1").unwrap();
    let mut connect = Connect::new("d1");
    let token = hub.token("d1", Duration::from_secs(600));
    connect.login = Some(Login::new("localhost/d1/?api-version=2021-04-12", token));
    let mut hello = bytes::BytesMut::new();
    connect.write(&mut hello).unwrap();
    let hello = Arc::new(hello.freeze());

    let mut runner = TestRunner::new(Config::with_cases(48));
    let inputs = (any::<bool>(), proptest::collection::vec(any::<u8>(), 1..600));
    runner
        .run(&inputs, |(greet, bytes)| {
            runtime.block_on(async {
                let mut stream = open(&hub).await;
                if greet {
                    stream.write_all(&hello).await.unwrap();
                }
                // The hub may have closed the connection by now.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                let mut answer = Vec::new();
                let _ = within(stream.read_to_end(&mut answer)).await;
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        let mut device = hub.connect("victim").await;
        device.client.publish("devices/victim/messages/events/", QoS::AtLeastOnce, false, "x").await.unwrap();
        device.until_acknowledged(1).await;
        hub.hub.stop().await;
    });
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_promise_of_a_huge_packet_closes_the_connection_at_once() {
    let hub = TestHub::start().await;
    let mut stream = open(&hub).await;
    // CONNECT of 256 MB: refused from its header, before a byte of it is kept.
    stream.write_all(&[0x10, 0xff, 0xff, 0xff, 0x7f]).await.unwrap();
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty());
    hub.hub.stop().await;
}

#[tokio::test]
async fn mqtt_5_is_told_that_its_version_is_not_spoken() {
    let hub = TestHub::start().await;
    let mut stream = open(&hub).await;
    let connect = [0x10, 15, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 2, b'd', b'1'];
    stream.write_all(&connect).await.unwrap();
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    assert_eq!(answer, [0x20, 2, 0, 1], "CONNACK with code 1: unacceptable protocol version");
    hub.hub.stop().await;
}
