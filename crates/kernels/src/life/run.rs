//! A device's run so far, and the features of its newest row.

use super::{LifeModel, Unit};

/// Features of a signal: mean, slope over the window, change since the run began, spread.
pub const FEATURES_A_SIGNAL: usize = 4;
/// Present values that a slope and a spread need.
const FEWEST: usize = 3;

/// What a device's state holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Rows so far.
    pub(crate) rows: u64,
    /// Event time of the first row, µs.
    pub(crate) began: i64,
    /// Regime of the newest row.
    pub(crate) regime: u8,
    /// Sum and number of each used signal's values at the beginning.
    pub(crate) start: Vec<[f64; 2]>,
    /// Residuals of the last rows, the oldest first, row-major.
    pub(crate) window: Vec<f64>,
}

impl Run {
    /// A run without rows.
    pub fn new(model: &LifeModel) -> Self {
        Self { rows: 0, began: 0, regime: 0, start: vec![[0.0; 2]; model.used.len()], window: Vec::new() }
    }

    /// Takes a row of all signals in, NaN where absent. `residuals` is scratch space, one place a used signal.
    pub fn take(
        &mut self,
        model: &LifeModel,
        settings: &[usize],
        time: i64,
        row: &[f64],
        residuals: &mut [f64],
    ) {
        let regime = model.residuals(settings, row, usize::from(self.regime), residuals);
        self.regime = regime as u8;
        if self.rows == 0 {
            self.began = time;
        }
        if self.rows < model.start_rows as u64 {
            for ([sum, count], residual) in self.start.iter_mut().zip(residuals.iter()) {
                if !residual.is_nan() {
                    *sum += residual;
                    *count += 1.0;
                }
            }
        }
        self.rows = self.rows.saturating_add(1);
        if self.window.len() == model.window_rows * residuals.len() {
            self.window.copy_within(residuals.len().., 0);
            self.window.truncate(self.window.len() - residuals.len());
        }
        self.window.extend_from_slice(residuals);
    }

    /// The features of the newest row into `into`, F places; NaN where a feature cannot be told.
    pub fn features(&self, model: &LifeModel, time: i64, into: &mut [f64]) {
        let width = model.used.len();
        let rows = self.window.len() / width;
        for signal in 0..width {
            let (mut count, mut sum, mut squares, mut place, mut places, mut product) =
                (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
            for row in 0..rows {
                let value = self.window[row * width + signal];
                if !value.is_nan() {
                    let at = row as f64;
                    count += 1.0;
                    sum += value;
                    squares += value * value;
                    place += at;
                    places += at * at;
                    product += at * value;
                }
            }
            let mean = sum / count;
            let enough = count >= FEWEST as f64;
            let across = places - place * place / count;
            let slope = (product - place * mean) / across * model.window_rows as f64;
            let spread = (squares / count - mean * mean).max(0.0).sqrt();
            let [start, started] = self.start[signal];
            let feature = &mut into[signal * FEATURES_A_SIGNAL..(signal + 1) * FEATURES_A_SIGNAL];
            feature[0] = mean;
            feature[1] = if enough && across > 0.0 { slope } else { f64::NAN };
            feature[2] = mean - start / started;
            feature[3] = if enough { spread } else { f64::NAN };
        }
        into[width * FEATURES_A_SIGNAL] = match model.unit {
            Unit::Cycles => self.rows as f64,
            Unit::Hours => time.saturating_sub(self.began) as f64 / 3.6e9,
        };
    }
}

/// Names of a model's features, in their order.
pub fn feature_names(model: &LifeModel) -> Vec<String> {
    let of = |signal: &usize| {
        ["mean", "slope", "change", "spread"].map(|what| format!("{} {what}", model.signals[*signal]))
    };
    model.used.iter().flat_map(of).chain(["age".to_owned()]).collect()
}

/// The features of every row of one run, row-major R × F: `values` are R × S, NaN where absent.
pub fn features(model: &LifeModel, time: &[i64], values: &[f64]) -> Vec<f64> {
    let settings = model.setting_columns().unwrap_or_default();
    let mut run = Run::new(model);
    let mut residuals = vec![0.0; model.used.len()];
    let mut all = vec![0.0; time.len() * model.features()];
    let rows = time.iter().zip(values.chunks_exact(model.width()));
    for ((&time, row), into) in rows.zip(all.chunks_exact_mut(model.features())) {
        run.take(model, &settings, time, row, &mut residuals);
        run.features(model, time, into);
    }
    all
}
