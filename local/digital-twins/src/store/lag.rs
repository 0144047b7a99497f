//! A second graph that trails behind the first, for queries.
//!
//! On Azure a query may miss writes of the last seconds. Code that relies on the opposite works here by luck, so a
//! lag can be asked for; then queries read this graph, and reads of one twin still see everything.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use super::{Change, Graph};

#[derive(Debug)]
pub(super) struct Lagging {
    lag: Duration,
    graph: RwLock<Graph>,
    due: Mutex<VecDeque<(Instant, Vec<Change>)>>,
}

impl Lagging {
    pub(super) fn new(lag: Duration, graph: Graph) -> Self {
        Self { lag, graph: RwLock::new(graph), due: Mutex::default() }
    }

    /// Takes note of changes that were just made.
    pub(super) fn push(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            due.push_back((Instant::now() + self.lag, changes));
        }
        // Also without any query the list must not grow for ever.
        self.catch_up();
    }

    fn catch_up(&self) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if due.front().is_none_or(|(time, _)| *time > now) {
            return;
        }
        // Both locks are held together, so that two callers cannot apply changes in the wrong order.
        let mut graph = self.graph.write().unwrap_or_else(PoisonError::into_inner);
        while due.front().is_some_and(|(time, _)| *time <= now) {
            for change in due.pop_front().into_iter().flat_map(|(_, changes)| changes) {
                graph.apply(change);
            }
        }
    }

    /// The graph as it was one lag ago.
    pub(super) fn graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.catch_up();
        self.graph.read().unwrap_or_else(PoisonError::into_inner)
    }
}
