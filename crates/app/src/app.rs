//! The app put together once: configuration in, parts out. Nothing here touches the network.

use std::sync::{Arc, Mutex};

use twinwright_history::store::Store;

use crate::adapters::{AzureTwins, HubDevices, SignedWebhook};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::counters::Counters;
use crate::documents::{AlertStore, CommandStore};
use crate::history::StoredHistory;
use crate::partition::ingest::Ingest;
use crate::patcher::Patcher;
use crate::ports::{DevicePort, NotifyPort, TwinPort};
use crate::respond::Responder;
use crate::scores::ScoreBuffer;
use crate::watch::Watched;

/// Why the app cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Storage cannot be opened.
    #[error("cannot open storage {url:?}: {cause}")]
    Storage {
        /// `storage.url`.
        url: String,
        /// Why.
        cause: twinwright_history::StoreError,
    },
    /// A client cannot be made from the configuration.
    #[error("cannot set up {what}: {cause}")]
    Client {
        /// Which.
        what: &'static str,
        /// Why.
        cause: twinwright_azure::Error,
    },
}

/// Everything the functions share.
pub struct App {
    /// Configuration.
    pub config: Arc<Config>,
    /// Storage.
    pub store: Store,
    /// Scorers and baselines.
    pub catalog: Arc<Catalog>,
    /// The flow.
    pub ingest: Ingest,
    /// Asking twins, if configured.
    pub twins: Option<Arc<AzureTwins>>,
    /// Patches under way, if twins are configured.
    pub patcher: Option<Patcher>,
    /// Devices, if a hub is configured.
    pub devices: Option<Arc<dyn DevicePort>>,
    /// Push, if configured.
    pub webhook: Option<Arc<dyn NotifyPort>>,
    /// Alerts.
    pub alerts: AlertStore,
    /// Commands.
    pub commands: CommandStore,
    /// Reading and compacting history.
    pub history: StoredHistory,
    /// Scores not yet in their side files.
    pub scores: Arc<ScoreBuffer>,
    /// Counters.
    pub counters: Arc<Counters>,
    /// What `watch` remembers.
    pub watched: Mutex<Watched>,
    /// Writing twins, if configured.
    pub twin_port: Option<Arc<dyn TwinPort>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

impl App {
    /// Puts the parts together and starts the background tasks. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`AppError`] names the setting.
    pub fn new(config: Config) -> Result<Self, AppError> {
        let config = Arc::new(config);
        let client = |what| move |cause| AppError::Client { what, cause };
        let store = Store::from_url(&config.storage.url)
            .map_err(|cause| AppError::Storage { url: config.storage.url.clone(), cause })?;
        let twins = AzureTwins::new(&config.twins).map_err(client("twins"))?.map(Arc::new);
        let devices = HubDevices::new(&config.iot_hub).map_err(client("iot_hub"))?;
        let webhook = SignedWebhook::new(&config.notify).map_err(client("notify"))?;
        let port = twins.clone().map(|twins| twins as Arc<dyn TwinPort>);
        Ok(Self::with_parts(
            config,
            store,
            twins,
            port,
            devices.map(|d| Arc::new(d) as _),
            webhook.map(|w| Arc::new(w) as _),
        ))
    }

    /// Puts given parts together: tests bring twins and devices of their own.
    pub fn with_parts(
        config: Arc<Config>,
        store: Store,
        twins: Option<Arc<AzureTwins>>,
        port: Option<Arc<dyn TwinPort>>,
        devices: Option<Arc<dyn DevicePort>>,
        webhook: Option<Arc<dyn NotifyPort>>,
    ) -> Self {
        let catalog = Arc::new(Catalog::new(Arc::clone(&config), store.clone()));
        let patcher = port.clone().map(|port| Patcher::start(port, config.twins.parallel));
        let scores = ScoreBuffer::start(store.clone(), &config.hub);
        let ingest = Ingest::new(
            Arc::clone(&config),
            &store,
            Arc::clone(&catalog),
            patcher.clone(),
            Arc::clone(&scores),
        );
        Self {
            history: StoredHistory::new(&config, store.clone()),
            ingest,
            catalog,
            twins,
            patcher,
            devices,
            webhook,
            alerts: AlertStore::new(store.clone()),
            commands: CommandStore::new(store.clone()),
            scores,
            counters: Arc::default(),
            watched: Mutex::default(),
            twin_port: port,
            store,
            config,
        }
    }

    /// What sends commands.
    pub fn responder(&self) -> Responder<'_> {
        Responder {
            commands: &self.commands,
            devices: self.devices.as_deref(),
            twins: self.twin_port.as_deref(),
        }
    }

    /// Waits a moment for patches and scores to go out; what does not is rebuilt by the next start.
    pub async fn drain(&self) {
        if let Some(patcher) = &self.patcher {
            patcher.drain(std::time::Duration::from_secs(2)).await;
        }
        self.scores.flush().await;
    }
}
