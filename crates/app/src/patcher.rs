//! Sends twin updates in the background: coalesced, conditional, within ADT's limits. A slow or failing service
//! never holds up a batch.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tracing::{Instrument, debug, info_span, warn};
use twinwright_core::outgoing::{Outgoing, Refusal, Sent};
use twinwright_core::patch::{LifePatch, TwinUpdate};
use twinwright_core::time::{Micros, SECOND};

use crate::clock::now;
use crate::kill;
use crate::ports::{TwinAnswer, TwinPort, TwinVersion};

/// How long a service that cannot be reached is left alone: doubles from the first to the second.
const BACK_OFF: (Micros, Micros) = (SECOND / 4, 30 * SECOND);
/// Twins whose ETag is remembered at the most.
const MAX_KNOWN: usize = 200_000;

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PatchCounts {
    /// Patches that the service took.
    pub patched: u64,
    /// Throttled tries.
    pub throttled: u64,
    /// Failed tries.
    pub failed: u64,
}

#[derive(Default)]
struct Shared {
    outgoing: Outgoing,
    confirmed: HashMap<u32, Vec<(Arc<str>, i64)>>,
    known: HashMap<Arc<str>, TwinVersion>,
    /// Twins whose model has no remaining life.
    lifeless: HashSet<Arc<str>>,
    failures: u32,
    counts: PatchCounts,
}

/// Hands updates to the background task; cheap to clone.
#[derive(Clone)]
pub struct Patcher {
    shared: Arc<Mutex<Shared>>,
    wake: Arc<Notify>,
}

impl std::fmt::Debug for Patcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Patcher").field("waiting", &self.waiting()).finish()
    }
}

impl Patcher {
    /// Starts the background task; it ends with the runtime.
    pub fn start(port: Arc<dyn TwinPort>, parallel: usize) -> Self {
        let patcher = Self { shared: Arc::default(), wake: Arc::default() };
        tokio::spawn(patcher.clone().run(port, parallel));
        patcher
    }

    /// Takes updates; older ones of the same twins are replaced.
    pub fn offer(&self, updates: impl IntoIterator<Item = TwinUpdate>, now: Micros) {
        let mut shared = self.lock();
        for update in updates {
            shared.outgoing.offer(update, now);
        }
        drop(shared);
        self.wake.notify_one();
    }

    /// Twins of a partition that are known to show an event, since the last call.
    pub fn take_confirmed(&self, partition: u32) -> Vec<(Arc<str>, i64)> {
        self.lock().confirmed.remove(&partition).unwrap_or_default()
    }

    /// Twins with something that is not out.
    pub fn waiting(&self) -> usize {
        self.lock().outgoing.len()
    }

    /// Some of the updates that the service refuses, with its words.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.lock().outgoing.refusals(20)
    }

    /// Counters since the start.
    pub fn counts(&self) -> PatchCounts {
        self.lock().counts
    }

    /// Waits until all is out, or the time is over. Answers whether all is out.
    pub async fn drain(&self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + within;
        while self.waiting() > 0 {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self, port: Arc<dyn TwinPort>, parallel: usize) {
        let permits = Arc::new(Semaphore::new(parallel));
        loop {
            let (due, next) = {
                let mut shared = self.lock();
                let free = permits.available_permits();
                (shared.outgoing.take_due(now(), free), shared.outgoing.next_due())
            };
            for update in due {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
                let (patcher, port) = (self.clone(), Arc::clone(&port));
                let span = info_span!("patch", twin = &*update.twin, sequence = update.sequence);
                let task = async move {
                    let sent = patcher.send(&*port, &update).await;
                    kill::point("patched");
                    patcher.finish(&update, sent);
                    drop(permit);
                    patcher.wake.notify_one();
                };
                tokio::spawn(task.instrument(span));
            }
            let pause = next.filter(|_| permits.available_permits() > 0).map_or(SECOND, |due| due - now());
            let pause = Duration::from_micros(u64::try_from(pause.clamp(0, SECOND)).unwrap_or(0));
            let _ = tokio::time::timeout(pause, self.wake.notified()).await;
        }
    }

    /// Sends one update unless the twin shows something newer already.
    async fn send(&self, port: &dyn TwinPort, update: &TwinUpdate) -> Sent {
        // One retry: somebody else (a command's outcome) may write the same twin at the same time.
        for _ in 0..2 {
            let known = self.lock().known.get(&update.twin).cloned();
            let version = match known {
                Some(version) => version,
                None => match port.version(&update.twin).await {
                    TwinAnswer::Done(version) => version,
                    other => return self.failed(&update.twin, &other),
                },
            };
            // An instance that lost the partition may still have patches: what is newer stays.
            if version.observed_at.is_some_and(|shown| shown > update.observed_at) {
                return Sent::Done;
            }
            let mut life = match &update.health.remaining_life {
                None if version.shows_life => LifePatch::Remove,
                Some(_) if !self.lock().lifeless.contains(&update.twin) => LifePatch::Write,
                _ => LifePatch::Leave,
            };
            let mut answer = port.patch(&update.twin, update.json_patch(life), &version.etag).await;
            if life == LifePatch::Write && matches!(answer, TwinAnswer::Refused(_)) {
                // The rest of the twin need not go without what its model has no place for.
                let without =
                    port.patch(&update.twin, update.json_patch(LifePatch::Leave), &version.etag).await;
                if let TwinAnswer::Done(_) = without {
                    self.lifeless(&update.twin);
                    (answer, life) = (without, LifePatch::Leave);
                }
            }
            match answer {
                TwinAnswer::Done(etag) => {
                    let mut shared = self.lock();
                    if shared.known.len() >= MAX_KNOWN {
                        shared.known.clear();
                    }
                    let shows_life = match life {
                        LifePatch::Write => true,
                        LifePatch::Remove => false,
                        LifePatch::Leave => version.shows_life,
                    };
                    let observed_at = Some(update.observed_at);
                    let version = TwinVersion { etag, observed_at, shows_life };
                    shared.known.insert(Arc::clone(&update.twin), version);
                    return Sent::Done;
                }
                TwinAnswer::Changed => {
                    self.lock().known.remove(&update.twin);
                }
                other => return self.failed(&update.twin, &other),
            }
        }
        Sent::Later(SECOND / 5)
    }

    fn lifeless(&self, twin: &Arc<str>) {
        let mut shared = self.lock();
        if shared.lifeless.len() >= MAX_KNOWN {
            shared.lifeless.clear();
        }
        if shared.lifeless.insert(Arc::clone(twin)) {
            warn!(
                twin = &**twin,
                "its model has no remainingLife, which is left out; give the twin dtmi:twinwright:Equipment;2 and \
                 restart"
            );
        }
    }

    fn failed<T>(&self, twin: &Arc<str>, answer: &TwinAnswer<T>) -> Sent {
        let mut shared = self.lock();
        shared.known.remove(twin);
        match answer {
            TwinAnswer::Throttled(after) => {
                shared.counts.throttled += 1;
                Sent::Later(*after)
            }
            TwinAnswer::NotFound => Sent::Refused(format!(
                "there is no twin {twin:?}; create it: twinwright twins create {twin} --model dtmi:twinwright:Equipment;1"
            )),
            TwinAnswer::Refused(cause) => Sent::Refused(cause.clone()),
            TwinAnswer::Unavailable(cause) => {
                shared.counts.failed += 1;
                shared.failures = (shared.failures + 1).min(16);
                if shared.failures == 1 {
                    warn!(cause, "twins cannot be written; patches wait, coalesced");
                }
                Sent::Later((BACK_OFF.0 << shared.failures.min(10)).min(BACK_OFF.1))
            }
            TwinAnswer::Done(_) | TwinAnswer::Changed => Sent::Later(SECOND / 5),
        }
    }

    fn finish(&self, update: &TwinUpdate, sent: Sent) {
        let mut shared = self.lock();
        match &sent {
            Sent::Done => {
                shared.counts.patched += 1;
                if std::mem::take(&mut shared.failures) > 0 {
                    tracing::info!("twins can be written again");
                }
                debug!("patched");
            }
            Sent::Refused(cause) => warn!(twin = &*update.twin, cause, "twin not patched"),
            Sent::Later(_) => {}
        }
        if let Some(out) = shared.outgoing.sent(&update.twin, sent, now()) {
            shared.confirmed.entry(update.partition).or_default().push((Arc::clone(&update.twin), out));
        }
    }
}

#[cfg(test)]
mod tests {
    use twinwright_core::patch::{Health, RemainingLife};

    use super::*;
    use crate::testing::{FakeTwins, runtime};

    fn update(sequence: i64, life: bool) -> TwinUpdate {
        let remaining = RemainingLife { value: 41.5, low: 30.0, high: 52.0, unit: Arc::from("cycles") };
        let health = Health { remaining_life: life.then_some(remaining), ..Health::default() };
        TwinUpdate { twin: "pump-1".into(), sequence, observed_at: sequence, health, ..TwinUpdate::default() }
    }

    /// The patches that twins took of these updates, one after another.
    fn patches(twins: FakeTwins, updates: Vec<TwinUpdate>) -> Vec<String> {
        runtime().block_on(async {
            let twins = Arc::new(twins);
            let patcher = Patcher::start(Arc::clone(&twins) as Arc<dyn TwinPort>, 1);
            for update in updates {
                patcher.offer([update], now());
                assert!(patcher.drain(Duration::from_secs(10)).await, "{:?}", patcher.refusals());
            }
            std::mem::take(&mut *twins.patches.lock().unwrap())
        })
    }

    #[test]
    fn a_twin_whose_model_has_no_remaining_life_gets_the_rest() {
        let twins = FakeTwins { knows_no_life: true, ..FakeTwins::default() };
        let taken = patches(twins, vec![update(1, true), update(2, true)]);
        assert_eq!(taken.len(), 2);
        assert!(taken.iter().all(|patch| !patch.contains("remainingLife")), "{taken:?}");
    }

    #[test]
    fn a_remaining_life_that_nobody_vouches_for_is_taken_away_once() {
        let twins = FakeTwins { shows_life: true, ..FakeTwins::default() };
        let taken =
            patches(twins, vec![update(1, false), update(2, false), update(3, true), update(4, false)]);
        let told = |patch: &String| (patch.contains(r#""remove""#), patch.contains(r#""value":41.5"#));
        let told: Vec<(bool, bool)> = taken.iter().map(told).collect();
        assert_eq!(told, [(true, false), (false, false), (false, true), (true, false)]);
    }
}
