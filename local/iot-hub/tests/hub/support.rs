//! A hub in a temporary folder, devices and a service client for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rumqttc::tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, TlsConfiguration,
    Transport,
};
use twinwright_local_iot_hub::{HubConfig, HubEvent, LocalHub, sas};

/// Nothing here takes longer, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running hub; `config` restarts it on the same folder.
pub(crate) struct TestHub {
    pub(crate) hub: LocalHub,
    pub(crate) config: HubConfig,
    _folder: tempfile::TempDir,
}

impl TestHub {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut HubConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = HubConfig::new(folder.path().join("hub"));
        config.mqtt = SocketAddr::from(([127, 0, 0, 1], 0));
        config.https = SocketAddr::from(([127, 0, 0, 1], 0));
        change(&mut config);
        let hub = LocalHub::start(config.clone()).await.unwrap();
        Self { hub, config, _folder: folder }
    }

    /// Stops the hub, lets `meanwhile` look at its folder, and starts it again.
    pub(crate) async fn restart(self, meanwhile: impl FnOnce(&HubConfig)) -> Self {
        self.hub.stop().await;
        meanwhile(&self.config);
        let hub = LocalHub::start(self.config.clone()).await.unwrap();
        Self { hub, config: self.config, _folder: self._folder }
    }

    pub(crate) fn key(&self, device_id: &str) -> String {
        self.hub.registry().get(device_id).unwrap().authentication.symmetric_key.primary_key
    }

    /// A token for a device's own key.
    pub(crate) fn token(&self, device_id: &str, lifetime: Duration) -> String {
        let resource = format!("localhost/devices/{device_id}");
        sas::sign(&resource, &self.key(device_id), SystemTime::now() + lifetime, None).unwrap()
    }

    /// Options as a device SDK would make them.
    pub(crate) fn options(&self, device_id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(device_id, "localhost", self.hub.mqtt_address().port());
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(self.tls())));
        let token = self.token(device_id, Duration::from_secs(600));
        options.set_credentials(format!("localhost/{device_id}/?api-version=2021-04-12"), token);
        options.set_clean_session(false);
        options.set_keep_alive(Duration::from_secs(60));
        options.set_max_packet_size(1 << 20, 1 << 20);
        options
    }

    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let pem = std::fs::read(self.hub.ca_path()).unwrap();
        for certificate in rustls_pemfile::certs(&mut pem.as_slice()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }

    /// Connects a device, creating it if need be.
    pub(crate) async fn connect(&self, device_id: &str) -> Device {
        self.hub.registry().ensure(device_id).unwrap();
        Device::connect(self.options(device_id)).await.unwrap()
    }

    /// Every event of the hub, once there are `count`.
    pub(crate) async fn events(&self, count: usize) -> Vec<Arc<HubEvent>> {
        let log = self.hub.events();
        within(async {
            loop {
                let mut all = Vec::new();
                for partition in 0..log.partition_count() {
                    all.extend(log.read(partition, 0, usize::MAX).await.unwrap());
                }
                if all.len() >= count {
                    return all;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// A request to the service side, signed by a policy.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        path: &str,
        policy: &str,
    ) -> reqwest::RequestBuilder {
        rustls::crypto::ring::default_provider().install_default().ok();
        let pem = std::fs::read(self.hub.ca_path()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
            .build()
            .unwrap();
        let key = &self.hub.registry().policy(policy).unwrap().primary_key;
        let token =
            sas::sign("localhost", key, SystemTime::now() + Duration::from_secs(60), Some(policy)).unwrap();
        let port = self.hub.https_address().port();
        client.request(method, format!("https://localhost:{port}{path}")).header("Authorization", token)
    }
}

/// A connected MQTT client whose events the test takes one by one.
pub(crate) struct Device {
    pub(crate) client: AsyncClient,
    pub(crate) events: EventLoop,
    pub(crate) session_present: bool,
}

impl Device {
    pub(crate) async fn connect(options: MqttOptions) -> Result<Self, ConnectionError> {
        let (client, mut events) = AsyncClient::new(options, 1000);
        match within(events.poll()).await? {
            Event::Incoming(Packet::ConnAck(ack)) => {
                Ok(Self { client, events, session_present: ack.session_present })
            }
            other => panic!("expected CONNACK, got {other:?}"),
        }
    }

    /// Polls until a packet comes that `pick` wants.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(&Packet) -> Option<T>) -> T {
        within(async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await.unwrap()
                    && let Some(found) = pick(&packet)
                {
                    return found;
                }
            }
        })
        .await
    }

    pub(crate) async fn until_acknowledged(&mut self, mut count: usize) {
        self.until(|packet| {
            count -= usize::from(matches!(packet, Packet::PubAck(_)));
            (count == 0).then_some(())
        })
        .await;
    }

    /// Polls until the connection ends.
    pub(crate) async fn until_closed(&mut self) {
        within(async { while self.events.poll().await.is_ok() {} }).await;
    }
}

/// The code of a refused connection.
pub(crate) async fn refusal(options: MqttOptions) -> ConnectReturnCode {
    match Device::connect(options).await {
        Err(ConnectionError::ConnectionRefused(code)) => code,
        Err(other) => panic!("expected a refusal, got {other:?}"),
        Ok(_) => panic!("expected a refusal, got a connection"),
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it should not take so long")
}
