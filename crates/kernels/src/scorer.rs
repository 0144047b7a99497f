//! What every kernel of a scorer has in common, whichever document of training it is prepared from.

use crate::batch::{Answer, AnswerMut, Batch, BatchError, Kernel};
use crate::life::LifeModel;
use crate::{Baseline, BaselineError, RemainingLife};

/// A kernel as a scorer runs it.
pub trait ScorerKernel: Sized {
    /// The scorer's name.
    const NAME: &'static str;

    /// Prepares from the document's JSON.
    ///
    /// # Errors
    /// What is wrong with the document, in words.
    fn prepare(json: &[u8]) -> Result<Self, BaselineError>;

    /// As [`Kernel::score_into`].
    ///
    /// # Errors
    /// The rule that the batch breaks.
    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError>;

    /// As [`Kernel::score`].
    ///
    /// # Errors
    /// The rule that the batch breaks.
    fn score(&mut self, batch: &Batch<'_>) -> Result<Answer, BatchError> {
        let mut answer = Answer::room(batch);
        self.score_into(batch, answer.lend())?;
        Ok(answer)
    }
}

impl<K: Kernel> ScorerKernel for K {
    const NAME: &'static str = K::NAME;

    fn prepare(json: &[u8]) -> Result<Self, BaselineError> {
        Self::new(&Baseline::from_json(json)?)
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        Kernel::score_into(self, batch, answer)
    }
}

impl ScorerKernel for RemainingLife {
    const NAME: &'static str = Self::NAME;

    fn prepare(json: &[u8]) -> Result<Self, BaselineError> {
        Self::new(LifeModel::from_json(json)?)
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        Self::score_into(self, batch, answer)
    }
}
