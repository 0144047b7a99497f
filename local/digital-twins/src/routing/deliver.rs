//! One task for each endpoint: reads what waits, sends it, and lets go of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::endpoint::{Delivery, EventSink, SendError};
use super::{CloudEvent, DeadLetters, Queue};
use crate::storage::Waiting;
use crate::store::Store;

/// How long a database that cannot be read is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Delivers the events of one endpoint until the task is aborted.
pub(crate) async fn deliver(
    store: Arc<Store>,
    name: String,
    sink: Arc<dyn EventSink>,
    delivery: Delivery,
    queue: Arc<Queue>,
    dead_letters: Arc<DeadLetters>,
) {
    let worker = Worker { store, name, sink, delivery, dead_letters };
    let mut after = 0;
    loop {
        let arrived = queue.arrived.notified();
        let waiting = match worker.store.waiting(&worker.name, after, delivery.batch).await {
            Ok(waiting) => waiting,
            Err(reason) => {
                tracing::error!(endpoint = worker.name, reason, "cannot read the events that wait");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(last) = waiting.last().map(|event| event.number) else {
            arrived.await;
            continue;
        };
        worker.send(&waiting).await;
        queue.remove(waiting.len() as u64);
        after = last;
        // An event that is delivered and not yet let go of comes again after a kill: at least once.
        if let Err(refusal) = worker.store.delivered(&worker.name, last).await {
            tracing::warn!(
                endpoint = worker.name,
                reason = refusal.message,
                "delivered events could not be let go of"
            );
        }
    }
}

struct Worker {
    store: Arc<Store>,
    name: String,
    sink: Arc<dyn EventSink>,
    delivery: Delivery,
    dead_letters: Arc<DeadLetters>,
}

impl Worker {
    /// Sends a batch; returns when every event of it was taken or became a dead letter.
    async fn send(&self, waiting: &[Waiting]) {
        let mut events = Vec::with_capacity(waiting.len());
        for event in waiting {
            match serde_json::from_slice::<CloudEvent>(&event.bytes) {
                Ok(event) => events.push(event),
                Err(error) => {
                    tracing::error!(number = event.number, %error, "dropped an event that cannot be read")
                }
            }
        }
        if events.is_empty() {
            return;
        }
        let Err((reason, attempts)) = self.attempt(&events, self.delivery.attempts).await else { return };
        if events.len() > 1 {
            // One bad event must not take the others with it.
            for event in &events {
                let one = std::slice::from_ref(event);
                if let Err((reason, more)) = self.attempt(one, 1).await {
                    self.bury(one, &reason, attempts + more).await;
                }
            }
        } else {
            self.bury(&events, &reason, attempts).await;
        }
    }

    async fn attempt(&self, events: &[CloudEvent], most: u32) -> Result<(), (String, u32)> {
        let mut pause = self.delivery.first_pause;
        let mut attempt = 1;
        loop {
            match self.sink.send(events).await {
                Ok(()) => return Ok(()),
                Err(SendError::Never(reason)) => return Err((reason, attempt)),
                Err(SendError::Later { reason, .. }) if attempt >= most => return Err((reason, attempt)),
                Err(SendError::Later { reason, after }) => {
                    tracing::debug!(
                        endpoint = self.name,
                        reason,
                        attempt,
                        "events could not be delivered, trying again"
                    );
                    let longest = self.delivery.longest_pause;
                    tokio::time::sleep(after.unwrap_or(pause).min(longest)).await;
                    pause = (pause * 2).min(longest);
                    attempt += 1;
                }
            }
        }
    }

    async fn bury(&self, events: &[CloudEvent], reason: &str, attempts: u32) {
        tracing::warn!(endpoint = self.name, reason, count = events.len(), "events became dead letters");
        let list: Vec<Value> = events.iter().filter_map(|event| serde_json::to_value(event).ok()).collect();
        let (letters, name, reason) = (Arc::clone(&self.dead_letters), self.name.clone(), reason.to_owned());
        let kept = tokio::task::spawn_blocking(move || letters.add(&name, &list, &reason, attempts)).await;
        if !matches!(kept, Ok(Ok(()))) {
            tracing::error!(endpoint = self.name, ?kept, "dead letters could not be written");
        }
    }
}
