//! What the service is started with.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use crate::query::QueryLimits;

/// What the service is started with.
#[derive(Debug)]
pub struct TwinsConfig {
    /// Folder of the journal, the lock and the token; created when missing.
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
    /// Limits of queries.
    pub query_limits: QueryLimits,
}

impl TwinsConfig {
    /// The defaults: `127.0.0.1:8444` and the limits of the service.
    pub fn new(folder: impl Into<PathBuf>, tls: Arc<rustls::ServerConfig>) -> Self {
        Self {
            folder: folder.into(),
            bind: SocketAddr::from(([127, 0, 0, 1], 8444)),
            listener: None,
            tls,
            extra_tokens: Vec::new(),
            limits: Limits::default(),
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
}

impl Default for Limits {
    fn default() -> Self {
        Self { writes_per_twin: 10, patches: 1000, creates: 500, reads: 1000, queries: 500, models: 100 }
    }
}

impl Limits {
    /// No limits at all, for tests and bulk loads.
    pub fn lifted() -> Self {
        Self { writes_per_twin: 0, patches: 0, creates: 0, reads: 0, queries: 0, models: 0 }
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
    /// The journal holds something other than what this service writes.
    #[error(
        "line {line} of '{file}' cannot be read ({reason}): restore the file from a copy, or move it away to start empty"
    )]
    Journal {
        /// The journal.
        file: PathBuf,
        /// Line number from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}
