//! One loop per queue function: fetch, call, delete; what fails too often goes to the poison queue.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    HostEvent, QueueError,
    encode::queue::invocation,
    events::LogLevel,
    invoke::{Failure, Invoker},
    queues::{QueueMessage, QueueService},
    settings::{DataType, FunctionDefinition, QueueSettings},
};

/// How long a message is hidden while it is worked on; renewed at half of it.
const LEASE: Duration = Duration::from_secs(600);
const SHORTEST_POLL: Duration = Duration::from_millis(100);

/// A queue function.
#[derive(Clone)]
pub(crate) struct QueueLoop {
    pub(crate) invoker: Invoker,
    pub(crate) function: Arc<FunctionDefinition>,
    pub(crate) service: Arc<dyn QueueService>,
    pub(crate) settings: QueueSettings,
    pub(crate) queue: String,
    pub(crate) data_type: DataType,
}

impl QueueLoop {
    pub(crate) async fn run(self) {
        let mut running = JoinSet::new();
        let mut pause = SHORTEST_POLL;
        while !self.invoker.stopping.is_cancelled() {
            while running.try_join_next().is_some() {}
            if running.len() > self.settings.new_batch_threshold {
                tokio::select! {
                    _ = running.join_next() => {}
                    () = self.invoker.stopping.cancelled() => break,
                }
                continue;
            }
            let received = self.service.receive(&self.queue, self.settings.batch_size, LEASE).await;
            let messages = received.unwrap_or_else(|error| {
                self.log(LogLevel::Error, format!("queue {} cannot be read: {error}", self.queue));
                Vec::new()
            });
            if messages.is_empty() {
                tokio::select! {
                    () = self.service.wait(&self.queue, pause) => {}
                    () = self.invoker.stopping.cancelled() => break,
                }
                pause = (pause * 2).min(self.settings.max_polling_interval);
                continue;
            }
            pause = SHORTEST_POLL;
            for message in messages {
                running.spawn(self.clone().process(message));
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn process(self, message: QueueMessage) {
        if message.dequeue_count > self.settings.max_dequeue_count {
            return self.poison(&message).await;
        }
        let (renewed, held) = watch::channel(message.clone());
        let renewal = tokio::spawn(self.clone().renew(message.clone(), renewed));
        let call = invocation(&self.function.name, &self.function.binding, self.data_type, &message);
        let result = self.invoker.invoke(&self.function, &call, None).await;
        renewal.abort();
        let message = held.borrow().clone();
        let done = match result {
            Ok(_) => self.service.delete(&self.queue, &message).await,
            Err(Failure::Failed(_)) if message.dequeue_count >= self.settings.max_dequeue_count => {
                return self.poison(&message).await;
            }
            Err(Failure::Failed(_)) => self.release(&message, self.settings.visibility_timeout).await,
            // Nothing is known of the call, so the message comes again, and soon: not when its lease of ten minutes ends.
            Err(Failure::Stopping) => self.release(&message, Duration::ZERO).await,
        };
        if let Err(error) = done {
            self.log(LogLevel::Warning, format!("message {} comes again: {error}", message.id));
        }
    }

    async fn release(&self, message: &QueueMessage, visibility: Duration) -> Result<(), QueueError> {
        self.service.set_visibility(&self.queue, message, visibility).await.map(drop)
    }

    async fn renew(self, mut message: QueueMessage, renewed: watch::Sender<QueueMessage>) {
        loop {
            tokio::time::sleep(LEASE / 2).await;
            match self.service.set_visibility(&self.queue, &message, LEASE).await {
                Ok(newer) => {
                    message = newer.clone();
                    renewed.send_replace(newer);
                }
                Err(error) => {
                    self.log(LogLevel::Warning, format!("message {} cannot be held: {error}", message.id));
                    return;
                }
            }
        }
    }

    async fn poison(&self, message: &QueueMessage) {
        let queue = format!("{}-poison", self.queue);
        let moved = async {
            self.service.create(&queue).await?;
            self.service.send(&queue, message.body.clone()).await?;
            self.service.delete(&self.queue, message).await
        };
        match moved.await {
            Ok(()) => {
                let line = format!(
                    "message {} failed {} times and moved to {queue}",
                    message.id, message.dequeue_count
                );
                self.log(LogLevel::Error, line);
                self.invoker.events.emit(HostEvent::QueueMessagePoisoned {
                    function: self.function.name.clone(),
                    queue,
                    id: message.id.clone(),
                });
            }
            Err(error) => {
                self.log(LogLevel::Error, format!("message {} cannot move to {queue}: {error}", message.id))
            }
        }
    }

    fn log(&self, level: LogLevel, line: String) {
        self.invoker.events.log(level, Some(&self.function.name), line);
    }
}
