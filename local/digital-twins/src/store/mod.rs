//! The graph: models, twins and relationships in memory, every change in the journal first.
//!
//! Writers of one twin take its gate, so they run one after another; the work of checking happens outside the lock of
//! the graph, which is held only to look at other twins, append a line and swap a pointer.

mod graph;
mod index;
mod models;
mod read;
mod relationships;
mod sketch;
mod twins;

use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use serde_json::Value;
use tokio::sync::broadcast;

pub(crate) use graph::{Graph, ModelEntry};
pub(crate) use index::{Edge, Index, Node, NodeEntry};
pub(crate) use sketch::{Comparison, Filter};

use crate::answer::Refusal;
use crate::clock;
use crate::config::{Limits, TwinsError};
use crate::events::{TwinEvent, TwinEventKind};
use crate::journal::{self, Journal};
use crate::limits::Meter;

/// Events that a slow observer may lag behind before it loses the oldest.
const EVENT_BUFFER: usize = 4096;

/// The store of one folder.
#[derive(Debug)]
pub(crate) struct Store {
    graph: RwLock<Graph>,
    journal: Mutex<Journal>,
    pub(crate) meter: Meter,
    events: broadcast::Sender<TwinEvent>,
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
            (Some(wanted), Some(etag)) if wanted != "*" && wanted != etag => Err(Refusal::precondition(
                "it has changed since: read it again and send its newest etag in If-Match",
            )),
            (Some(_), None) => {
                Err(Refusal::precondition("it does not exist, and If-Match asks that it does"))
            }
            _ => Ok(()),
        }
    }
}

impl Store {
    /// Loads the journal of a folder and writes it anew, short.
    pub(crate) fn open(folder: &Path, limits: Limits) -> Result<Self, TwinsError> {
        let lock = journal::lock(folder)?;
        let path = folder.join("twins.journal");
        let mut graph = Graph::default();
        journal::read(&path, |line| graph.apply(line))?;
        let journal = Journal::rewrite(&path, graph.lines(), lock)
            .map_err(|source| TwinsError::Folder { folder: folder.to_owned(), source })?;
        Ok(Self {
            graph: RwLock::new(graph),
            journal: Mutex::new(journal),
            meter: Meter::new(limits),
            events: broadcast::Sender::new(EVENT_BUFFER),
        })
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<TwinEvent> {
        self.events.subscribe()
    }

    pub(crate) fn graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change durable, then visible. `check` sees the graph that the change will apply to.
    fn commit(&self, line: Value, check: impl FnOnce(&Graph) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let mut graph = self.graph.write().unwrap_or_else(PoisonError::into_inner);
        check(&graph)?;
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.append(&line).map_err(|error| {
            tracing::error!(%error, "cannot write the journal of digital twins, check the space left on the disk");
            Refusal::unavailable("the change could not be stored: try again later")
        })?;
        graph.apply(line).map_err(|reason| {
            tracing::error!(reason, "a change was stored that does not apply");
            Refusal::unavailable("the change could not be applied: restart the service")
        })
    }

    fn announce(&self, twin_id: &str, received_us: i64, kind: TwinEventKind) {
        // No receiver is no fault: nobody has to watch.
        let _ = self.events.send(TwinEvent { twin_id: twin_id.to_owned(), received_us, kind });
    }

    /// Announces telemetry, which is not stored.
    pub(crate) fn telemetry(
        &self,
        twin: &str,
        component: Option<&str>,
        payload: Value,
    ) -> Result<(), Refusal> {
        {
            let graph = self.graph();
            let found = graph.twins.get(twin).ok_or_else(|| no_twin(twin))?;
            if let Some(component) = component {
                graph.component_of(found, component)?;
            }
        }
        let kind = TwinEventKind::Telemetry { component: component.map(str::to_owned), payload };
        self.announce(twin, clock::now_us(), kind);
        Ok(())
    }
}

pub(crate) fn no_twin(id: &str) -> Refusal {
    Refusal::missing("DigitalTwinNotFound", format!("there is no digital twin '{id}': create it first"))
}
