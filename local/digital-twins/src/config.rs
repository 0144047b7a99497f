//! What the service is started with.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::history::HistorySink;
use crate::jobs::JobSettings;
use crate::routing::EndpointConfig;

use crate::query::QueryLimits;

/// What the service is started with.
#[derive(Debug)]
pub struct TwinsConfig {
    /// Folder of the database, the lock, the token and the dead letters; created when missing.
    pub folder: PathBuf,
    /// Address to listen on when no listener is given.
    pub bind: SocketAddr,
    /// A listener that is bound already; it goes before `bind`.
    pub listener: Option<TcpListener>,
    /// Certificate and protocol of TLS. Clients of Azure Digital Twins refuse plain HTTP.
    pub tls: Arc<rustls::ServerConfig>,
    /// Bearer tokens accepted besides the generated one.
    pub extra_tokens: Vec<String>,
    /// Request limits.
    pub limits: Limits,
    /// Name of the instance: the `source` of events and the `ServiceId` of history rows.
    pub host_name: String,
    /// Where event routes may lead. On Azure the control plane keeps this list.
    pub endpoints: Vec<EndpointConfig>,
    /// Certificates, in DER, that endpoints and blobs may be signed with besides the system's own.
    pub trusted_certificates: Vec<Vec<u8>>,
    /// Where import jobs may read and write.
    pub jobs: JobSettings,
    /// Takes the rows of the data history tables, when given.
    pub history: Option<Arc<dyn HistorySink>>,
    /// How long a write stays unseen by queries (never by reads of one twin). On Azure it is up to 10 seconds.
    pub query_lag: Duration,
    /// Limits of queries.
    pub query_limits: QueryLimits,
}

impl TwinsConfig {
    /// The defaults: `127.0.0.1:8444`, the limits of the service, no endpoints, no lag.
    pub fn new(folder: impl Into<PathBuf>, tls: Arc<rustls::ServerConfig>) -> Self {
        Self {
            folder: folder.into(),
            bind: SocketAddr::from(([127, 0, 0, 1], 8444)),
            listener: None,
            tls,
            extra_tokens: Vec::new(),
            limits: Limits::default(),
            host_name: "localhost".to_owned(),
            endpoints: Vec::new(),
            trusted_certificates: Vec::new(),
            jobs: JobSettings::default(),
            history: None,
            query_lag: Duration::ZERO,
            query_limits: QueryLimits::default(),
        }
    }
}

/// Requests per second; 0 lifts a limit. The defaults are those of "Azure Digital Twins service limits".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Creations, updates and deletions of one twin or its relationships.
    pub writes_per_twin: u32,
    /// Patches of twins, all together.
    pub patches: u32,
    /// Creations and deletions of twins and relationships, all together.
    pub creates: u32,
    /// Reads, all together.
    pub reads: u32,
    /// Queries, all together.
    pub queries: u32,
    /// Requests to the models API.
    pub models: u32,
    /// Requests to the event routes API.
    pub routes: u32,
    /// Requests to the jobs API.
    pub jobs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            writes_per_twin: 10,
            patches: 1000,
            creates: 500,
            reads: 1000,
            queries: 500,
            models: 100,
            routes: 100,
            jobs: 1,
        }
    }
}

impl Limits {
    /// No limits at all, for tests and bulk loads.
    pub fn lifted() -> Self {
        Self {
            writes_per_twin: 0,
            patches: 0,
            creates: 0,
            reads: 0,
            queries: 0,
            models: 0,
            routes: 0,
            jobs: 0,
        }
    }
}

/// A failure that the service plays on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Every request is answered 503.
    Unavailable,
    /// Requests get no answer until the outage ends; then they are answered 503.
    Hang,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum TwinsError {
    /// The folder cannot be used.
    #[error("cannot use the folder '{folder}' for digital twins, check that it is writable: {source}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process has the folder.
    #[error("the folder '{0}' is in use by another local Digital Twins: stop it or choose another folder")]
    InUse(PathBuf),
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for digital twins, free the port or choose another: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The folder holds the text journal of a build before the first release.
    #[error(
        "'{0}' is a journal that this version does not read: move it away to start empty, and upload the models and twins again"
    )]
    OldJournal(PathBuf),
    /// The database cannot be opened.
    #[error(
        "cannot open the database '{file}' ({reason}): restore the file from a copy, or move it away to start empty"
    )]
    Database {
        /// The file.
        file: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The database was written by a newer version.
    #[error("the database '{file}' has format {found} and this version reads {known}: use the newer version")]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: u64,
        /// What this version knows.
        known: u64,
    },
    /// The database holds something other than what this service writes.
    #[error("the {kind} '{key}' in '{file}' cannot be read ({reason}): restore the file from a copy")]
    Record {
        /// The file.
        file: PathBuf,
        /// Kind of the record.
        kind: &'static str,
        /// Its key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An endpoint of event routes is not usable as configured.
    #[error("the endpoint '{name}' cannot be used: {reason}")]
    Endpoint {
        /// Name of the endpoint.
        name: String,
        /// What is wrong, and the fix.
        reason: String,
    },
    /// The HTTP client for endpoints and blobs could not be built.
    #[error("cannot build the http client for endpoints and blobs, check the trusted certificates: {0}")]
    Client(String),
}
