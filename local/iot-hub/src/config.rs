//! What a hub can be told before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Settings of a [`crate::LocalHub`]; start from [`HubConfig::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Folder that holds everything the hub keeps: registry, keys, events. Created if missing.
    pub folder: PathBuf,
    /// Folder of the certificates; `None` means `certs` below [`Self::folder`]. Share it with other local services.
    pub certificates: Option<PathBuf>,
    /// Host name put into connection strings, and the first of the accepted ones.
    pub host_name: String,
    /// More host names that tokens and user names may carry, for example `plant.azure-devices.net` when devices
    /// come through `GatewayHostName`. `localhost`, `127.0.0.1` and `::1` are always accepted.
    pub accepted_hosts: Vec<String>,
    /// Where devices connect. The Python SDK can only reach port 8883.
    pub mqtt: SocketAddr,
    /// Where the service SDKs connect.
    pub https: SocketAddr,
    /// Number of partitions, fixed when the folder is first used; 1 to 32.
    pub partitions: u32,
    /// Most MQTT connections at a time, counting those still in their handshake.
    pub max_connections: usize,
    /// Newest events kept in memory, in bytes over all partitions; older ones are read from their files.
    pub memory_bytes: usize,
    /// Events kept on disk, in bytes over all partitions; the oldest files go first.
    pub retention_bytes: u64,
    /// Size at which an event file is closed and the next begun, in bytes.
    pub segment_bytes: u64,
    /// Wait for the disk (`fdatasync`) before a device gets its PUBACK. Off, an event survives the end of the
    /// process but not a power cut.
    pub fsync: bool,
}

impl HubConfig {
    /// Defaults: loopback, 8883 and 8443, four partitions, 256 MB in memory, 1 GB on disk.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            certificates: None,
            host_name: "localhost".to_owned(),
            accepted_hosts: Vec::new(),
            mqtt: SocketAddr::from((Ipv4Addr::LOCALHOST, 8883)),
            https: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            partitions: 4,
            max_connections: 20_000,
            memory_bytes: 256 << 20,
            retention_bytes: 1 << 30,
            segment_bytes: 32 << 20,
            fsync: false,
        }
    }

    /// Folder of the certificates.
    pub fn certificates_folder(&self) -> PathBuf {
        self.certificates.clone().unwrap_or_else(|| self.folder.join("certs"))
    }
}
