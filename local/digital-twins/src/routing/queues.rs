//! What waits for each endpoint, counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The events that wait for one endpoint; the events themselves are in the database.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicU64,
    most: u64,
    pub(crate) arrived: Notify,
}

impl Queue {
    pub(crate) fn new(waiting: u64, most: u64) -> Arc<Self> {
        Arc::new(Self { waiting: AtomicU64::new(waiting), most, arrived: Notify::new() })
    }

    /// True when no more events may wait.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.most
    }

    pub(crate) fn add(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.arrived.notify_one();
    }

    pub(crate) fn remove(&self, count: u64) {
        let less = |waiting: u64| Some(waiting.saturating_sub(count));
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// The queues of an instance, by endpoint. They do not change while it runs.
#[derive(Debug, Default)]
pub(crate) struct Queues(BTreeMap<String, Arc<Queue>>);

impl Queues {
    pub(crate) fn add(&mut self, name: String, queue: Arc<Queue>) {
        self.0.insert(name, queue);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Queue>> {
        self.0.get(name)
    }

    /// Names of the endpoints, without the queues that the service keeps for itself.
    pub(crate) fn endpoints(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|name| !name.starts_with('$')).collect()
    }
}
