//! Energy: the load of the next day by quarter of an hour, told at midnight.
//!
//! A forecast may use what is known when the day begins: the loads up to midnight and the calendar; never a reading of
//! the day itself. [`EnergyModel`] is the mean of some of three learners over the same [`inputs`]: boosted
//! trees see that an evening's load tells whether the plant runs tomorrow, ridge regression extrapolates levels that
//! the trees have not seen, randomised trees learn no single day by heart. [`race`] chooses among them by the
//! forecasts of the days before. [`walk_forward`] forecasts each day from the days before it, fitting anew every midnight.
//! [`read`] reads a plant's files.

mod fit;
pub mod inputs;
pub mod race;
pub mod read;
pub mod series;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twinwright_kernels::forest::Predictor;
use twinwright_kernels::life::Bands;

use crate::learners::{BoostSettings, WoodsSettings};

pub(crate) use fit::bands_of;
pub use fit::{Forecasts, fit, fit_after, walk_forward};
pub use series::{Day, SLOTS};

/// How to fit. The same for all data; chosen on development data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnergyOptions {
    /// The model's number.
    #[serde(skip)]
    pub number: u64,
    /// When it is made, ISO 8601 UTC.
    #[serde(skip)]
    pub created: String,
    /// Days of history before the first forecast: eight weeks.
    pub first_days: usize,
    /// Days between two fits.
    pub refit_every: usize,
    /// How trees grow: small ones, since a plant has few days and each is one draw of running or standing.
    pub boost: BoostSettings,
    /// The mean of randomised trees beside them.
    pub woods: WoodsSettings,
    /// Ridge regression's `l2`.
    pub ridge_l2: f64,
}

impl Default for EnergyOptions {
    fn default() -> Self {
        Self {
            number: 1,
            created: String::new(),
            first_days: 56,
            refit_every: 1,
            boost: BoostSettings {
                trees: 80,
                learning_rate: 0.05,
                leaves: 8,
                least_rows: 200,
                feature_share: 0.3,
                ..BoostSettings::default()
            },
            woods: WoodsSettings::default(),
            ridge_l2: 1_000.0,
        }
    }
}

/// A trained model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnergyModel {
    /// `day-ahead-load`.
    pub kind: String,
    /// 1.
    pub format: u32,
    /// `<site>/<n>`.
    pub id: String,
    /// When it was made, ISO 8601 UTC.
    pub created: String,
    /// SHA-256 over the days.
    pub data_hash: String,
    /// Version of the code that fitted it.
    pub code_version: String,
    /// Names of the inputs.
    pub inputs: Vec<String>,
    /// The forecast is the mean of these.
    pub predictors: Vec<Predictor>,
    /// How far forecasts were from the truth, by their size.
    pub bands: Bands,
    /// Figures of training and evaluation.
    pub metrics: BTreeMap<String, f64>,
}

impl EnergyModel {
    /// The load of each quarter of an hour of the day after `history`, in the history's unit.
    pub fn forecast(&self, history: &[Day], calendar: &series::Calendar) -> Vec<f64> {
        let rows = inputs::of_day(history, calendar);
        rows.iter().map(|row| fit::mean_of(&self.predictors, row)).collect()
    }
}
