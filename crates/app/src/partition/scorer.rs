//! The scorer that a partition uses for an equipment model, and what happens when it fails.

use std::sync::Arc;
use std::time::Instant;

use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, ScorerError, check_answer};
use twinwright_history::segment::Version;
use twinwright_kernels::life::LifeModel;
use twinwright_scoring::swap::Trial;

use crate::scorers::canary::Canary;

/// After so many failed batches in a row a scorer is left out until it is replaced.
const MAX_FAILURES: u32 = 3;
/// Bytes of scorer state a device may have.
pub const MAX_STATE: usize = 64 * 1024;

/// A prepared scorer with its stand-in.
pub struct ModelScorer {
    /// Which one it is.
    pub version: Version,
    /// Key of the device states it writes: a state of another scorer or baseline is not handed to it.
    pub key: Arc<str>,
    /// The baseline's signals, in its order.
    pub signals: Arc<[Arc<str>]>,
    /// What the baseline expects of each signal.
    pub expected: Vec<f64>,
    /// Says what a score means in time, where the baseline is a model of remaining life.
    pub life: Option<Arc<LifeModel>>,
    /// The scorer; `None` when it could not be loaded.
    pub scorer: Option<Box<dyn Scorer>>,
    /// The built-in scorer that stands in.
    pub stand_in: Box<dyn Scorer>,
    /// Failed batches in a row.
    pub failures: u32,
    /// Who serves a share of the devices in its place.
    pub canary: Option<Canary>,
    /// What compares it with another version, while one is on trial.
    pub trial: Option<Trial>,
}

impl std::fmt::Debug for ModelScorer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ModelScorer")
            .field("version", &self.version)
            .field("failures", &self.failures)
            .finish()
    }
}

/// Who scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The scorer.
    Scorer,
    /// The stand-in.
    StandIn,
}

/// An answer and what went wrong before it.
pub struct Outcome {
    /// The answer, if there is any.
    pub answer: Option<(Who, Scored)>,
    /// Why the scorer did not answer.
    pub error: Option<ScorerError>,
}

impl ModelScorer {
    /// Whether the scorer itself will be asked.
    pub fn is_trusted(&self) -> bool {
        self.scorer.is_some() && self.failures < MAX_FAILURES
    }

    /// Scores with the scorer itself, or not at all; nobody compares or counts it.
    ///
    /// # Errors
    /// [`ScorerError`]; `None` where there is no scorer.
    pub fn score_alone(&mut self, batch: &ScoreBatch<'_>) -> Option<Result<Scored, ScorerError>> {
        Some(checked(self.scorer.as_mut()?.as_mut(), batch))
    }

    /// Scores with the scorer, or with the stand-in and its states when that fails. `devices` are numbers of the
    /// batch's devices that stay theirs from batch to batch.
    pub fn score(&mut self, batch: &ScoreBatch<'_>, stand_in: &ScoreBatch<'_>, devices: &[u32]) -> Outcome {
        let mut error = None;
        if self.failures < MAX_FAILURES
            && let Some(scorer) = &mut self.scorer
        {
            let started = self.trial.is_some().then(Instant::now);
            let answer = checked(scorer.as_mut(), batch);
            if let (Some(trial), Some(started)) = (&mut self.trial, started) {
                trial.observe(batch, devices, answer.as_ref(), started.elapsed());
            }
            match answer {
                Ok(answer) => {
                    self.failures = 0;
                    return Outcome { answer: Some((Who::Scorer, answer)), error: None };
                }
                Err(cause) => {
                    self.failures += 1;
                    error = Some(cause);
                }
            }
        }
        let answer =
            self.stand_in.score(stand_in).ok().filter(|a| check_answer(stand_in, a, MAX_STATE).is_ok());
        Outcome { answer: answer.map(|answer| (Who::StandIn, answer)), error }
    }
}

/// An answer that keeps the contract.
fn checked(scorer: &mut dyn Scorer, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError> {
    let answer = scorer.score(batch)?;
    match check_answer(batch, &answer, MAX_STATE) {
        Ok(()) => Ok(answer),
        Err(cause) => Err(ScorerError::Contract { scorer: scorer.id().to_owned(), cause }),
    }
}
