//! The graph: models, twins and relationships in memory, every change in the database first.
//!
//! Whoever wants a change hands the writer a plan: a function that looks at the graph and says what to change, or why
//! not. The writer runs plans one after another, makes a batch of them durable, shows it, and answers. So every
//! write sees the newest state, two writes of one twin never mix, and nothing is acknowledged that a kill could lose.

mod bulk;
mod change;
mod graph;
mod index;
mod jobs;
mod lag;
mod locks;
mod models;
mod read;
mod relationships;
mod routes;
mod shared;
mod sketch;
mod twins;
mod writer;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::sync::{broadcast, mpsc};

pub(crate) use change::{Change, ModelEntry};
pub(crate) use graph::Graph;
pub(crate) use index::{Edge, Index, Node, NodeEntry};
pub(crate) use models::first_fault;
pub(crate) use shared::{Overflow, Setup};
pub(crate) use sketch::{Comparison, Filter};
pub(crate) use writer::Plan;

use crate::answer::Refusal;
use crate::clock;
use crate::config::{Limits, TwinsError};
use crate::events::{TwinEvent, TwinEventKind};
use crate::limits::Meter;
use crate::routing::Queues;
use crate::storage::{Storage, Waiting};
use locks::{Lock, Place, reads};
use shared::Shared;
use writer::Task;

/// The store of one folder.
#[derive(Debug)]
pub(crate) struct Store {
    shared: Arc<Shared>,
    tasks: RwLock<Option<mpsc::Sender<Task>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub(crate) meter: Meter,
}

/// What a conditional request asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: bool,
}

impl Conditions {
    fn check(&self, etag: Option<&str>) -> Result<(), Refusal> {
        if self.if_none_match && etag.is_some() {
            return Err(Refusal::precondition(
                "it exists already, and If-None-Match: * asks that it does not",
            ));
        }
        match (&self.if_match, etag) {
            (Some(wanted), Some(etag)) if !admits(wanted, etag) => Err(Refusal::precondition(
                "it has changed since: read it again and send its newest etag in If-Match",
            )),
            (Some(_), None) => {
                Err(Refusal::precondition("it does not exist, and If-Match asks that it does"))
            }
            _ => Ok(()),
        }
    }
}

/// If-Match is `*` or a list of etags; clients differ in whether they repeat the mark of a weak one.
fn admits(wanted: &str, etag: &str) -> bool {
    let bare = |etag: &str| etag.trim().trim_start_matches("W/").to_owned();
    wanted.trim() == "*" || wanted.split(',').any(|one| bare(one) == bare(etag))
}

/// When a request came, and the trace it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    received_us: i64,
    trace: Option<String>,
}

impl Origin {
    pub(crate) fn new(trace: Option<String>) -> Self {
        Self { received_us: clock::now_us(), trace }
    }

    pub(crate) fn now() -> Self {
        Self::new(None)
    }

    fn event(&self, twin_id: &str, kind: TwinEventKind) -> TwinEvent {
        TwinEvent {
            twin_id: twin_id.to_owned(),
            received_us: self.received_us,
            trace: self.trace.clone(),
            kind,
        }
    }
}

impl Store {
    /// Opens the database of a folder, loads the graph and starts the writer.
    pub(crate) fn open(storage: Storage, setup: Setup, limits: Limits) -> Result<Self, TwinsError> {
        let loaded = storage.load()?;
        let shared = Arc::new(Shared::new(storage, loaded, setup));
        let (sender, receiver) = mpsc::channel(writer::QUEUE);
        let for_writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("twins-writer".to_owned())
            .spawn(move || writer::run(&for_writer, receiver))
            .map_err(|error| TwinsError::Client(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            shared,
            tasks: RwLock::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            meter: Meter::new(limits),
        })
    }

    /// Takes no more writes, ends the open ones, and lets go of the folder.
    pub(crate) fn close(&self) {
        drop(self.tasks.write().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of digital twins ended in a panic");
        }
        self.shared.close();
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<TwinEvent> {
        self.shared.subscribe()
    }

    /// Where event routes may lead.
    pub(crate) fn queues(&self) -> &Queues {
        self.shared.queues()
    }

    /// The newest graph.
    pub(crate) fn graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.shared.graph()
    }

    /// The graph as queries see it: the newest, or one that trails behind by the configured lag.
    pub(crate) fn query_graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.shared.query_graph()
    }

    /// Has the writer run a plan; returns when its changes are durable and visible.
    pub(crate) async fn submit<T: Send + 'static>(
        &self,
        locks: Vec<Lock>,
        plan: impl FnOnce(&Graph) -> Result<Plan<T>, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let stopped = || Refusal::unavailable("the change could not be stored: try again later");
        let sender = self.tasks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (task, outcome) = Task::new(locks, plan);
        sender.ok_or_else(stopped)?.send(task).await.map_err(|_| stopped())?;
        outcome.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Events of a queue that wait for delivery, after a number.
    pub(crate) async fn waiting(
        self: &Arc<Self>,
        queue: &str,
        after: u64,
        most: usize,
    ) -> Result<Vec<Waiting>, String> {
        let storage = self.shared.storage().ok_or("the service is stopping")?;
        let queue = queue.to_owned();
        let read = tokio::task::spawn_blocking(move || storage.waiting(&queue, after, most));
        read.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Lets go of the events of a queue up to a number.
    pub(crate) async fn delivered(&self, queue: &str, through: u64) -> Result<(), Refusal> {
        let changes = vec![Change::Delivered { queue: queue.to_owned(), through }];
        self.submit(Vec::new(), move |_| Ok(Plan { changes, events: Vec::new(), reply: () })).await
    }

    /// Announces telemetry, which changes nothing.
    pub(crate) async fn telemetry(
        &self,
        twin: String,
        mut telemetry: Telemetry,
        origin: Origin,
    ) -> Result<(), Refusal> {
        self.submit(vec![reads(Place::Models), reads(Place::Twin(twin.clone()))], move |graph| {
            let found = graph.twins.get(&twin).ok_or_else(|| no_twin(&twin))?;
            let mut model = crate::twin::model_of(found).unwrap_or_default();
            if let Some(component) = &telemetry.component {
                graph.component_of(found, component)?;
                let interface =
                    graph.models.resolve(model).and_then(|interface| interface.component(component));
                model = interface.map_or(model, |id| id.as_str());
            }
            let kind = TwinEventKind::Telemetry {
                message_id: std::mem::take(&mut telemetry.message_id),
                component: telemetry.component.take(),
                model: model.to_owned(),
                source_time: telemetry.source_time.take(),
                payload: telemetry.payload.take(),
            };
            Ok(Plan { changes: Vec::new(), events: vec![origin.event(&twin, kind)], reply: () })
        })
        .await
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// Telemetry as a client sent it.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub(crate) message_id: String,
    pub(crate) component: Option<String>,
    pub(crate) source_time: Option<String>,
    pub(crate) payload: Value,
}

pub(crate) fn no_twin(id: &str) -> Refusal {
    Refusal::missing("DigitalTwinNotFound", format!("there is no digital twin '{id}': create it first"))
}
