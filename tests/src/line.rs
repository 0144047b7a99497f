//! A platform for a test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use twinwright_cli::args::{DataOption, PortOptions, UpOptions};
use twinwright_cli::platform::{Platform, provision};
use twinwright_core::time::SECOND;
use twinwright_history::store::Store;
use twinwright_simulator::Scenario;

/// How long a test waits for something that should happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running platform with its folder.
pub struct Line {
    /// The platform.
    pub platform: Platform,
    /// Storage of the functions.
    pub store: Store,
    folder: PathBuf,
}

/// Options of a platform in a folder, on free ports.
///
/// # Errors
/// No port is free.
pub fn options(folder: &Path, app: &Path) -> anyhow::Result<UpOptions> {
    // All are held until all are known, so that none is given twice.
    let held: Vec<TcpListener> = (0..4)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<_, _>>()
        .context("no free port")?;
    let port = |at: usize| held[at].local_addr().map(|address| address.port());
    Ok(UpOptions {
        data: DataOption { data: folder.to_owned() },
        ports: PortOptions {
            mqtt_port: port(0)?,
            hub_port: port(1)?,
            twins_port: port(2)?,
            http_port: port(3)?,
        },
        azurite: false,
        no_simulate: true,
        app: Some(app.to_owned()),
        twins_endpoint: Vec::new(),
        seed: 1,
    })
}

impl Line {
    /// Starts a platform with the demo's line, twins and baselines, but without devices that send.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(folder: &Path, app: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_with(options(folder, app)?, settings).await
    }

    /// The same with options of one's own.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_with(options: UpOptions, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let line = Self::bare(options, settings).await?;
        provision(&line.platform.connection, line.platform.data(), &Scenario::demo(), SECOND).await?;
        Ok(line)
    }

    /// A platform with models, but without twins and baselines.
    ///
    /// # Errors
    /// It does not start.
    pub async fn bare(options: UpOptions, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let folder = options.data.data.clone();
        let platform = Platform::start(&options, settings.collect()).await?;
        let store = Store::from_url(&platform.connection.storage_url)?;
        Ok(Self { platform, store, folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A twin as the service has it.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn twin(&self, id: &str) -> anyhow::Result<serde_json::Value> {
        let client = self.platform.connection.twins(&self.folder)?;
        let twin = client.get_twin(id).await?.with_context(|| format!("there is no twin {id}"))?;
        Ok(serde_json::Value::Object(twin.body))
    }

    /// Stops the platform.
    pub async fn stop(self) {
        self.platform.stop().await;
    }
}

/// Waits until a check holds; its last words are the error when time is over.
///
/// # Errors
/// The check did not hold in time.
pub async fn until<F, T>(what: &str, mut check: F) -> anyhow::Result<T>
where
    F: AsyncFnMut() -> anyhow::Result<Result<T, String>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match check().await? {
            Ok(value) => return Ok(value),
            Err(words) if tokio::time::Instant::now() > deadline => {
                anyhow::bail!("{what} did not happen within {} s: {words}", PATIENCE.as_secs())
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
