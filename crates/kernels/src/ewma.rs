//! `ewma-chart`: one control chart a signal on the exponentially weighted mean of its residuals.
//!
//! The raw score is the largest `|eᵢ| / deviationᵢ` over the signals, where the deviation was measured on the
//! very same statistic in training (telemetry is autocorrelated: the textbook formula would alarm for ever).
//! Contributions share the score by the squares of the charts, so the signal that leads has the largest.
//! A masked value leaves its chart as it was, and out of the row's maximum.
//!
//! **Wandering signals** (temperatures, mostly) leave any level in time. Where training found one, its chart follows
//! the deviation from a slow mean of the signal itself, which takes the wandering out and leaves what is sudden.

use crate::baseline::{Baseline, BaselineError};
use crate::batch::{AnswerMut, Batch, BatchError, Kernel, status};
use crate::blob::{Head, Tag};
use crate::charts::Charts;
use crate::clock::{Step, gap_micros};
use crate::drive::{RowKernel, drive};
use crate::regime::Regimes;

/// The kernel, prepared.
pub struct EwmaChart {
    width: usize,
    alpha: f64,
    warm: u16,
    gap: i64,
    limit: f64,
    head: Head,
    regimes: Regimes,
    inverse_deviation: Vec<Vec<f64>>,
    /// Empty where no signal wanders.
    slow_alpha: Vec<f64>,
}

impl Kernel for EwmaChart {
    const NAME: &'static str = "ewma-chart";

    fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        baseline.validate()?;
        // The charts are in units of this baseline's deviations, so they start anew with another baseline.
        let tag = Tag::new().text(&baseline.id).text(&baseline.data_hash).number(baseline.ewma_alpha);
        let tag = baseline.slow_alpha.iter().fold(tag, |tag, alpha| tag.number(*alpha));
        let layout = baseline.signals.iter().fold(tag, |tag, name| tag.text(name));
        let invert = |values: &[f64]| values.iter().map(|value| 1.0 / value).collect();
        Ok(Self {
            width: baseline.width(),
            alpha: baseline.ewma_alpha,
            warm: (1.0 / baseline.ewma_alpha).ceil().min(10_000.0) as u16,
            gap: gap_micros(baseline.gap_reset_seconds),
            limit: baseline.limit(Self::NAME)?,
            head: Head { kernel: b'e', layout: layout.0 },
            regimes: Regimes::new(baseline)?,
            inverse_deviation: baseline.regimes.iter().map(|regime| invert(&regime.ewma_deviation)).collect(),
            slow_alpha: baseline.slow_alpha.clone(),
        })
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        drive(self, batch, self.width, answer)
    }
}

impl EwmaChart {
    fn fresh(&self) -> Charts {
        Charts::new(self.regimes.usual, self.width, self.slow_alpha.len())
    }
}

impl RowKernel for EwmaChart {
    type State = Charts;

    fn read(&self, blob: &[u8]) -> Charts {
        self.fresh().read(self.head, &self.regimes, blob).unwrap_or_else(|| self.fresh())
    }

    fn write(&self, state: &Charts, out: &mut Vec<u8>) {
        state.write(self.head, out);
    }

    fn row(&mut self, state: &mut Charts, time: i64, row: &[f64], contributions: &mut [f64]) -> (f64, u8) {
        match state.clock.step(time, self.gap) {
            Step::Continue => {}
            Step::Refuse => return (0.0, status::INVALID),
            Step::Reset => {
                let clock = state.clock;
                *state = self.fresh();
                state.clock = clock;
            }
        }
        state.regime = self.regimes.nearest(row, state.regime);
        let inverse = &self.inverse_deviation[usize::from(state.regime)];
        let (mut present, mut warm) = (false, false);
        let (mut largest, mut total) = (0.0_f64, 0.0);
        let scales = self.regimes.scales(state.regime);
        for (signal, &value) in row.iter().enumerate() {
            if value.is_nan() {
                continue;
            }
            present = true;
            let mut residual = scales.residual(signal, value);
            if let Some(&alpha) = self.slow_alpha.get(signal).filter(|alpha| **alpha > 0.0) {
                let slow = &mut state.slow[signal];
                *slow += alpha * (residual - *slow);
                residual -= *slow;
            }
            let mean = &mut state.mean[signal];
            *mean += self.alpha * (residual - *mean);
            let seen = &mut state.seen[signal];
            *seen = seen.saturating_add(1);
            if *seen >= self.warm {
                warm = true;
                let chart = *mean * inverse[signal];
                largest = largest.max(chart.abs());
                contributions[signal] = chart * chart;
                total += contributions[signal];
            }
        }
        if !present {
            return (0.0, status::INSUFFICIENT);
        }
        if !warm {
            return (0.0, status::WARMING);
        }
        let score = largest / self.limit;
        let factor = if total > 0.0 { score / total } else { 0.0 };
        contributions.iter_mut().for_each(|contribution| *contribution *= factor);
        (score, status::OK)
    }
}
