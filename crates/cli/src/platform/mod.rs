//! The local platform: hub, twins, Functions host with the real handler as a child, on loopback.

mod azurite;
mod bridge;
mod endpoints;
mod provision;
mod twin_history;

use std::fs::{self, File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use twinwright_history::store::Store;
use twinwright_local_digital_twins::{LocalTwins, TwinsConfig};
use twinwright_local_functions_host::{
    AzureQueues, Bind, FolderQueues, FunctionsHost, HostConfig, MessageEncoding, QueueService,
};
use twinwright_local_iot_hub::{HubConfig, LocalHub, certs, ports};

use crate::args::UpOptions;
use crate::connection::{Connection, FILE, private_file};

pub use endpoints::EndpointOption;
pub use provision::provision;
pub use twin_history::{ROOT as TWIN_HISTORY, TABLES as TWIN_TABLES, erase as erase_twin};

/// How long the handler has to finish when the platform stops.
const GRACE: Duration = Duration::from_secs(5);

/// A running platform. [`Platform::stop`] ends it in order.
pub struct Platform {
    /// How to reach it.
    pub connection: Connection,
    /// The hub.
    pub hub: LocalHub,
    /// The twins.
    pub twins: LocalTwins,
    /// The Functions host.
    pub host: FunctionsHost,
    azurite: Option<azurite::Azurite>,
    data: PathBuf,
    _lock: File,
}

impl Platform {
    /// Starts everything; `settings` are further app settings of the functions.
    ///
    /// # Errors
    /// A taken port names its holder, a used folder says so; nothing stays running.
    pub async fn start(options: &UpOptions, settings: Vec<(String, String)>) -> anyhow::Result<Self> {
        let app = app_folder(options.app.as_deref())?;
        let data = make_private(&options.data.data)?;
        let lock = lock(&data)?;
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ports = &options.ports;
        // All ports are taken before anything starts, so that a taken one leaves nothing half started.
        let http = ports::bind(loopback(ports.http_port), "--http-port")?;
        let twins_listener = ports::bind(loopback(ports.twins_port), "--twins-port")?;
        let certificates = certs::ensure(&data.join("certs"), &[])?;
        let mut hub = HubConfig::new(data.join("hub"));
        hub.certificates = Some(data.join("certs"));
        hub.mqtt = loopback(ports.mqtt_port);
        hub.https = loopback(ports.hub_port);
        let hub = LocalHub::start(hub).await?;
        let azurite = if options.azurite { Some(azurite::Azurite::start(&data).await?) } else { None };
        let secrets = make_private(&data.join("secrets"))?;
        let service = secrets.join("hub-connection-string");
        private_file(&service, hub.service_connection_string().as_bytes())?;
        let storage_url = match &azurite {
            Some(azurite) => format!("azurite:{}", azurite.connection_file.display()),
            None => format!("folder:{}", make_private(&data.join("storage"))?.display()),
        };
        let storage = Store::from_url(&storage_url)?;
        storage.prepare().await?;
        let mut twins = TwinsConfig::new(data.join("twins"), certificates.http_config());
        twins.listener = Some(twins_listener);
        twins.endpoints = endpoints::of(&options.twins_endpoint, &data);
        twins.jobs.folder = Some(make_private(&data.join("jobs"))?);
        twins.history = Some(Arc::new(twin_history::TwinHistory::new(&storage)));
        let twins = LocalTwins::start(twins).await?;
        let queues: Arc<dyn QueueService> = match &azurite {
            Some(azurite) => Arc::new(AzureQueues::new(&azurite.connection_string, MessageEncoding::Base64)?),
            None => Arc::new(FolderQueues::new(data.join("queues"))),
        };
        let port = http.local_addr()?.port();
        let connection = Connection {
            hub_host_name: "localhost".to_owned(),
            mqtt_port: hub.mqtt_address().port(),
            hub_url: format!("https://localhost:{}", hub.https_address().port()),
            service_connection_string: hub.service_connection_string(),
            device_connection_strings: device_strings(&hub),
            twins_url: format!("https://localhost:{}", twins.address().port()),
            twins_token: twins.token().to_owned(),
            ca_file: certificates.ca_path.clone(),
            dashboard_url: format!("http://localhost:{port}/"),
            storage_url: storage_url.clone(),
            pid: std::process::id(),
        };
        let mut host = HostConfig::new(app, data.join("host"));
        host.bind = Bind::Listener(http);
        host.event_source = Some(Arc::new(bridge::BuiltInEndpoint(hub.events())));
        host.queues = Some(queues);
        host.graceful_stop = Some(GRACE);
        let text = |path: &Path| path.display().to_string();
        let own = [
            ("IOT_HUB_EVENTS", "local".to_owned()),
            ("IOT_HUB_EVENTS_NAME", "messages/events".to_owned()),
            ("IOT_HUB_CONSUMER_GROUP", "$Default".to_owned()),
            ("TWINWRIGHT_HUB", "local".to_owned()),
            ("TWINWRIGHT_STORAGE__URL", storage_url),
            ("TWINWRIGHT_TWINS__URL", connection.twins_url.clone()),
            ("TWINWRIGHT_TWINS__TOKEN_FILE", text(twins.token_file())),
            ("TWINWRIGHT_TWINS__CA_FILE", text(&connection.ca_file)),
            ("TWINWRIGHT_IOT_HUB__HOST", connection.hub_url.clone()),
            ("TWINWRIGHT_IOT_HUB__CONNECTION_FILE", text(&service)),
            ("TWINWRIGHT_IOT_HUB__CA_FILE", text(&connection.ca_file)),
            ("TWINWRIGHT_SCORING__TRUST_FILE", text(&crate::commands::plugin::keys::ensure(&data)?)),
            ("TWINWRIGHT_SCORING__CACHE_DIR", text(&make_private(&data.join("cache"))?)),
        ];
        host.environment = own.map(|(name, value)| (name.to_owned(), value)).into();
        host.environment.extend(settings);
        provision::twins(&connection, &data).await?;
        let host = FunctionsHost::start(host).await?;
        connection.save(&data)?;
        Ok(Self { connection, hub, twins, host, azurite, data, _lock: lock })
    }

    /// Stops everything, in order: no new calls, the handler, the services. The data stay as they are.
    pub async fn stop(self) {
        self.host.stop().await;
        self.hub.stop().await;
        self.twins.stop().await;
        if let Some(azurite) = self.azurite {
            azurite.stop().await;
        }
        let _ = fs::remove_file(self.data.join(FILE));
    }

    /// The data folder, absolute.
    pub fn data(&self) -> &Path {
        &self.data
    }
}

fn device_strings(hub: &LocalHub) -> std::collections::BTreeMap<String, String> {
    let ids = hub.registry().list().into_iter().map(|device| device.device_id);
    ids.filter_map(|id| hub.device_connection_string(&id).map(|text| (id, text))).collect()
}

/// The staged app: as told, else beside the programme or below the current folder.
fn app_folder(told: Option<&Path>) -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| {
        exe.ancestors()
            .skip(1)
            .take(3)
            .map(|folder| folder.join("functionapp"))
            .find(|app| app.join("host.json").exists())
    });
    let here = PathBuf::from("target/functionapp");
    let candidates = told.map(Path::to_owned).into_iter().chain(beside).chain([here]);
    for candidate in candidates {
        if candidate.join("host.json").exists() {
            return Ok(fs::canonicalize(candidate)?);
        }
    }
    bail!("no staged function app found; run `cargo xtask package` or name one with --app DIR");
}

/// Makes a folder that only this user can enter, and answers its absolute path.
fn make_private(path: &Path) -> anyhow::Result<PathBuf> {
    let say = || format!("cannot make the folder {}", path.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(say)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).with_context(say)?;
    Ok(fs::canonicalize(path)?)
}

/// One platform a folder: the lock is the system's, so it ends with the process, however that ends.
fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let who =
                Connection::load(data).map_or_else(|_| String::new(), |c| format!(" (process {})", c.pid));
            bail!(
                "another platform{who} uses {}; stop it, or choose another folder with --data",
                data.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
