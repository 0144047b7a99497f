//! One loop per function and partition: read, call, checkpoint whatever came of it.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use tokio::time::Instant;

use crate::{
    HostEvent,
    checkpoint::{Checkpoint, Documents},
    encode::event_hub::Partition,
    events::LogLevel,
    invoke::{Failure, Invoker},
    settings::{Cardinality, DataType, EventHubSettings, FunctionDefinition, InitialOffset, RetryPolicy},
    source::{EventSource, SourceEvent},
};

/// Pause after the source failed, and the shortest pause after it had nothing.
const PAUSE: Duration = Duration::from_secs(1);
const BREATH: Duration = Duration::from_millis(5);

/// One partition of one function.
pub(crate) struct PartitionLoop {
    pub(crate) invoker: Invoker,
    pub(crate) function: Arc<FunctionDefinition>,
    pub(crate) source: Arc<dyn EventSource>,
    pub(crate) documents: Documents,
    pub(crate) settings: EventHubSettings,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) partition: Partition,
    pub(crate) cardinality: Cardinality,
    pub(crate) data_type: DataType,
    pub(crate) checkpoint: Option<Checkpoint>,
}

impl PartitionLoop {
    pub(crate) async fn run(self) {
        let Some(mut next) = self.first_sequence().await else { return };
        let mut batches: u64 = 0;
        while let Some(events) = self.next_batch(next).await {
            let Some(last) = events.last() else { continue };
            if self.deliver(&events).await == Err(Failure::Stopping) {
                return;
            }
            next = last.sequence_number + 1;
            batches += 1;
            // Once the host stops, nothing is checkpointed, so that the batch comes again.
            if self.invoker.stopping.is_cancelled() {
                return;
            }
            let due = self.settings.enable_checkpointing
                && batches.is_multiple_of(self.settings.batch_checkpoint_frequency.max(1));
            if due {
                self.write_checkpoint(last).await;
            }
        }
    }

    async fn deliver(&self, events: &[SourceEvent]) -> Result<(), Failure> {
        for call in self.partition.calls(events, self.cardinality, self.data_type) {
            if self.invoker.stopping.is_cancelled() {
                return Err(Failure::Stopping);
            }
            let invocation = match call {
                Ok(invocation) => invocation,
                // The type conversion fails before the handler is called; without a retry policy that loses the batch.
                Err(error) => {
                    self.fail_conversion(&error.to_string()).await?;
                    continue;
                }
            };
            // A failure was reported by the invoker; the partition goes on either way.
            if let Err(Failure::Stopping) =
                self.invoker.invoke(&self.function, &invocation, self.retry.as_ref()).await
            {
                return Err(Failure::Stopping);
            }
        }
        Ok(())
    }

    async fn fail_conversion(&self, cause: &str) -> Result<(), Failure> {
        let id = uuid::Uuid::new_v4();
        let mut retries = 0;
        loop {
            let started = self.invoker.started(&self.function.name, id);
            self.invoker.failed(&self.function.name, id, started, cause);
            let Some(policy) = &self.retry else { return Ok(()) };
            if policy.max_retry_count.is_some_and(|most| retries >= most) {
                return Ok(());
            }
            retries += 1;
            tokio::select! {
                () = tokio::time::sleep(policy.delay(retries)) => {}
                () = self.invoker.stopping.cancelled() => return Err(Failure::Stopping),
            }
        }
    }

    /// Where to begin; none when the host stops meanwhile.
    async fn first_sequence(&self) -> Option<i64> {
        if let Some(checkpoint) = &self.checkpoint {
            return Some(checkpoint.sequence_number + 1);
        }
        let mut next = 0;
        loop {
            let events = match self.settings.initial_offset {
                InitialOffset::Start => return Some(0),
                InitialOffset::End | InitialOffset::Enqueued(_) => self.read(next).await?,
            };
            let Some(last) = events.last() else { return Some(next) };
            if let InitialOffset::Enqueued(time) = self.settings.initial_offset
                && let Some(found) =
                    events.iter().find(|event| event.enqueued_time_us >= time.timestamp_micros())
            {
                return Some(found.sequence_number);
            }
            next = last.sequence_number + 1;
        }
    }

    /// The next batch, not empty; none when the host stops.
    async fn next_batch(&self, next: i64) -> Option<Vec<SourceEvent>> {
        let mut deadline: Option<Instant> = None;
        loop {
            let events = self.read(next).await?;
            let Some(last) = events.last() else {
                self.pause_for(next, None).await?;
                continue;
            };
            if events.len() >= self.settings.min_event_batch_size {
                return Some(events);
            }
            let until = *deadline.get_or_insert_with(|| Instant::now() + self.settings.max_wait_time);
            if Instant::now() >= until {
                return Some(events);
            }
            self.pause_for(last.sequence_number + 1, Some(until)).await?;
        }
    }

    async fn pause_for(&self, sequence: i64, until: Option<Instant>) -> Option<()> {
        let number = self.partition.partition;
        let late = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.source.wait(number, sequence) => {}
            () = late => {}
            () = self.invoker.stopping.cancelled() => return None,
        }
        // A source that returns early too often must not spin a core.
        tokio::time::sleep(BREATH).await;
        Some(())
    }

    /// Reads, again and again while the source fails; none when the host stops.
    async fn read(&self, next: i64) -> Option<Vec<SourceEvent>> {
        let max = self.settings.max_event_batch_size;
        loop {
            let read = tokio::select! {
                read = self.source.read(self.partition.partition, next, max) => read,
                () = self.invoker.stopping.cancelled() => return None,
            };
            match read {
                Ok(mut events) => {
                    // The order and bounds are the source's promise; a broken one must not move a position backwards.
                    events.retain(|event| event.sequence_number >= next);
                    events.truncate(max);
                    return Some(events);
                }
                Err(error) => {
                    let line = format!(
                        "partition {} cannot be read: {error}; trying again",
                        self.partition.partition
                    );
                    self.invoker.events.log(LogLevel::Error, Some(&self.function.name), line);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.invoker.stopping.cancelled() => return None,
            }
        }
    }

    async fn write_checkpoint(&self, last: &SourceEvent) {
        let checkpoint = Checkpoint {
            sequence_number: last.sequence_number,
            offset: last.offset.clone(),
            written: Utc::now(),
        };
        let partition = self.partition.partition;
        match self.documents.set_checkpoint(&self.function.name, partition, &checkpoint).await {
            Ok(()) => self.invoker.events.emit(HostEvent::Checkpointed {
                function: self.function.name.clone(),
                partition,
                sequence_number: checkpoint.sequence_number,
            }),
            // The next batch writes a newer one; until then a restart replays.
            Err(error) => {
                self.invoker.events.log(LogLevel::Error, Some(&self.function.name), error.to_string())
            }
        }
    }
}
