//! `remaining-life`: the scorer.
//!
//! The score is `limit / what remains`: 1.0 when the estimate has come down to the limit, 2.0 when half of that is
//! left, and whoever knows the limit gets the estimate back. Contributions share the score among the signals
//! whose features made the estimate shorter.

use super::run::Run;
use super::{FEATURES_A_SIGNAL, LifeModel};
use crate::batch::{Answer, AnswerMut, Batch, BatchError, status};
use crate::blob::{Head, Tag, put_f64s};
use crate::clock::{Clock, Step, gap_micros};
use crate::drive::{RowKernel, drive};
use crate::{BaselineError, ScorerKernel};

/// The score at the most: what remains is at least this part of the limit.
const MOST: f64 = 100.0;

/// The kernel, prepared.
pub struct RemainingLife {
    model: LifeModel,
    settings: Vec<usize>,
    gap: i64,
    head: Head,
    residuals: Vec<f64>,
    features: Vec<f64>,
    parts: Vec<f64>,
}

/// A device's state.
pub(crate) struct State {
    clock: Clock,
    run: Run,
}

impl RemainingLife {
    /// The scorer's name.
    pub const NAME: &'static str = "remaining-life";

    /// Prepares from a model.
    ///
    /// # Errors
    /// [`BaselineError`] where the model breaks a rule.
    pub fn new(model: LifeModel) -> Result<Self, BaselineError> {
        model.validate()?;
        let tag = Tag::new().text(&model.id).text(&model.data_hash);
        let layout = model.signals.iter().fold(tag, |tag, name| tag.text(name)).0;
        let never = i64::MAX / 4;
        Ok(Self {
            settings: model.setting_columns()?,
            gap: if model.new_run_gap_seconds > 0.0 { gap_micros(model.new_run_gap_seconds) } else { never },
            head: Head { kernel: b'l', layout },
            residuals: vec![0.0; model.used.len()],
            features: vec![0.0; model.features()],
            parts: vec![0.0; model.features()],
            model,
        })
    }

    /// The model.
    pub fn model(&self) -> &LifeModel {
        &self.model
    }

    /// What remains, in the model's units, of a score.
    pub fn remaining(&self, score: f64) -> f64 {
        self.model.limit / score
    }

    pub(crate) fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        let width = self.model.width();
        drive(self, batch, width, answer)
    }

    /// Scores a batch; see [`crate::Kernel::score`].
    ///
    /// # Errors
    /// [`BatchError`] where the shapes do not fit together.
    pub fn score(&mut self, batch: &Batch<'_>) -> Result<Answer, BatchError> {
        ScorerKernel::score(self, batch)
    }

    fn read_state(&self, blob: &[u8]) -> Option<State> {
        let (clock, mut reader) = self.head.read(blob)?;
        let mut state = self.read(&[]);
        state.clock = clock;
        let run = &mut state.run;
        (run.rows, run.began, run.regime) = (reader.u64()?, reader.i64()?, reader.byte()?);
        for start in &mut run.start {
            reader.f64s(start)?;
        }
        let rows = usize::from(reader.u16()?);
        if rows > self.model.window_rows {
            return None;
        }
        run.window = vec![0.0; rows * self.model.used.len()];
        reader.f64s(&mut run.window)?;
        let finite = run.start.iter().flatten().all(|number| number.is_finite());
        let sound = usize::from(run.regime) < self.model.regimes.len() && finite && reader.0.is_empty();
        sound.then_some(state)
    }
}

impl RowKernel for RemainingLife {
    type State = State;

    fn read(&self, blob: &[u8]) -> State {
        let known = if blob.is_empty() { None } else { self.read_state(blob) };
        known.unwrap_or_else(|| State { clock: Clock::default(), run: Run::new(&self.model) })
    }

    fn write(&self, state: &State, out: &mut Vec<u8>) {
        self.head.write(&state.clock, out);
        out.extend_from_slice(&state.run.rows.to_le_bytes());
        out.extend_from_slice(&state.run.began.to_le_bytes());
        out.push(state.run.regime);
        state.run.start.iter().for_each(|start| put_f64s(start, out));
        let rows = (state.run.window.len() / self.model.used.len()) as u16;
        out.extend_from_slice(&rows.to_le_bytes());
        put_f64s(&state.run.window, out);
    }

    fn row(&mut self, state: &mut State, time: i64, row: &[f64], contributions: &mut [f64]) -> (f64, u8) {
        match state.clock.step(time, self.gap) {
            Step::Continue => {}
            Step::Refuse => return (0.0, status::INVALID),
            Step::Reset => state.run = Run::new(&self.model),
        }
        state.run.take(&self.model, &self.settings, time, row, &mut self.residuals);
        if self.residuals.iter().all(|residual| residual.is_nan()) {
            return (0.0, status::INSUFFICIENT);
        }
        if state.run.rows < self.model.warm_rows as u64 {
            return (0.0, status::WARMING);
        }
        state.run.features(&self.model, time, &mut self.features);
        self.parts.fill(0.0);
        let estimate = self.model.predictor.explain(&self.features, &mut self.parts);
        let remaining = estimate.clamp(self.model.limit / MOST, self.model.cap);
        let score = self.model.limit / remaining;
        if !score.is_finite() {
            return (0.0, status::INVALID);
        }
        self.share(score, contributions);
        (score, status::OK)
    }
}

impl RemainingLife {
    /// Shares the score among the signals by how much their features shortened the estimate; evenly where none did.
    fn share(&self, score: f64, contributions: &mut [f64]) {
        let mut total = 0.0;
        for (&signal, parts) in self.model.used.iter().zip(self.parts.chunks_exact(FEATURES_A_SIGNAL)) {
            contributions[signal] = (-parts.iter().sum::<f64>()).max(0.0);
            total += contributions[signal];
        }
        if total > 1e-12 {
            contributions.iter_mut().for_each(|part| *part *= score / total);
        } else {
            let even = score / self.model.used.len() as f64;
            self.model.used.iter().for_each(|&signal| contributions[signal] = even);
        }
    }
}
