//! Which regime a row belongs to, and a row's residuals within it.

use crate::ROW_CAP;
use crate::baseline::{Baseline, BaselineError};

/// The regimes of a baseline, laid out for the row loop.
pub(crate) struct Regimes {
    settings: Vec<usize>,
    all: Vec<Normal>,
    /// The most frequent regime: the guess while no setting was seen.
    pub(crate) usual: u8,
}

struct Normal {
    centre: Vec<f64>,
    inverse_scale: Vec<f64>,
    signals: Scales,
}

/// Normal values, one a signal in each vector: side by side, so that the compiler can take several at a time.
pub(crate) struct Scales {
    mean: Vec<f64>,
    inverse_deviation: Vec<f64>,
}

impl Scales {
    /// The capped residual of a signal's value; the value must not be NaN.
    #[inline]
    pub(crate) fn residual(&self, signal: usize, value: f64) -> f64 {
        ((value - self.mean[signal]) * self.inverse_deviation[signal]).clamp(-ROW_CAP, ROW_CAP)
    }

    /// Means and inverse deviations of whole fours of signals.
    #[inline]
    pub(crate) fn by_fours(&self) -> impl Iterator<Item = (&[f64; 4], &[f64; 4])> {
        self.mean.as_chunks().0.iter().zip(self.inverse_deviation.as_chunks().0)
    }
}

/// A residual within the cap, 0 for the NaN of an absent value. Comparisons that a processor has one instruction for.
#[inline]
pub(crate) fn capped(raw: f64) -> f64 {
    let raw = if raw < -ROW_CAP { -ROW_CAP } else { raw };
    let raw = if raw > ROW_CAP { ROW_CAP } else { raw };
    if raw.is_nan() { 0.0 } else { raw }
}

impl Regimes {
    pub(crate) fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        let invert = |values: &[f64]| values.iter().map(|value| 1.0 / value).collect::<Vec<f64>>();
        let all: Vec<Normal> = baseline
            .regimes
            .iter()
            .map(|regime| Normal {
                centre: regime.centre.clone(),
                inverse_scale: invert(&regime.scale),
                signals: Scales { mean: regime.mean.clone(), inverse_deviation: invert(&regime.deviation) },
            })
            .collect();
        let usual = (0..baseline.regimes.len()).fold(0, |best, index| {
            if baseline.regimes[index].weight > baseline.regimes[best].weight { index } else { best }
        });
        // At most 64 regimes by validation.
        Ok(Self { settings: baseline.setting_columns()?, all, usual: usual as u8 })
    }

    pub(crate) fn contains(&self, regime: u8) -> bool {
        usize::from(regime) < self.all.len()
    }

    /// The regime of the nearest centre over the settings that are present; without any, the last one.
    pub(crate) fn nearest(&self, values: &[f64], last: u8) -> u8 {
        if self.all.len() == 1 {
            return 0;
        }
        let mut best = (f64::INFINITY, last);
        for (index, normal) in self.all.iter().enumerate() {
            let mut distance = 0.0;
            let mut seen = false;
            for (at, &column) in self.settings.iter().enumerate() {
                let value = values[column];
                if value.is_finite() {
                    let offset = (value - normal.centre[at]) * normal.inverse_scale[at];
                    distance += offset * offset;
                    seen = true;
                }
            }
            if seen && distance < best.0 {
                best = (distance, index as u8);
            }
        }
        best.1
    }

    /// The scales of a regime.
    #[inline]
    pub(crate) fn scales(&self, regime: u8) -> &Scales {
        &self.all[usize::from(regime)].signals
    }
}
