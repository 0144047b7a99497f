//! `connection.json`: how to reach a running platform. Readable by its user alone, since it holds keys.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use twinwright_azure::connection::ConnectionString;
use twinwright_azure::http::HttpOptions;
use twinwright_azure::hub::HubClient;
use twinwright_azure::identity::TokenSource;
use twinwright_azure::twins::TwinsClient;

/// Name of the file in the data folder.
pub const FILE: &str = "connection.json";

/// How to reach a platform.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Host name in connection strings.
    pub hub_host_name: String,
    /// Port for devices.
    pub mqtt_port: u16,
    /// REST address of the hub.
    pub hub_url: String,
    /// Connection string with all rights.
    pub service_connection_string: String,
    /// Connection strings of the devices there were at the start.
    pub device_connection_strings: BTreeMap<String, String>,
    /// Digital Twins.
    pub twins_url: String,
    /// Bearer token of Digital Twins.
    pub twins_token: String,
    /// CA that signed the certificates.
    pub ca_file: PathBuf,
    /// Dashboard and API.
    pub dashboard_url: String,
    /// `storage.url` of the functions.
    pub storage_url: String,
    /// Process of the platform.
    pub pid: u32,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Connection").field("dashboard_url", &self.dashboard_url).finish_non_exhaustive()
    }
}

impl Connection {
    /// Reads the file of a running platform.
    ///
    /// # Errors
    /// Says how to start one.
    pub fn load(data: &Path) -> anyhow::Result<Self> {
        let path = data.join(FILE);
        let Ok(text) = fs::read_to_string(&path) else {
            bail!("no platform runs on {}; start one with: twinwright up --data {0}", data.display());
        };
        serde_json::from_str(&text)
            .with_context(|| format!("{} cannot be read; start the platform anew", path.display()))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, data: &Path) -> anyhow::Result<()> {
        private_file(&data.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// Client of the hub's service side.
    ///
    /// # Errors
    /// The connection string or the CA cannot be used.
    pub fn hub(&self) -> anyhow::Result<HubClient> {
        let tokens = TokenSource::sas(ConnectionString::parse(&self.service_connection_string)?);
        Ok(HubClient::new(&self.hub_url, tokens, &self.options())?)
    }

    /// Client of Digital Twins.
    ///
    /// # Errors
    /// The token file or the CA cannot be used.
    pub fn twins(&self, data: &Path) -> anyhow::Result<TwinsClient> {
        let tokens = TokenSource::static_file(data.join("twins").join("twins.token"));
        Ok(TwinsClient::new(&self.twins_url, tokens, &self.options())?)
    }

    fn options(&self) -> HttpOptions {
        HttpOptions { extra_ca: Some(self.ca_file.clone()), ..HttpOptions::default() }
    }

    /// Connection string of a device.
    pub fn device(&self, id: &str, key: &str) -> String {
        format!("HostName={};DeviceId={id};SharedAccessKey={key}", self.hub_host_name)
    }
}

/// Writes a file that only this user can read: a new one beside it, then renamed over it.
///
/// # Errors
/// The folder cannot be written.
pub fn private_file(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let _ = fs::remove_file(&temporary);
    let say = || format!("cannot write {}", path.display());
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).with_context(say)?;
    file.write_all(content).and_then(|()| file.sync_all()).with_context(say)?;
    fs::rename(&temporary, path).with_context(say)
}
