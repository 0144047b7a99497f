//! One instance of a scorer, prepared with one baseline, behind the domain's `Scorer` trait.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, ScorerError, StateBlobs, check_answer};
use twinwright_kernels::wire::Packed;
use wasmtime::{Store, Trap};

use crate::bindings::exports::twinwright::scoring::scoring as contract;
use crate::engine::ticks;
use crate::guest::Guest;
use crate::loaded::{LoadedScorer, store};
use crate::text::{cause, tame};
use crate::{LoadError, bindings};

/// Limits of one instance, below those of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bound of one call of `score`.
    pub deadline: Option<Duration>,
    /// Linear memory, bytes.
    pub memory: Option<usize>,
}

/// A running scorer. It owns no state of devices: a failed batch is lost in nothing but its own answer, and the
/// next batch meets a fresh instance.
pub struct WasmScorer {
    loaded: LoadedScorer,
    baseline: Arc<[u8]>,
    deadline: Duration,
    deadline_ticks: u64,
    memory: usize,
    live: Option<Live>,
}

struct Live {
    store: Store<Guest>,
    scorer: bindings::Scorer,
    batches: u32,
    /// Bytes after the first batch: what it needs, where nothing leaks.
    needed: usize,
}

/// An instance that grows is replaced only after so many batches: one of them may just have been a large one.
const LEAST_BATCHES: u32 = 16;

impl Live {
    /// Counts a batch. Says whether the instance may take another one: not after its last, and not where its memory has
    /// grown half way from what it needed at first to the limit. Interpreters collect late, and some leak.
    fn lasts(&mut self, retire_after: u32, limit: usize) -> bool {
        let memory = self.store.data().memory();
        self.batches += 1;
        if self.batches == 1 {
            self.needed = memory;
        }
        let grown = memory.saturating_sub(self.needed);
        let leaks = self.batches >= LEAST_BATCHES && grown > limit.saturating_sub(self.needed) / 2;
        self.batches < retire_after && !leaks
    }
}

impl std::fmt::Debug for WasmScorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmScorer")
            .field("id", &self.loaded.id())
            .field("live", &self.live.is_some())
            .finish()
    }
}

impl WasmScorer {
    pub(crate) fn new(loaded: LoadedScorer, baseline: Arc<[u8]>, limits: Limits) -> Result<Self, LoadError> {
        let config = &loaded.inner.shared.config;
        let deadline = limits.deadline.unwrap_or(config.deadline).min(config.deadline);
        let memory = limits.memory.unwrap_or(config.memory_limit).min(config.memory_limit);
        let mut scorer =
            Self { loaded, baseline, deadline, deadline_ticks: ticks(deadline), memory, live: None };
        let live = scorer.start().map_err(|failure| LoadError::Prepare {
            scorer: scorer.loaded.id().to_owned(),
            cause: match failure {
                ScorerError::Deadline { deadline_ms, .. } => {
                    format!("it ran past its deadline of {deadline_ms} ms")
                }
                ScorerError::Trapped { cause, .. }
                | ScorerError::Refused { cause, .. }
                | ScorerError::Contract { cause, .. } => cause,
            },
        })?;
        scorer.live = Some(live);
        Ok(scorer)
    }

    /// The scorer it is an instance of.
    pub fn loaded(&self) -> &LoadedScorer {
        &self.loaded
    }

    /// Fuel that this instance has taken so far, where the engine meters it.
    pub fn fuel(&self) -> Option<u64> {
        let left = self.live.as_ref()?.store.get_fuel().ok()?;
        Some(u64::MAX - left)
    }

    fn start(&self) -> Result<Live, ScorerError> {
        let inner = &self.loaded.inner;
        let deadline = inner.shared.config.prepare_deadline;
        let mut store = store(&inner.shared, &inner.id, deadline, self.memory);
        inner.metrics.instance();
        let scorer = match inner.pre.instantiate(&mut store) {
            Ok(scorer) => scorer,
            Err(error) => return Err(self.failure(&error, store.data(), deadline)),
        };
        store.data_mut().begin();
        let document = inner.model.as_ref().map(|model| model.with_baseline(&self.baseline));
        let document = document.as_deref().unwrap_or(&self.baseline);
        let prepared = scorer.twinwright_scoring_scoring().call_prepare(&mut store, document);
        inner.metrics.dropped(store.data_mut().end());
        match prepared {
            Ok(Ok(())) => Ok(Live { store, scorer, batches: 0, needed: 0 }),
            Ok(Err(text)) => Err(ScorerError::Refused { scorer: inner.id.clone(), cause: tame(&text) }),
            Err(error) => Err(self.failure(&error, store.data(), deadline)),
        }
    }

    /// Gives an engine's error its name.
    fn failure(&self, error: &wasmtime::Error, guest: &Guest, deadline: Duration) -> ScorerError {
        let scorer = self.loaded.id().to_owned();
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => ScorerError::Deadline {
                scorer,
                deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            },
            Some(trap) => {
                let memory = guest.memory_refused().map_or(String::new(), |wanted| {
                    let limit = guest.memory_limit();
                    format!("memory limit of {limit} bytes reached ({wanted} wanted): ")
                });
                ScorerError::Trapped { scorer, cause: format!("{memory}{trap}") }
            }
            // Whatever is no trap was found while its answer was taken over: bad pointers, bad texts, too much.
            None => ScorerError::Contract { scorer, cause: cause(error) },
        }
    }

    fn call(&self, live: &mut Live, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError> {
        let config = &self.loaded.inner.shared.config;
        let broke = |cause: String| ScorerError::Contract { scorer: self.loaded.id().to_owned(), cause };
        let signals = u32::try_from(batch.signals).map_err(|_| broke("too many signals".to_owned()))?;
        live.store.set_epoch_deadline(self.deadline_ticks);
        live.store.data_mut().begin();
        let answer = live.scorer.twinwright_scoring_scoring().call_score(
            &mut live.store,
            contract::Batch {
                signals,
                device: u32::bytes(batch.device),
                time: i64::bytes(batch.time),
                values: f64::bytes(batch.values),
                mask: batch.mask,
                state: &batch.state.bytes,
                state_ends: u32::bytes(&batch.state.ends),
            },
        );
        self.loaded.inner.metrics.dropped(live.store.data_mut().end());
        match answer {
            Ok(Ok(answer)) => {
                let scored = unpack(answer).map_err(broke)?;
                check_answer(batch, &scored, config.state_limit).map_err(broke)?;
                Ok(scored)
            }
            Ok(Err(text)) => {
                Err(ScorerError::Refused { scorer: self.loaded.id().to_owned(), cause: tame(&text) })
            }
            Err(error) => Err(self.failure(&error, live.store.data(), self.deadline)),
        }
    }
}

impl Scorer for WasmScorer {
    fn id(&self) -> &str {
        self.loaded.id()
    }

    fn score(&mut self, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError> {
        let metrics = &self.loaded.inner.metrics;
        let started = Instant::now();
        let live = self.live.take().map_or_else(|| self.start(), Ok);
        let (mut live, scored) = live
            .and_then(|mut live| self.call(&mut live, batch).map(|scored| (live, scored)))
            .inspect_err(|error| metrics.failed(error))?;
        metrics.answered(batch.device.len(), started.elapsed(), live.store.data().memory());
        // An instance that failed is not trusted again: it is dropped with the error above.
        if live.lasts(self.loaded.inner.shared.config.retire_after, self.memory) {
            self.live = Some(live);
        }
        Ok(scored)
    }
}

fn unpack(answer: contract::Scored) -> Result<Scored, String> {
    fn numbers<T: Packed>(name: &str, bytes: &[u8]) -> Result<Vec<T>, String> {
        T::view(bytes).map(Cow::into_owned).ok_or_else(|| format!("its {name} end within a number"))
    }
    Ok(Scored {
        scores: numbers("scores", &answer.scores)?,
        status: answer.status,
        contributions: numbers("contributions", &answer.contributions)?,
        state: StateBlobs { bytes: answer.state, ends: numbers("state-ends", &answer.state_ends)? },
    })
}
