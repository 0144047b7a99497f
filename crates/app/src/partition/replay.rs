//! How a partition's state comes to where a batch begins: from the newest snapshot and the segments after it.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::{info, warn};
use twinwright_core::frame::SequenceRange;
use twinwright_core::gate::{Arrival, arrival};
use twinwright_core::time::Micros;

use super::apply::{Plant, apply};
use super::check::check;
use super::ingest::{Ingest, IngestError, Slot, run_scoring};
use super::look_back::look_back;
use super::scorer::ModelScorer;
use super::state::{Gap, PartitionState};
use crate::scorers::canary;

/// For whom segments are replayed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// For the instance that has the partition now: what the last one may not have sent or written goes out again.
    Serve,
    /// For somebody who only looks: nothing leaves.
    Look,
}

impl Ingest {
    /// Brings the state to where the batch begins, and says what of it is new.
    pub(super) async fn arrive(
        &self,
        slot: &mut Slot,
        partition: u32,
        range: SequenceRange,
        first_enqueued: Micros,
        now: Micros,
    ) -> Result<Arrival, IngestError> {
        let decide = |slot: &Slot| {
            arrival(slot.state.as_ref().and_then(|state| state.position.as_ref()), range, first_enqueued)
        };
        let mut decision = decide(slot);
        if let Arrival::Ahead { .. } = decision {
            self.catch_up(slot, partition, now, Purpose::Serve).await?;
            decision = decide(slot);
        }
        let state = slot.state.get_or_insert_default();
        match decision {
            Arrival::Ahead { missing } => {
                warn!(
                    partition,
                    first = missing.first,
                    last = missing.last,
                    "gap: no segment holds these events"
                );
                state.add_gap(Gap { range: missing, before: first_enqueued, epoch: state.epoch() });
                Ok(Arrival::Next)
            }
            Arrival::NewEpoch => {
                warn!(partition, first = range.first, "the hub was re-created: sequence numbers began anew");
                new_epoch(state);
                Ok(Arrival::Next)
            }
            decision => Ok(decision),
        }
    }

    /// Loads the newest snapshot and replays what came after it.
    pub(super) async fn cold_start(
        &self,
        slot: &mut Slot,
        partition: u32,
        now: Micros,
        purpose: Purpose,
    ) -> Result<u32, IngestError> {
        let snapshot = self.snapshots.latest(partition).await.map_err(|cause| IngestError::Storage {
            partition,
            action: "read the snapshot",
            cause,
        })?;
        slot.state = Some(snapshot.and_then(|s| PartitionState::from_snapshot(&s.bytes)).unwrap_or_default());
        self.catch_up(slot, partition, now, purpose).await
    }

    /// Replays the segments that the state has not seen, with the versions that scored them. Answers how many.
    async fn catch_up(
        &self,
        slot: &mut Slot,
        partition: u32,
        now: Micros,
        purpose: Purpose,
    ) -> Result<u32, IngestError> {
        let storage = |action| move |cause| IngestError::Storage { partition, action, cause };
        let mut state = slot.state.take().unwrap_or_default();
        let since = state.position.map(|position| position.enqueued);
        let mut names =
            self.segments.after(partition, i64::MIN, since).await.map_err(storage("list the segments"))?;
        names.sort_by_key(|name| (name.first_enqueued, name.first));
        let mut scorers: HashMap<Arc<str>, ModelScorer> = HashMap::new();
        let mut replayed = 0_u32;
        for name in names {
            let range = SequenceRange { first: name.first, last: name.last };
            let decision = arrival(state.position.as_ref(), range, name.first_enqueued);
            if decision == Arrival::Replay {
                continue;
            }
            let (mut frame, metadata) = self.segments.load(&name).await.map_err(storage("read a segment"))?;
            match decision {
                Arrival::Overlap { from } => frame.start_at(from),
                Arrival::Ahead { missing } => {
                    state.add_gap(Gap { range: missing, before: name.first_enqueued, epoch: state.epoch() });
                }
                Arrival::NewEpoch => new_epoch(&mut state),
                Arrival::Next | Arrival::Replay => {}
            }
            for (model, version) in &metadata.versions {
                if scorers.get(model.as_str()).is_none_or(|scorer| scorer.version != *version)
                    && let Some(scorer) = self.catalog.exact(model, version).await.and_then(|s| s.prepare())
                {
                    scorers.insert(Arc::from(model.as_str()), scorer);
                }
            }
            scorers.retain(|model, _| metadata.versions.contains_key(&**model));
            canary::connect(&metadata.versions, &mut scorers);
            let known = state.devices.len();
            let places = check(&mut state, &mut frame, &self.config.equipment);
            look_back(&self.segments, &mut state, known, &frame, &places, &mut scorers)
                .await
                .map_err(storage("read the rows before"))?;
            let plant = Plant { hub: &self.config.hub, equipment: &self.config.equipment };
            let effects = run_scoring(|| apply(&mut state, &frame, &places, &mut scorers, plant));
            if purpose == Purpose::Serve {
                self.scores.add(&frame, &effects.scores);
            }
            state.outbox = effects.outputs;
            replayed += 1;
        }
        if replayed > 0 {
            slot.scorers = scorers;
            slot.segments = slot.segments.saturating_add(replayed);
        }
        if replayed > 0 && purpose == Purpose::Serve {
            info!(partition, segments = replayed, "replayed what was stored before");
            let behind = (0_u32..).zip(&state.devices).filter(|(_, device)| device.updated > device.patched);
            let behind: Vec<u32> = behind.map(|(at, _)| at).collect();
            self.offer(&mut state, &behind, partition, now);
        }
        slot.state = Some(state);
        Ok(replayed)
    }

    /// Lets somebody see a partition's state as its segments have it now; nothing is sent or stored.
    ///
    /// A partition that this instance serves is seen as it is in memory. One that another instance serves is followed:
    /// its state is kept between two looks, so that each reads the new segments only.
    ///
    /// # Errors
    /// [`IngestError::Storage`].
    pub async fn look<T>(
        &self,
        partition: u32,
        now: Micros,
        see: impl FnOnce(&PartitionState) -> T,
    ) -> Result<T, IngestError> {
        let slot = self.slot(partition);
        let served = slot.lock().await.state.clone();
        let mut followers = self.followers.lock().await;
        let mut follower = followers.remove(&partition).unwrap_or_default();
        let is_served = served.is_some();
        if served.as_ref().map(PartitionState::reached)
            >= follower.state.as_ref().map(PartitionState::reached)
        {
            follower.state = served;
        }
        let replayed = if follower.state.is_some() {
            self.catch_up(&mut follower, partition, now, Purpose::Look).await?
        } else {
            self.cold_start(&mut follower, partition, now, Purpose::Look).await?
        };
        let seen = see(follower.state.get_or_insert_default());
        if replayed > 0 || !is_served {
            followers.insert(partition, follower);
        }
        Ok(seen)
    }
}

/// Sequence numbers began anew: what is known of the devices stays, the position does not.
fn new_epoch(state: &mut PartitionState) {
    let epoch = state.epoch() + 1;
    let enqueued = state.position.map_or(Micros::MIN, |position| position.enqueued);
    // `i64::MIN` is below every number, so that the next range is ahead of it without being a gap.
    state.position = Some(twinwright_core::gate::Position { sequence: i64::MIN, enqueued, epoch });
    for device in &mut state.devices {
        device.updated = -1;
        device.patched = -1;
    }
}
