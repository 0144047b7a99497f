//! Start and stop.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::background::{self, Background};
use crate::config::{Outage, TwinsConfig, TwinsError};
use crate::events::TwinEvent;
use crate::http::{self, Guard};
use crate::jobs::Runner;
use crate::storage::Storage;
use crate::store::Store;
use crate::token::Tokens;

/// How long open requests may take to end when the service stops.
const DRAIN: Duration = Duration::from_secs(3);

/// A running service. Dropping it stops it without waiting; [`LocalTwins::stop`] drains it.
#[derive(Debug)]
pub struct LocalTwins {
    address: SocketAddr,
    token: String,
    token_file: PathBuf,
    store: Arc<Store>,
    jobs: Arc<Runner>,
    background: Background,
    outage: watch::Sender<Option<Outage>>,
    handle: Handle<SocketAddr>,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl LocalTwins {
    /// Loads the folder and serves. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The folder cannot be used or is in use, its database is damaged or of a newer version, an endpoint is
    /// misconfigured, or the address is taken.
    pub async fn start(config: TwinsConfig) -> Result<Self, TwinsError> {
        let bind = config.bind;
        let listen = |source| TwinsError::Listen { address: bind, source };
        let listener = match config.listener {
            Some(listener) => listener,
            None => TcpListener::bind(bind).map_err(listen)?,
        };
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let client = background::client(&config.trusted_certificates)?;
        let mut plan = background::Plan::new(&config.endpoints, config.history.clone(), &client)?;
        let setup = plan.setup(config.host_name.clone(), config.query_lag);
        let (folder, limits) = (config.folder.clone(), config.limits);
        let opened = tokio::task::spawn_blocking(move || {
            let storage = Storage::open(&folder)?;
            let backlog = storage.backlog().map_err(|error| storage.fault(error))?;
            Store::open(storage, setup.with_backlog(&backlog), limits)
        });
        let store =
            opened.await.map_err(|error| folder_error(&config.folder, std::io::Error::other(error)))??;
        let store = Arc::new(store);
        let interrupted = store.end_interrupted_jobs().await;
        interrupted
            .map_err(|refusal| folder_error(&config.folder, std::io::Error::other(refusal.message)))?;
        let tokens = Tokens::open(&config.folder, config.extra_tokens)
            .map_err(|source| folder_error(&config.folder, source))?;
        let (token, token_file) = (tokens.generated().to_owned(), tokens.file.clone());
        let (outage, receiver) = watch::channel(None);
        let jobs = Runner::new(Arc::clone(&store), config.jobs, client);
        let guard = Arc::new(Guard { tokens, outage: receiver });
        let router = http::router(Arc::clone(&store), Arc::clone(&jobs), guard);
        let router = router.layer(Extension(Arc::new(config.query_limits)));
        let background = plan.start(&store, &config.folder);
        let handle = Handle::new();
        let tls = RustlsConfig::from_config(config.tls);
        let server = axum_server::from_tcp_rustls(listener, tls).map_err(listen)?.handle(handle.clone());
        let task = tokio::spawn(async move { server.serve(router.into_make_service()).await });
        tracing::info!(%address, folder = %config.folder.display(), "local digital twins are ready");
        Ok(Self { address, token, token_file, store, jobs, background, outage, handle, task: Some(task) })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The generated bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The file that holds the token, readable by the user alone.
    pub fn token_file(&self) -> &std::path::Path {
        &self.token_file
    }

    /// Changes from now on. A receiver that lags more than 4,096 events behind loses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<TwinEvent> {
        self.store.subscribe()
    }

    /// Starts or ends a played outage.
    pub fn set_outage(&self, outage: Option<Outage>) {
        self.outage.send_replace(outage);
    }

    /// Takes no more requests and ends the open ones, within 3 seconds. When it returns, the folder is free again.
    /// Events that wait for delivery stay in the folder and go out after the next start.
    pub async fn stop(mut self) {
        // A hanging request must not hold the service up.
        self.outage.send_replace(Some(Outage::Unavailable));
        self.handle.graceful_shutdown(Some(DRAIN));
        if let Some(task) = self.task.take() {
            match task.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "local digital twins ended with an error"),
                Err(error) => tracing::warn!(%error, "local digital twins did not end by themselves"),
            }
        }
        self.jobs.stop();
        self.background.stop().await;
        let store = Arc::clone(&self.store);
        if let Err(error) = tokio::task::spawn_blocking(move || store.close()).await {
            tracing::warn!(%error, "the database of digital twins was not closed");
        }
    }
}

impl Drop for LocalTwins {
    fn drop(&mut self) {
        self.handle.shutdown();
        self.jobs.stop();
        self.background.abort();
    }
}

fn folder_error(folder: &std::path::Path, source: std::io::Error) -> TwinsError {
    TwinsError::Folder { folder: folder.to_owned(), source }
}
