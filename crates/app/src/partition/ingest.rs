//! The way of an event, with its IO: cold start, decode, check, commit, score, decide, reply.
//!
//! The commit is the segment. A failure before it fails the invocation, and the host brings the batch again; the
//! partition's state in memory is then thrown away and rebuilt from what is stored. A failure after it is never
//! the batch's: what could not be sent is part of the state until it is known to be out.
//!
//! One file although it is long: the order of these steps is the argument for their correctness, and it is read whole.
//! How the state comes to where a batch begins is in `replay`.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use azure_functions_rs_custom_handler::EventHubBatch;
use bytes::Bytes;
use tracing::{Instrument, info, info_span, warn};
use twinwright_core::decode::{Decoded, Origin, RawEvent, Rejected, decode};
use twinwright_core::frame::{Frame, SequenceRange};
use twinwright_core::gate::Arrival;
use twinwright_core::time::Micros;
use twinwright_history::StoreError;
use twinwright_history::dead_letter::{DeadLetter, DeadLetters};
use twinwright_history::segment::{SegmentMetadata, Version};
use twinwright_history::segments::{Outcome, SegmentLog};
use twinwright_history::snapshot::SnapshotStore;
use twinwright_history::store::Store;

use super::apply::{Effects, Plant, apply, twin_update};
use super::check::check;
use super::look_back::look_back;
use super::replay::Purpose;
use super::scorer::ModelScorer;
use super::state::PartitionState;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::kill;
use crate::messages::Outputs;
use crate::patcher::Patcher;
use crate::scorers::{assets, canary};
use crate::scores::ScoreBuffer;

/// Why a batch could not be made durable.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Storage did not take or give something before the commit.
    #[error("partition {partition}: cannot {action}: {cause}")]
    Storage {
        /// Partition.
        partition: u32,
        /// What was tried.
        action: &'static str,
        /// Why not.
        cause: StoreError,
    },
    /// The batch breaks the contract of the trigger.
    #[error("the batch cannot be used: {0}")]
    Batch(String),
}

/// What an invocation did, for the log and the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Partition.
    pub partition: u32,
    /// Events in the batch.
    pub events: usize,
    /// Rows committed.
    pub committed: usize,
    /// Dead letters.
    pub dead_lettered: usize,
    /// Events that had been seen before.
    pub duplicates: usize,
    /// Rows with a score that counts: equipment model, scorer, how many.
    pub scored: Vec<(Arc<str>, Arc<str>, usize)>,
}

/// A partition's state and what belongs to it.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) state: Option<PartitionState>,
    pub(super) scorers: HashMap<Arc<str>, ModelScorer>,
    pub(super) segments: u32,
}

/// The `ingest` function.
pub struct Ingest {
    pub(super) config: Arc<Config>,
    pub(super) segments: SegmentLog,
    dead_letters: DeadLetters,
    pub(super) snapshots: SnapshotStore,
    pub(super) catalog: Arc<Catalog>,
    patcher: Option<Patcher>,
    pub(super) scores: Arc<ScoreBuffer>,
    slots: Mutex<HashMap<u32, Arc<tokio::sync::Mutex<Slot>>>>,
    /// Partitions that are only looked at.
    pub(super) followers: tokio::sync::Mutex<HashMap<u32, Slot>>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ingest").finish_non_exhaustive()
    }
}

impl Ingest {
    /// Puts the parts together; nothing is read before the first batch.
    pub fn new(
        config: Arc<Config>,
        store: &Store,
        catalog: Arc<Catalog>,
        patcher: Option<Patcher>,
        scores: Arc<ScoreBuffer>,
    ) -> Self {
        Self {
            segments: SegmentLog::new(store.clone(), config.hub.as_str()),
            dead_letters: DeadLetters::new(store.clone(), config.hub.as_str()),
            snapshots: SnapshotStore::new(store.clone(), config.hub.as_str()),
            config,
            catalog,
            patcher,
            scores,
            slots: Mutex::default(),
            followers: tokio::sync::Mutex::default(),
        }
    }

    /// Takes one batch of one partition to its commit and answers what to send.
    ///
    /// # Errors
    /// [`IngestError`] only where the batch could not be made durable.
    pub async fn batch(&self, batch: &EventHubBatch, now: Micros) -> Result<(Outputs, Summary), IngestError> {
        let partition: u32 = batch
            .partition_id
            .parse()
            .map_err(|_| IngestError::Batch(format!("partition id {:?} is no number", batch.partition_id)))?;
        if batch.len() > self.config.ingest.max_batch {
            let (events, limit) = (batch.len(), self.config.ingest.max_batch);
            return Err(IngestError::Batch(format!(
                "{events} events, ingest.max_batch is {limit}; lower maxEventBatchSize in host.json"
            )));
        }
        let slot = self.slot(partition);
        let mut slot = slot.lock().await;
        let span = info_span!("ingest", partition, events = batch.len());
        let result = self.locked(&mut slot, partition, batch, now).instrument(span).await;
        if result.is_err() {
            // Whatever the failed batch changed in memory is not known to be stored.
            *slot = Slot::default();
        }
        result
    }

    pub(super) fn slot(&self, partition: u32) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(partition).or_default())
    }

    async fn locked(
        &self,
        slot: &mut Slot,
        partition: u32,
        batch: &EventHubBatch,
        now: Micros,
    ) -> Result<(Outputs, Summary), IngestError> {
        kill::point("received");
        let mut summary = Summary { partition, events: batch.len(), ..Summary::default() };
        if slot.state.is_none() {
            self.cold_start(slot, partition, now, Purpose::Serve).await?;
        }
        let mut from = i64::MIN;
        if let (Some(first), Some(last)) = (batch.events().next(), batch.events().last()) {
            let range = SequenceRange { first: first.sequence_number(), last: last.sequence_number() };
            match self.arrive(slot, partition, range, first.enqueued_time_us(), now).await? {
                Arrival::Replay => from = i64::MAX,
                Arrival::Overlap { from: new } => from = new,
                _ => {}
            }
        } else {
            from = i64::MAX;
        }
        let state = slot.state.get_or_insert_default();
        if from == i64::MAX {
            summary.duplicates = batch.len();
            return Ok((state.outbox.clone(), summary));
        }
        summary.duplicates = batch.events().filter(|event| event.sequence_number() < from).count();
        let Decoded { mut frame, rejected } = self.decode(state, partition, batch, from);
        kill::point("decoded");
        summary.committed = frame.rows();
        summary.dead_lettered = rejected.len();
        let versions = self.versions(slot, &frame, now).await;
        let state = slot.state.get_or_insert_default();
        let known = state.devices.len();
        let places = check(state, &mut frame, &self.config.equipment);
        look_back(&self.segments, state, known, &frame, &places, &mut slot.scorers)
            .await
            .map_err(|cause| IngestError::Storage { partition, action: "read the rows before", cause })?;
        kill::point("checked");
        if !rejected.is_empty() {
            for letter in rejected.iter().take(3) {
                warn!(device = letter.device, sequence = letter.sequence, reason = %letter.reason, "dead letter");
            }
            self.dead_letters
                .write(partition, frame.range, frame.first_enqueued, &letters(partition, rejected))
                .await
                .map_err(|cause| IngestError::Storage { partition, action: "store dead letters", cause })?;
        }
        kill::point("dead-lettered");
        let metadata = SegmentMetadata { versions, epoch: state.epoch() };
        let commit = self.segments.commit(&frame, &metadata).await.map_err(|cause| IngestError::Storage {
            partition,
            action: "store the segment",
            cause,
        })?;
        kill::point("committed");
        if commit.outcome == Outcome::AlreadyStored {
            // Another instance stored this range first, perhaps decoded with other knowledge: what is stored rules.
            *slot = Slot::default();
            self.cold_start(slot, partition, now, Purpose::Serve).await?;
            summary.duplicates +=
                std::mem::take(&mut summary.committed) + std::mem::take(&mut summary.dead_lettered);
            let outbox = slot.state.as_ref().map(|state| state.outbox.clone());
            return Ok((outbox.unwrap_or_default(), summary));
        }
        // The arrival of this batch confirms that the reply to the one before was taken.
        state.outbox = Outputs::default();
        let started = Instant::now();
        let (equipment, hub) = (&self.config.equipment, self.config.hub.as_str());
        let scorers = &mut slot.scorers;
        let effects = run_scoring(|| apply(state, &frame, &places, scorers, Plant { hub, equipment }));
        kill::point("decided");
        self.report(&effects, partition, started);
        state.outbox = effects.outputs.clone();
        self.scores.add(&frame, &effects.scores);
        let scored = effects.scores.iter();
        summary.scored = scored
            .map(|part| (Arc::clone(&part.equipment), Arc::clone(&part.scorer), part.rows.len()))
            .collect();
        self.offer(state, &effects.touched, partition, now);
        kill::point("patches-offered");
        slot.segments += 1;
        if slot.segments >= self.config.ingest.snapshot_every_segments {
            self.snapshot(slot, partition).await;
        }
        kill::point("replying");
        Ok((effects.outputs, summary))
    }

    fn decode(&self, state: &PartitionState, partition: u32, batch: &EventHubBatch, from: i64) -> Decoded {
        let new = || batch.events().filter(move |event| event.sequence_number() >= from);
        let first = new().next();
        let range = SequenceRange {
            first: first.as_ref().map_or(0, |event| event.sequence_number()),
            last: batch.events().last().map_or(0, |event| event.sequence_number()),
        };
        let first_enqueued = first.map_or(0, |event| event.enqueued_time_us());
        let events = new().map(|event| RawEvent {
            sequence: event.sequence_number(),
            enqueued: event.enqueued_time_us(),
            device: event.device_id(),
            source: event.message_source(),
            body: event.body(),
            properties: event.properties_json(),
        });
        let is_signal = |name: &str| state.is_signal(name, &self.config.equipment);
        let last_enqueued = batch.events().last().map_or(first_enqueued, |event| event.enqueued_time_us());
        decode(Origin { partition, range, first_enqueued, last_enqueued }, events, &is_signal)
    }

    /// Makes the scorers of the frame's models current, and names the versions that will score it.
    async fn versions(&self, slot: &mut Slot, frame: &Frame, now: Micros) -> BTreeMap<String, Version> {
        let mut versions = BTreeMap::new();
        let assets = self.catalog.assets(now).await;
        for device in &frame.devices {
            let model = self.config.equipment.model_of(device);
            let asset = if assets.is_empty() { None } else { assets::key(model, device) };
            let asset = asset.filter(|key| assets.contains(key));
            for home in [model].into_iter().chain(asset.as_deref()) {
                if versions.contains_key(home) {
                    continue;
                }
                if let Some(selected) = self.catalog.current(home, now).await {
                    selected.install(home, &mut slot.scorers);
                    versions.extend(selected.versions(home));
                } else {
                    slot.scorers.retain(|key, _| canary::home_of(key) != home);
                }
            }
        }
        versions
    }

    /// Hands the newest of the touched twins to the patcher, and takes back what has gone out.
    pub(super) fn offer(&self, state: &mut PartitionState, touched: &[u32], partition: u32, now: Micros) {
        let Some(patcher) = &self.patcher else { return };
        for (twin, sequence) in patcher.take_confirmed(partition) {
            if let Some(device) = state.device_mut(&twin) {
                device.patched = device.patched.max(sequence);
            }
        }
        let updates = touched.iter().map(|&at| twin_update(state, &state.devices[at as usize], partition));
        patcher.offer(updates, now);
    }

    fn report(&self, effects: &Effects, partition: u32, started: Instant) {
        for (model, error) in &effects.failures {
            warn!(partition, model = &**model, %error, "scorer failed, the stand-in scored");
        }
        for alert in &effects.outputs.alerts {
            info!(partition, alert = alert.id, device = alert.device, "{}", alert.summary());
        }
        tracing::debug!(partition, micros = started.elapsed().as_micros(), "scored and decided");
    }

    async fn snapshot(&self, slot: &mut Slot, partition: u32) {
        slot.segments = 0;
        let Some(state) = &slot.state else { return };
        let Some(position) = state.position else { return };
        // A cold start scores nothing again that the snapshot holds.
        if !self.scores.flush_partition(partition).await {
            warn!(partition, "no snapshot while scores cannot be written; a cold start will replay more");
            return;
        }
        match state.to_snapshot() {
            Ok(bytes) => {
                let saved = self.snapshots.save(partition, position.epoch, position.sequence, &bytes).await;
                // A snapshot only saves time: the segments hold everything.
                if let Err(error) = saved {
                    warn!(partition, %error, "no snapshot; a cold start will replay more");
                }
            }
            Err(error) => warn!(partition, %error, "no snapshot; a cold start will replay more"),
        }
        kill::point("snapshot");
    }
}

/// What blocks a worker of the runtime no longer than this does not pay for a move of its other tasks.
const SHORT_MICROS: u64 = 5_000;

/// Runs work that takes long on this thread; the runtime moves its other tasks to another one first.
pub(crate) fn run_blocking<T>(work: impl FnOnce() -> T) -> T {
    let multi_threaded = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if multi_threaded { tokio::task::block_in_place(work) } else { work() }
}

/// Scores and decides on this thread. Where that took long the last time, the runtime moves its other tasks first.
pub(super) fn run_scoring<T>(work: impl FnOnce() -> T) -> T {
    static LAST_MICROS: AtomicU64 = AtomicU64::new(u64::MAX);
    let short = LAST_MICROS.load(Ordering::Relaxed) < SHORT_MICROS;
    let started = Instant::now();
    let done = if short { work() } else { run_blocking(work) };
    LAST_MICROS.store(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    done
}

/// Dead letters as they are stored: with everything needed to send them again.
fn letters(partition: u32, rejected: Vec<Rejected>) -> Vec<DeadLetter> {
    let letter = |rejected: Rejected| DeadLetter {
        partition,
        sequence: rejected.sequence,
        enqueued: rejected.enqueued,
        device: rejected.device,
        code: rejected.reason.code().to_owned(),
        reason: rejected.reason.to_string(),
        body: Bytes::from(rejected.body),
        properties: serde_json::from_str(&rejected.properties).unwrap_or_default(),
    };
    rejected.into_iter().map(letter).collect()
}
