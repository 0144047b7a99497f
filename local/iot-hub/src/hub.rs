//! The hub as a whole: start, what callers may ask, stop.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::HubConfig;
use crate::connections::{Connections, MethodError, MethodReply};
use crate::error::HubError;
use crate::events::EventLog;
use crate::registry::Registry;
use crate::{certs, files, mqtt, ports, rest};

/// Direct methods hold their request for up to ten minutes, so this is generous.
const MAX_REQUESTS: usize = 1024;
const MAX_MONITORS: usize = 32;
/// How long stopping waits for connections to end.
const DRAIN: Duration = Duration::from_secs(5);

/// What connections and requests share.
pub(crate) struct Context {
    pub(crate) registry: Registry,
    pub(crate) events: EventLog,
    pub(crate) connections: Connections,
    /// Host names that tokens may be made for.
    pub(crate) hosts: Vec<String>,
    pub(crate) max_connections: usize,
    /// Requests answered at a time; one more is told to come again.
    pub(crate) requests: Arc<Semaphore>,
    /// Readers of the event stream at a time.
    pub(crate) monitors: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
}

/// A running IoT Hub. Dropping it without [`Self::stop`] ends it too, but does not wait for its files.
pub struct LocalHub {
    context: Arc<Context>,
    host_name: String,
    mqtt: SocketAddr,
    https: SocketAddr,
    ca_path: PathBuf,
    sessions: TaskTracker,
    listener: JoinHandle<()>,
    server: JoinHandle<()>,
    server_handle: axum_server::Handle<SocketAddr>,
    /// Held while the hub lives, so that no second one uses the folder.
    _lock: File,
}

impl LocalHub {
    /// Starts a hub on its folder; returns when both ports are open.
    pub async fn start(config: HubConfig) -> Result<Self, HubError> {
        files::create_folder(&config.folder).map_err(HubError::file("create", &config.folder))?;
        let lock = lock_folder(&config.folder)?;
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let mut names = Vec::new();
        for host in std::iter::once(&config.host_name).chain(&config.accepted_hosts) {
            let name = host
                .rsplit_once(':')
                .filter(|(name, _)| !name.contains(':'))
                .map_or(host.as_str(), |(name, _)| name);
            if !hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                hosts.push(name.to_owned());
                names.push(name.to_owned());
            }
        }
        let certificates = certs::ensure(&config.certificates_folder(), &names)?;
        let mqtt_listener = ports::bind(config.mqtt, "the MQTT port setting (--mqtt-port)")?;
        let https_listener = ports::bind(config.https, "the HTTPS port setting (--hub-https-port)")?;
        let address =
            |listener: &std::net::TcpListener, asked: SocketAddr| listener.local_addr().unwrap_or(asked);
        let (mqtt, https) = (address(&mqtt_listener, config.mqtt), address(&https_listener, config.https));

        let context = {
            let opening = config.clone();
            // Reading gigabytes of events and thousands of devices is no work for the runtime's own threads.
            let opened = tokio::task::spawn_blocking(move || {
                let registry = Registry::open(&opening.folder)?;
                let events = EventLog::open(&opening.folder.join("events"), &opening)?;
                Ok::<_, HubError>((registry, events))
            });
            let (registry, events) = opened.await.map_err(|error| HubError::Setting(error.to_string()))??;
            Arc::new(Context {
                registry,
                events,
                connections: Connections::default(),
                hosts,
                max_connections: config.max_connections,
                requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
                monitors: Arc::new(Semaphore::new(MAX_MONITORS)),
                stop: CancellationToken::new(),
            })
        };

        let sessions = TaskTracker::new();
        let listener = tokio::net::TcpListener::from_std(mqtt_listener).map_err(|source| {
            ports::PortError::Bind { address: mqtt, source, option: "the MQTT port setting".to_owned() }
        })?;
        let acceptor = TlsAcceptor::from(Arc::clone(&certificates.server_config));
        let listener = tokio::spawn(mqtt::listen(listener, acceptor, Arc::clone(&context), sessions.clone()));

        let server_handle = axum_server::Handle::new();
        let server = axum_server::from_tcp_rustls(
            https_listener,
            RustlsConfig::from_config(certificates.http_config()),
        )
        .map_err(|source| ports::PortError::Bind {
            address: https,
            source,
            option: "the HTTPS port setting".to_owned(),
        })?
        .handle(server_handle.clone());
        let service = rest::router(Arc::clone(&context)).into_make_service();
        let server = tokio::spawn(async move {
            if let Err(error) = server.serve(service).await {
                tracing::error!(%error, "the hub's HTTPS side ended");
            }
        });
        tracing::info!(%mqtt, %https, "local IoT Hub started");
        let ca_path = certificates.ca_path;
        let host_name = config.host_name;
        Ok(Self {
            context,
            host_name,
            mqtt,
            https,
            ca_path,
            sessions,
            listener,
            server,
            server_handle,
            _lock: lock,
        })
    }

    /// The devices.
    pub fn registry(&self) -> &Registry {
        &self.context.registry
    }

    /// What they sent.
    pub fn events(&self) -> EventLog {
        self.context.events.clone()
    }

    /// Where devices connect.
    pub fn mqtt_address(&self) -> SocketAddr {
        self.mqtt
    }

    /// Where services connect.
    pub fn https_address(&self) -> SocketAddr {
        self.https
    }

    /// The certificate clients must trust.
    pub fn ca_path(&self) -> &Path {
        &self.ca_path
    }

    /// How many devices are connected.
    pub fn connected_devices(&self) -> usize {
        self.context.connections.count()
    }

    /// `HostName=…;DeviceId=…;SharedAccessKey=…`; `None` if there is no such device.
    pub fn device_connection_string(&self, device_id: &str) -> Option<String> {
        let device = self.context.registry.get(device_id)?;
        let host = with_port(&self.host_name, self.mqtt.port(), 8883);
        let key = device.authentication.symmetric_key.primary_key;
        Some(format!("HostName={host};DeviceId={device_id};SharedAccessKey={key}"))
    }

    /// `HostName=…;SharedAccessKeyName=iothubowner;SharedAccessKey=…`, with all rights.
    pub fn service_connection_string(&self) -> String {
        let host = with_port(&self.host_name, self.https.port(), 443);
        let key =
            self.context.registry.policy("iothubowner").map_or("", |policy| policy.primary_key.as_str());
        format!("HostName={host};SharedAccessKeyName=iothubowner;SharedAccessKey={key}")
    }

    /// Calls a direct method on a connected device; waits for it to connect for up to `connect_timeout`.
    pub async fn invoke_method(
        &self,
        device_id: &str,
        method: &str,
        payload: &Value,
        response_timeout: Duration,
        connect_timeout: Duration,
    ) -> Result<MethodReply, MethodError> {
        self.context.connections.invoke(device_id, method, payload, response_timeout, connect_timeout).await
    }

    /// Ends all connections, finishes requests, and stores what is on its way.
    pub async fn stop(mut self) {
        self.context.stop.cancel();
        self.server_handle.graceful_shutdown(Some(DRAIN));
        let _ = (&mut self.listener).await;
        self.sessions.close();
        if tokio::time::timeout(DRAIN, self.sessions.wait()).await.is_err() {
            tracing::warn!("some device connections did not end in time");
        }
        let _ = (&mut self.server).await;
        self.context.events.close().await;
        tracing::info!("local IoT Hub stopped");
    }
}

impl Drop for LocalHub {
    fn drop(&mut self) {
        self.context.stop.cancel();
        self.server_handle.shutdown();
    }
}

impl std::fmt::Debug for LocalHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalHub")
            .field("mqtt", &self.mqtt)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

/// SDKs assume the default port, and read another one from the host name where they can.
fn with_port(host: &str, port: u16, default: u16) -> String {
    if port == default || host.contains(':') { host.to_owned() } else { format!("{host}:{port}") }
}

/// Two hubs on one folder would give out the same sequence numbers.
fn lock_folder(folder: &Path) -> Result<File, HubError> {
    let path = folder.join("hub.lock");
    let file = files::private_options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(HubError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(HubError::FolderInUse { path: folder.to_path_buf() }),
        Err(std::fs::TryLockError::Error(source)) => Err(HubError::File { what: "lock", path, source }),
    }
}
