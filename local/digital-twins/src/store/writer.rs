//! The one thread that changes anything: it gathers waiting writes, makes them durable with one fsync, then visible,
//! and only then acknowledges them.
//!
//! While one batch is being synced the next one gathers, so the more clients write at once, the larger the batches
//! and the fewer syncs a write costs. Nobody waits for a batch to fill.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::locks::{Lock, Locks};
use super::shared::Shared;
use super::{Change, Graph};
use crate::answer::Refusal;
use crate::events::TwinEvent;

/// Writes that may wait for the writer before callers wait too.
pub(super) const QUEUE: usize = 4096;
/// Changes after which a batch takes no more writes, to bound what one sync and one swap hold up.
const MOST_CHANGES: usize = 2048;

/// What a write will do, decided against the graph.
pub(crate) struct Plan<T> {
    pub(crate) changes: Vec<Change>,
    pub(crate) events: Vec<TwinEvent>,
    pub(crate) reply: T,
}

impl<T> Plan<T> {
    /// Answers, and changes nothing.
    pub(crate) fn nothing(reply: T) -> Self {
        Self { changes: Vec::new(), events: Vec::new(), reply }
    }
}

/// A planned write, waiting for its batch to become durable.
struct Ready {
    changes: Vec<Change>,
    events: Vec<TwinEvent>,
    acknowledge: Box<dyn FnOnce(Result<(), Refusal>) + Send>,
}

/// Plans a write. A refused write answers its caller by itself and gives back nothing.
type PlanOf = Box<dyn FnOnce(&Graph) -> Option<Ready> + Send>;

/// A write that waits for its turn.
pub(super) struct Task {
    locks: Vec<Lock>,
    run: PlanOf,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Task").field("locks", &self.locks).finish_non_exhaustive()
    }
}

fn broken() -> Refusal {
    Refusal::unavailable("the change could not be stored: try again later")
}

impl Task {
    /// A write and where its outcome arrives.
    pub(super) fn new<T: Send + 'static>(
        locks: Vec<Lock>,
        plan: impl FnOnce(&Graph) -> Result<Plan<T>, Refusal> + Send + 'static,
    ) -> (Self, oneshot::Receiver<Result<T, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        let run = move |graph: &Graph| match plan(graph) {
            Ok(Plan { changes, events, reply }) => {
                let acknowledge = move |outcome: Result<(), Refusal>| {
                    // A caller that has gone does not want to know.
                    let _ = sender.send(outcome.map(|()| reply));
                };
                Some(Ready { changes, events, acknowledge: Box::new(acknowledge) })
            }
            Err(refusal) => {
                let _ = sender.send(Err(refusal));
                None
            }
        };
        (Self { locks, run: Box::new(run) }, receiver)
    }
}

/// Runs until every sender of tasks has gone.
pub(super) fn run(shared: &Arc<Shared>, mut tasks: mpsc::Receiver<Task>) {
    let mut waiting: VecDeque<Task> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match tasks.blocking_recv() {
                Some(task) => waiting.push_back(task),
                None => return,
            }
        }
        while waiting.len() < QUEUE {
            match tasks.try_recv() {
                Ok(task) => waiting.push_back(task),
                Err(_) => break,
            }
        }
        let batch = plan(shared, &mut waiting);
        if !batch.is_empty() {
            finish(shared, batch);
        }
    }
}

/// Plans the writes that may share a batch; the others stay, in order.
fn plan(shared: &Shared, waiting: &mut VecDeque<Task>) -> Vec<Ready> {
    let graph = shared.graph();
    let (mut batch, mut count, mut locks) = (Vec::new(), 0, Locks::default());
    for task in std::mem::take(waiting) {
        if count >= MOST_CHANGES || !locks.admit(&task.locks) {
            waiting.push_back(task);
            continue;
        }
        let run = task.run;
        // A bug in one request must not end the writer for all; its caller gets an error, since its channel closes.
        match catch_unwind(AssertUnwindSafe(|| run(&graph))) {
            Ok(Some(ready)) => {
                count += ready.changes.len();
                batch.push(ready);
            }
            Ok(None) => {}
            Err(_) => tracing::error!("a write ended in a panic, please report the message above"),
        }
    }
    batch
}

fn finish(shared: &Shared, batch: Vec<Ready>) {
    let (mut changes, mut events, mut acknowledgements) = (Vec::new(), Vec::new(), Vec::new());
    for ready in batch {
        changes.extend(ready.changes);
        events.extend(ready.events);
        acknowledgements.push(ready.acknowledge);
    }
    let outgoing = shared.outgoing(&events);
    if !(changes.is_empty() && outgoing.is_empty())
        && let Err(error) = shared.commit(&changes, &outgoing)
    {
        tracing::error!(%error, "cannot write the database of digital twins, check the space left on the disk and restart");
        for acknowledge in acknowledgements {
            acknowledge(Err(broken()));
        }
        return;
    }
    shared.show(changes);
    // Observers hear of a change before its caller does, so that whoever got an answer finds the event there.
    shared.announce(events, &outgoing);
    for acknowledge in acknowledgements {
        acknowledge(Ok(()));
    }
}
