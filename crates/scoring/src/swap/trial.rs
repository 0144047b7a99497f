//! Running two versions on the same rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, ScorerError, StateBlobs};

use super::{Candidate, Evidence, SwapPolicy, Verdict, judge};

/// Who of the two serves the devices of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The promoted version serves, the version on trial runs beside it.
    PromotedServes,
    /// The version on trial serves (as canary, or on probation); the promoted one before it runs beside it, if any.
    CandidateServes,
}

type Told = Box<dyn Fn(&Candidate, &Verdict) + Send + Sync>;

/// What all partitions of a process know of one stage of one trial. Once there is a verdict nothing more is compared.
pub struct TrialRecord {
    candidate: Candidate,
    policy: SwapPolicy,
    evidence: Mutex<Evidence>,
    verdict: OnceLock<Verdict>,
    told: Told,
}

impl std::fmt::Debug for TrialRecord {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TrialRecord")
            .field("candidate", &self.candidate)
            .field("verdict", &self.verdict.get())
            .finish_non_exhaustive()
    }
}

impl TrialRecord {
    /// A stage begins; `told` hears the verdict once, from within a batch, so it must not block.
    pub fn new(
        candidate: Candidate,
        policy: SwapPolicy,
        told: impl Fn(&Candidate, &Verdict) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (evidence, verdict) = (Mutex::default(), OnceLock::new());
        Arc::new(Self { candidate, policy, evidence, verdict, told: Box::new(told) })
    }

    /// What is on trial.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// The verdict, once there is one.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.get()
    }

    /// What was seen so far.
    pub fn evidence(&self) -> Evidence {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the stage with a verdict from elsewhere: the component cannot be loaded, say.
    pub fn end(&self, verdict: Verdict) {
        if self.verdict.set(verdict).is_ok()
            && let Some(verdict) = self.verdict.get()
        {
            (self.told)(&self.candidate, verdict);
        }
    }

    fn learn(&self, change: impl FnOnce(&mut Evidence)) {
        let verdict = {
            let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut evidence);
            judge(self.candidate.stage, &evidence, &self.policy)
        };
        if verdict != Verdict::Continue {
            self.end(verdict);
        }
    }
}

/// Runs the version that does not serve beside the one that does. It has states of its own, which no result depends
/// on: they are neither stored nor replayed.
pub struct Trial {
    record: Arc<TrialRecord>,
    role: Role,
    other: Option<Box<dyn Scorer>>,
    states: HashMap<u32, Vec<u8>>,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Trial")
            .field("record", &self.record)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Trial {
    /// Joins a stage with the scorer that does not serve.
    pub fn new(record: Arc<TrialRecord>, role: Role, other: Option<Box<dyn Scorer>>) -> Self {
        Self { record, role, other, states: HashMap::new() }
    }

    /// What it adds to.
    pub fn record(&self) -> &Arc<TrialRecord> {
        &self.record
    }

    /// Learns from a batch that was served: its rows, its devices by a number that stays theirs, what the serving
    /// version answered and how long it took.
    pub fn observe(
        &mut self,
        batch: &ScoreBatch<'_>,
        devices: &[u32],
        served: Result<&Scored, &ScorerError>,
        took: Duration,
    ) {
        if self.record.verdict().is_some() {
            return;
        }
        let rows = batch.device.len();
        let other = self.beside(batch, devices);
        let role = self.role;
        self.record.learn(|evidence| {
            let (server, beside) = match role {
                Role::PromotedServes => (&mut evidence.promoted, &mut evidence.candidate),
                Role::CandidateServes => (&mut evidence.candidate, &mut evidence.promoted),
            };
            match served {
                Ok(_) => server.answered(took, rows),
                Err(error) => server.failed(error),
            }
            match &other {
                Some((Ok(_), took)) => beside.answered(*took, rows),
                Some((Err(error), _)) => beside.failed(error),
                None => {}
            }
            if let (Ok(served), Some((Ok(other), _))) = (served, &other) {
                match role {
                    Role::PromotedServes => evidence.compare(served, other),
                    Role::CandidateServes => evidence.compare(other, served),
                }
            }
        });
    }

    fn beside(
        &mut self,
        batch: &ScoreBatch<'_>,
        devices: &[u32],
    ) -> Option<(Result<Scored, ScorerError>, Duration)> {
        let other = self.other.as_mut()?;
        let mut state = StateBlobs::default();
        for device in devices {
            state.push(self.states.get(device).map_or(&[][..], Vec::as_slice));
        }
        let started = Instant::now();
        let answer = other.score(&ScoreBatch { state: &state, ..*batch });
        let took = started.elapsed();
        if let Ok(answer) = &answer {
            for (at, device) in devices.iter().enumerate() {
                let blob = answer.state.get(at).unwrap_or_default();
                let kept = self.states.entry(*device).or_default();
                kept.clear();
                kept.extend_from_slice(blob);
            }
        }
        Some((answer, took))
    }
}
