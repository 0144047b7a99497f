//! Which regime a row belongs to, and a row's residuals within it.

use wide::f64x8;

use crate::ROW_CAP;
use crate::baseline::{Baseline, BaselineError};
use crate::lanes::{Lanes, pad};

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
    /// The same in blocks; what is behind the last signal has residual 0.
    pub(crate) lanes: Vec<LaneScales>,
}

/// Normal values of a block of signals.
pub(crate) struct LaneScales {
    mean: Lanes,
    inverse_deviation: Lanes,
}

impl LaneScales {
    /// The capped residuals of values, 0 for the NaN of an absent one.
    #[inline]
    pub(crate) fn residuals(&self, values: f64x8) -> f64x8 {
        let raw = (values - f64x8::new(self.mean)) * f64x8::new(self.inverse_deviation);
        let raw = raw & raw.simd_eq(raw);
        raw.fast_max(f64x8::splat(-ROW_CAP)).fast_min(f64x8::splat(ROW_CAP))
    }
}

impl Scales {
    /// The capped residual of a signal's value; the value must not be NaN.
    #[inline]
    pub(crate) fn residual(&self, signal: usize, value: f64) -> f64 {
        ((value - self.mean[signal]) * self.inverse_deviation[signal]).clamp(-ROW_CAP, ROW_CAP)
    }

    fn new(mean: &[f64], deviation: &[f64]) -> Self {
        let inverse_deviation = invert(deviation);
        let pairs = pad(mean).into_iter().zip(pad(&inverse_deviation));
        let lanes = pairs.map(|(mean, inverse_deviation)| LaneScales { mean, inverse_deviation }).collect();
        Self { mean: mean.to_vec(), inverse_deviation, lanes }
    }
}

fn invert(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| 1.0 / value).collect()
}

impl Regimes {
    pub(crate) fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        let all: Vec<Normal> = baseline
            .regimes
            .iter()
            .map(|regime| Normal {
                centre: regime.centre.clone(),
                inverse_scale: invert(&regime.scale),
                signals: Scales::new(&regime.mean, &regime.deviation),
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
    #[inline]
    pub(crate) fn nearest(&self, values: &[f64], last: u8) -> u8 {
        if self.all.len() == 1 { 0 } else { self.nearest_of_many(values, last) }
    }

    fn nearest_of_many(&self, values: &[f64], last: u8) -> u8 {
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
