//! What the writer and the readers have in common.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use super::lag::Lagging;
use super::{Change, Graph};
use crate::events::TwinEvent;
use crate::history::{HISTORY_QUEUE, rows_of};
use crate::routing::{CloudEvent, Queues};
use crate::storage::{Key, Loaded, Outgoing, Storage};

/// Events that a slow observer may lag behind before it loses the oldest.
const EVENT_BUFFER: usize = 4096;

/// Events that found their queue full: the endpoint and the event.
pub(crate) type Overflow = (String, CloudEvent);

/// What a store is opened with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) host_name: String,
    pub(crate) query_lag: Duration,
    /// Whether rows of the history tables are wanted.
    pub(crate) history: bool,
    pub(crate) queues: Queues,
    pub(crate) overflow: mpsc::Sender<Overflow>,
}

#[derive(Debug)]
pub(super) struct Shared {
    graph: RwLock<Graph>,
    lagging: Option<Lagging>,
    storage: RwLock<Option<Arc<Storage>>>,
    events: broadcast::Sender<TwinEvent>,
    next_event: AtomicU64,
    setup: Setup,
}

impl Shared {
    pub(super) fn new(storage: Storage, loaded: Loaded, setup: Setup) -> Self {
        let lagging =
            (!setup.query_lag.is_zero()).then(|| Lagging::new(setup.query_lag, loaded.graph.clone()));
        Self {
            graph: RwLock::new(loaded.graph),
            lagging,
            storage: RwLock::new(Some(Arc::new(storage))),
            events: broadcast::Sender::new(EVENT_BUFFER),
            next_event: AtomicU64::new(loaded.last_event + 1),
            setup,
        }
    }

    pub(super) fn graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn query_graph(&self) -> RwLockReadGuard<'_, Graph> {
        match &self.lagging {
            Some(lagging) => lagging.graph(),
            None => self.graph(),
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<TwinEvent> {
        self.events.subscribe()
    }

    pub(super) fn queues(&self) -> &Queues {
        &self.setup.queues
    }

    pub(super) fn storage(&self) -> Option<Arc<Storage>> {
        self.storage.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the database.
    pub(super) fn close(&self) {
        drop(self.storage.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// What endpoints and the history have to be told of events, numbered.
    pub(super) fn outgoing(&self, events: &[TwinEvent]) -> Vec<Outgoing> {
        let graph = self.graph();
        if events.is_empty() || (graph.routes.is_empty() && !self.setup.history) {
            return Vec::new();
        }
        let mut outgoing = Vec::new();
        let mut add = |queue: &str, bytes: Vec<u8>| {
            let number = self.next_event.fetch_add(1, Ordering::Relaxed);
            outgoing.push((queue.to_owned(), number, bytes));
        };
        for event in events {
            if self.setup.history {
                let rows = rows_of(event, &self.setup.host_name);
                if !rows.is_empty() {
                    add(HISTORY_QUEUE, serde_json::to_vec(&rows).unwrap_or_default());
                }
            }
            if graph.routes.is_empty() {
                continue;
            }
            let cloud_event = CloudEvent::of(event, &self.setup.host_name);
            // Two routes to one endpoint let an event through once.
            let admitting = graph.routes.values().filter(|route| route.admits(&cloud_event));
            let endpoints: BTreeSet<&str> =
                admitting.map(|route| route.route.endpoint_name.as_str()).collect();
            for endpoint in endpoints {
                match self.setup.queues.get(endpoint) {
                    Some(queue) if queue.is_full() => {
                        if self.setup.overflow.try_send((endpoint.to_owned(), cloud_event.clone())).is_err() {
                            tracing::error!(
                                endpoint,
                                id = cloud_event.id,
                                "an event was lost, too many wait for the endpoint"
                            );
                        }
                    }
                    Some(_) => add(endpoint, serde_json::to_vec(&cloud_event).unwrap_or_default()),
                    // The endpoint was there when the route was made, and has left the configuration since.
                    None => tracing::debug!(endpoint, "a route leads to an endpoint that is not configured"),
                }
            }
        }
        outgoing
    }

    /// Makes changes durable.
    pub(super) fn commit(&self, changes: &[Change], outgoing: &[Outgoing]) -> Result<(), String> {
        let storage = self.storage().ok_or("the service is stopping")?;
        let graph = self.graph();
        let newest = |key: &Key| {
            let document = match key {
                Key::Twin(id) => graph.twins.get(id),
                Key::Relationship(source, id) => graph.relationships.get(&(source.clone(), id.clone())),
            };
            document.map(|document| serde_json::to_vec(&**document).unwrap_or_default())
        };
        storage.commit(changes, outgoing, newest).map_err(|error| error.to_string())
    }

    /// Makes durable changes visible.
    pub(super) fn show(&self, changes: Vec<Change>) {
        let for_queries = self.lagging.as_ref().map(|lagging| {
            (lagging, changes.iter().filter_map(Change::for_queries).collect::<Vec<Change>>())
        });
        let mut replaced = Vec::with_capacity(changes.len());
        {
            let mut graph = self.graph.write().unwrap_or_else(PoisonError::into_inner);
            for change in changes {
                replaced.push(graph.apply(change));
            }
        }
        // Freeing old documents takes longer than swapping them; readers need not wait for it.
        drop(replaced);
        if let Some((lagging, changes)) = for_queries {
            lagging.push(changes);
        }
    }

    /// Tells observers and wakes those who deliver.
    pub(super) fn announce(&self, events: Vec<TwinEvent>, outgoing: &[Outgoing]) {
        for (queue, _, _) in outgoing {
            if let Some(queue) = self.setup.queues.get(queue) {
                queue.add();
            }
        }
        if self.events.receiver_count() > 0 {
            for event in events {
                // No receiver is no fault: nobody has to watch.
                let _ = self.events.send(event);
            }
        }
    }
}
