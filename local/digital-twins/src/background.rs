//! The tasks beside the server: one for each endpoint, one for the history, one for what finds no room.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::TwinsError;
use crate::history::{self, HISTORY_QUEUE, HistorySink};
use crate::routing::{DeadLetters, Delivery, EndpointConfig, EventSink, Queue, Queues, deliver, open_sink};
use crate::store::{Overflow, Setup, Store};

/// Events that may wait to become dead letters.
const OVERFLOW: usize = 10_000;
/// Events of one endpoint that become dead letters with one write.
const LETTERS: usize = 500;

/// What will run once there is a store.
#[derive(Debug)]
pub(crate) struct Plan {
    endpoints: Vec<(String, Arc<dyn EventSink>, Delivery)>,
    history: Option<Arc<dyn HistorySink>>,
    overflow: Option<mpsc::Receiver<Overflow>>,
}

/// The tasks that run.
#[derive(Debug)]
pub(crate) struct Background {
    tasks: Vec<JoinHandle<()>>,
}

/// The client for endpoints and blobs. It follows no redirects: an address that was allowed must not lead elsewhere.
pub(crate) fn client(trusted: &[Vec<u8>]) -> Result<Client, TwinsError> {
    let fault = |error: &dyn std::fmt::Display| TwinsError::Client(error.to_string());
    let mut certificates = Vec::new();
    for der in trusted {
        certificates.push(reqwest::Certificate::from_der(der).map_err(|error| fault(&error))?);
    }
    // The process may have chosen a provider already; then that one is used.
    rustls::crypto::ring::default_provider().install_default().ok();
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(60))
        .tls_certs_merge(certificates);
    builder.build().map_err(|error| fault(&error))
}

/// A setup that lacks only what waits already.
pub(crate) struct PartialSetup {
    setup: Setup,
    queues: Vec<(String, u64)>,
}

impl PartialSetup {
    pub(crate) fn with_backlog(self, backlog: &HashMap<String, u64>) -> Setup {
        let mut setup = self.setup;
        for (name, most) in self.queues {
            let waiting = backlog.get(&name).copied().unwrap_or_default();
            setup.queues.add(name, Queue::new(waiting, most));
        }
        for (name, count) in backlog.iter().filter(|(name, _)| setup.queues.get(name).is_none()) {
            tracing::warn!(
                endpoint = name,
                count,
                "events wait for an endpoint that is not configured any more"
            );
        }
        setup
    }
}

impl Plan {
    /// Checks the endpoints.
    pub(crate) fn new(
        endpoints: &[EndpointConfig],
        history: Option<Arc<dyn HistorySink>>,
        client: &Client,
    ) -> Result<Self, TwinsError> {
        let mut opened: Vec<(String, Arc<dyn EventSink>, Delivery)> = Vec::new();
        for endpoint in endpoints {
            if opened.iter().any(|(name, _, _)| *name == endpoint.name) {
                let reason = "its name is used twice: choose another".to_owned();
                return Err(TwinsError::Endpoint { name: endpoint.name.clone(), reason });
            }
            opened.push((endpoint.name.clone(), open_sink(endpoint, client)?, endpoint.delivery));
        }
        Ok(Self { endpoints: opened, history, overflow: None })
    }

    /// What the store needs to know.
    pub(crate) fn setup(&mut self, host_name: String, query_lag: Duration) -> PartialSetup {
        let (overflow, receiver) = mpsc::channel(OVERFLOW);
        self.overflow = Some(receiver);
        let mut queues: Vec<(String, u64)> =
            self.endpoints.iter().map(|(name, _, delivery)| (name.clone(), delivery.waiting)).collect();
        let history = self.history.is_some();
        if history {
            // Rows of the history are never given up: the disk is their bound.
            queues.push((HISTORY_QUEUE.to_owned(), u64::MAX));
        }
        let setup = Setup { host_name, query_lag, history, queues: Queues::default(), overflow };
        PartialSetup { setup, queues }
    }

    /// Starts the tasks.
    pub(crate) fn start(self, store: &Arc<Store>, folder: &Path) -> Background {
        let mut tasks = Vec::new();
        let dead_letters = Arc::new(DeadLetters::new(folder));
        for (name, sink, delivery) in self.endpoints {
            let Some(queue) = store.queues().get(&name).cloned() else { continue };
            let letters = Arc::clone(&dead_letters);
            tasks.push(tokio::spawn(deliver(Arc::clone(store), name, sink, delivery, queue, letters)));
        }
        if let (Some(sink), Some(queue)) = (self.history, store.queues().get(HISTORY_QUEUE).cloned()) {
            tasks.push(tokio::spawn(history::run(Arc::clone(store), sink, queue)));
        }
        if let Some(overflow) = self.overflow {
            tasks.push(tokio::spawn(bury(overflow, dead_letters)));
        }
        Background { tasks }
    }
}

impl Background {
    pub(crate) fn abort(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }

    /// Ends the tasks and waits for them.
    pub(crate) async fn stop(&mut self) {
        self.abort();
        for task in self.tasks.drain(..) {
            // An aborted task says so; there is nothing else to learn.
            let _ = task.await;
        }
    }
}

/// Makes dead letters of events that found their queue full.
async fn bury(mut overflow: mpsc::Receiver<Overflow>, letters: Arc<DeadLetters>) {
    let mut events = Vec::new();
    while overflow.recv_many(&mut events, LETTERS).await > 0 {
        let mut by_endpoint: HashMap<String, Vec<serde_json::Value>> = HashMap::new();
        for (endpoint, event) in events.drain(..) {
            by_endpoint.entry(endpoint).or_default().extend(serde_json::to_value(&event).ok());
        }
        let letters = Arc::clone(&letters);
        let written = tokio::task::spawn_blocking(move || {
            by_endpoint.iter().try_for_each(|(endpoint, events)| {
                letters.add(endpoint, events, "too many events wait for the endpoint", 0)
            })
        });
        if !matches!(written.await, Ok(Ok(()))) {
            tracing::error!("dead letters could not be written, check the space left on the disk");
        }
    }
}
