//! Verdicts on their way into the decision log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{info, warn};
use twinwright_scoring::swap::{Candidate, Stage, SwapPolicy, TrialRecord, Verdict};

use super::decisions::{Decisions, Note};
use crate::clock::now;

/// Pause before a decision that storage did not take is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who decides when no person does.
pub const BY_ITSELF: &str = "twinwright";

/// The trials that this process takes part in, one an equipment model.
#[derive(Debug)]
pub struct Trials {
    decisions: Decisions,
    policy: SwapPolicy,
    running: Mutex<HashMap<String, Arc<TrialRecord>>>,
    /// Grows with every decision made here: what was read before is outdated.
    decided: Arc<AtomicU64>,
}

impl Trials {
    /// No trial yet.
    pub fn new(decisions: Decisions, policy: SwapPolicy) -> Self {
        Self { decisions, policy, running: Mutex::default(), decided: Arc::default() }
    }

    /// Counts the decisions that this process made.
    pub fn decided(&self) -> u64 {
        self.decided.load(Ordering::Acquire)
    }

    /// The record of a model's trial: the one that runs, or a new one where the trial or its stage is new. Needs a
    /// tokio runtime, on which the verdict is carried away.
    pub fn join(&self, model: &str, candidate: &Candidate) -> Arc<TrialRecord> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = running.get(model).filter(|record| record.candidate() == candidate) {
            return Arc::clone(record);
        }
        let (decisions, policy, decided) = (self.decisions.clone(), self.policy, Arc::clone(&self.decided));
        let (name, runtime) = (model.to_owned(), tokio::runtime::Handle::current());
        let record = TrialRecord::new(candidate.clone(), policy, move |candidate, verdict| {
            let task = carry(
                decisions.clone(),
                policy,
                Arc::clone(&decided),
                name.clone(),
                candidate.clone(),
                verdict.clone(),
            );
            runtime.spawn(task);
        });
        running.insert(model.to_owned(), Arc::clone(&record));
        record
    }

    /// Forgets a model's trial.
    pub fn leave(&self, model: &str) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(model);
    }

    /// Models with their trials, for the operator.
    pub fn list(&self) -> Vec<(String, Arc<TrialRecord>)> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().map(|(model, record)| (model.clone(), Arc::clone(record))).collect()
    }
}

/// Writes a verdict down, and does not give up while storage is away: until then nothing changes, and the version on
/// trial serves no more devices than before.
async fn carry(
    decisions: Decisions,
    policy: SwapPolicy,
    decided: Arc<AtomicU64>,
    model: String,
    candidate: Candidate,
    verdict: Verdict,
) {
    let (action, reason) = match (&verdict, candidate.stage) {
        (Verdict::RollBack(reason), _) => ("roll-back", reason.to_string()),
        (_, Stage::Shadow) => ("advance", "it scored as the promoted version does".to_owned()),
        (_, Stage::Canary) => ("promote", "it served its share as the promoted version does".to_owned()),
        (_, Stage::Probation) => ("settle", "it served all devices without a fault".to_owned()),
    };
    let release = candidate.release.id();
    let note = Note { by: BY_ITSELF, action, release: &release, reason: &reason };
    let mut pause = FIRST_PAUSE;
    loop {
        let at = now();
        let change = |standing: &twinwright_scoring::swap::Standing| {
            Ok(standing.apply(&candidate, &verdict, at, &policy))
        };
        match decisions.decide(&model, note, at, change).await {
            Ok(Some((number, _))) => {
                info!(model, release, action, reason, number, "scorer decision");
                break;
            }
            // Another instance or a person was quicker.
            Ok(None) => break,
            Err(error) => warn!(model, release, action, %error, "a scorer decision cannot be stored yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    decided.fetch_add(1, Ordering::Release);
}
