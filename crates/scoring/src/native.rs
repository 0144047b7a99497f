//! The built-in kernels behind the domain's `Scorer` trait, without WebAssembly.

use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, ScorerError, StateBlobs};
use twinwright_kernels::{Baseline, Batch, EwmaChart, Kernel, ScorerKernel};

use crate::LoadError;

/// Scores a batch when its scorer failed, and until the scorer is compiled: the EWMA chart, which every
/// baseline has a limit for.
pub type StandIn = NativeScorer<EwmaChart>;

/// A kernel that runs as part of this program.
pub struct NativeScorer<K> {
    id: String,
    kernel: K,
}

impl<K: ScorerKernel> NativeScorer<K> {
    /// Prepares from the bytes of the JSON document that training wrote for this kernel.
    ///
    /// # Errors
    /// [`LoadError::Prepare`].
    pub fn new(json: &[u8]) -> Result<Self, LoadError> {
        Ok(Self { id: id::<K>(), kernel: K::prepare(json).map_err(|error| refuse::<K>(&error))? })
    }
}

impl<K: Kernel> NativeScorer<K> {
    /// Prepares from a baseline.
    ///
    /// # Errors
    /// [`LoadError::Prepare`].
    pub fn from_baseline(baseline: &Baseline) -> Result<Self, LoadError> {
        Ok(Self { id: id::<K>(), kernel: K::new(baseline).map_err(|error| refuse::<K>(&error))? })
    }
}

impl<K: ScorerKernel + Send> Scorer for NativeScorer<K> {
    fn id(&self) -> &str {
        &self.id
    }

    fn score(&mut self, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError> {
        let answer = self
            .kernel
            .score(&Batch {
                signals: batch.signals,
                device: batch.device,
                time: batch.time,
                values: batch.values,
                mask: batch.mask,
                state: &batch.state.bytes,
                state_ends: &batch.state.ends,
            })
            .map_err(|error| ScorerError::Refused { scorer: self.id.clone(), cause: error.to_string() })?;
        Ok(Scored {
            scores: answer.scores,
            status: answer.status,
            contributions: answer.contributions,
            state: StateBlobs { bytes: answer.state, ends: answer.state_ends },
        })
    }
}

fn id<K: ScorerKernel>() -> String {
    format!("built-in-{}@{}", K::NAME, env!("CARGO_PKG_VERSION"))
}

fn refuse<K: ScorerKernel>(error: &twinwright_kernels::BaselineError) -> LoadError {
    LoadError::Prepare { scorer: id::<K>(), cause: error.to_string() }
}
