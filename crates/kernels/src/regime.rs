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
    signals: Vec<Scale>,
}

/// Normal value of one signal.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    mean: f64,
    inverse_deviation: f64,
}

impl Scale {
    /// The capped residual of a value; the value must not be NaN.
    #[inline]
    pub(crate) fn residual(self, value: f64) -> f64 {
        ((value - self.mean) * self.inverse_deviation).clamp(-ROW_CAP, ROW_CAP)
    }
}

impl Regimes {
    pub(crate) fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        let invert = |values: &[f64]| values.iter().map(|value| 1.0 / value).collect();
        let all: Vec<Normal> = baseline
            .regimes
            .iter()
            .map(|regime| Normal {
                centre: regime.centre.clone(),
                inverse_scale: invert(&regime.scale),
                signals: regime
                    .mean
                    .iter()
                    .zip(&regime.deviation)
                    .map(|(&mean, deviation)| Scale { mean, inverse_deviation: 1.0 / deviation })
                    .collect(),
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

    /// The scales of a regime, one a signal.
    #[inline]
    pub(crate) fn scales(&self, regime: u8) -> &[Scale] {
        &self.all[usize::from(regime)].signals
    }
}
