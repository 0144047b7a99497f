//! Remaining useful life: how long a machine runs until it fails, learnt from machines that ran until they failed.
//!
//! [`LifeModel`] is the trained document. A row of telemetry becomes features of its device's run (see [`run`]): the
//! mean, slope and spread of each signal over the last rows, its change since the run began, and the run's age; a
//! predictor turns them into what remains. What remains is capped: long before a failure nothing in the telemetry
//! tells 150 from 250, so a prediction at the cap means "at least so much". [`Bands`] hold how far predictions were
//! from the truth on machines that the fit had not seen: they give the interval, and the chance of a failure within
//! a time.

mod bands;
mod document;
mod kernel;
pub mod run;

use serde::Serialize;

use crate::baseline::{TrainingWindow, wrong};
use crate::forest::Predictor;
use crate::{BaselineError, ROW_CAP};

pub use bands::{Bands, LEVELS};
pub use kernel::RemainingLife;
pub use run::{FEATURES_A_SIGNAL, feature_names, features};

/// The document format this code reads and writes.
pub const FORMAT: u32 = 1;
/// What `kind` says.
pub const KIND: &str = "remaining-life";
/// Rows of the window at most.
pub const MAX_WINDOW: usize = 200;
/// Bytes of a device's state at most, as the host allows them.
const MAX_STATE: usize = 60 * 1024;

/// What a step of life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A row is a cycle (a flight, a stroke, a batch).
    Cycles,
    /// Hours of event time.
    Hours,
}

/// Normal values within an operating regime; a value's residual is `(value - mean) / deviation`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LifeRegime {
    /// Centre of each setting.
    pub centre: Vec<f64>,
    /// Scale of each setting, positive.
    pub scale: Vec<f64>,
    /// Mean of each signal (S).
    pub mean: Vec<f64>,
    /// Standard deviation of each signal (S), positive.
    pub deviation: Vec<f64>,
}

/// What training learnt of the life of one equipment model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LifeModel {
    /// [`KIND`].
    pub kind: String,
    /// [`FORMAT`].
    pub format: u32,
    /// `<equipment>/<n>`, unique and ascending.
    pub id: String,
    /// Equipment model it was fitted for.
    pub equipment: String,
    /// When it was made, ISO 8601 UTC.
    pub created: String,
    /// The rows it was fitted on.
    pub window: TrainingWindow,
    /// SHA-256 over the training rows, hexadecimal.
    pub data_hash: String,
    /// Version of the code that fitted it.
    pub code_version: String,
    /// Signals in the order of every batch (S).
    pub signals: Vec<String>,
    /// Signals that choose the regime; may be empty. They are among the signals.
    pub settings: Vec<String>,
    /// Signals whose features are used; those that never moved in training say nothing.
    pub used: Vec<usize>,
    /// At least one.
    pub regimes: Vec<LifeRegime>,
    /// Rows of the window.
    pub window_rows: usize,
    /// Rows from which the signals' values at the beginning of a run are taken.
    pub start_rows: usize,
    /// Rows before the first estimate.
    pub warm_rows: usize,
    /// A gap in event time after which a run begins anew, seconds; 0 for never.
    pub new_run_gap_seconds: f64,
    /// What a step of life is.
    pub unit: Unit,
    /// Longest life that is told apart, in units.
    pub cap: f64,
    /// Remaining life at which the score is 1.0, in units.
    pub limit: f64,
    /// Estimates what remains from the features.
    pub predictor: Predictor,
    /// How far estimates were from the truth.
    pub bands: Bands,
    /// Figures of training and evaluation.
    pub metrics: std::collections::BTreeMap<String, f64>,
    /// Free text for people.
    pub note: String,
}

impl LifeModel {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`BaselineError`] names the field and the rule.
    pub fn from_json(json: &[u8]) -> Result<Self, BaselineError> {
        let model = document::read(json)?;
        model.validate()?;
        Ok(model)
    }

    /// Writes the document; the same model gives the same bytes.
    ///
    /// # Errors
    /// [`BaselineError::Json`] where a number cannot be written (it is not finite).
    pub fn to_json(&self) -> Result<Vec<u8>, BaselineError> {
        serde_json::to_vec(self).map_err(|error| BaselineError::Json(error.to_string()))
    }

    /// Number of signals S.
    pub fn width(&self) -> usize {
        self.signals.len()
    }

    /// Number of features F.
    pub fn features(&self) -> usize {
        self.used.len() * FEATURES_A_SIGNAL + 1
    }

    /// Columns of the settings.
    pub(crate) fn setting_columns(&self) -> Result<Vec<usize>, BaselineError> {
        let column = |setting: &String| {
            let found = self.signals.iter().position(|signal| signal == setting);
            found.ok_or_else(|| wrong("settings", format!("name {setting}, which is no signal")))
        };
        self.settings.iter().map(column).collect()
    }

    /// Checks sizes and ranges.
    ///
    /// # Errors
    /// [`BaselineError::Field`] names the field and the rule.
    pub fn validate(&self) -> Result<(), BaselineError> {
        let width = self.width();
        let positive = |number: f64| number.is_finite() && number > 0.0;
        let state = self.used.len() * (self.window_rows + 2) * 8 + 64;
        let rules = [
            ("kind", self.kind == KIND, "must be remaining-life"),
            ("signals", (1..=crate::baseline::MAX_SIGNALS).contains(&width), "must be 1 to 256"),
            (
                "used",
                !self.used.is_empty() && self.used.iter().all(|at| *at < width) && self.used.len() <= width,
                "must name at least one signal, each by its place",
            ),
            ("window_rows", (2..=MAX_WINDOW).contains(&self.window_rows), "must be 2 to 200"),
            ("window_rows", state <= MAX_STATE, "makes the state of a device too large; use fewer signals"),
            ("start_rows", (1..=10_000).contains(&self.start_rows), "must be 1 to 10000"),
            ("warm_rows", (1..=10_000).contains(&self.warm_rows), "must be 1 to 10000"),
            (
                "new_run_gap_seconds",
                (0.0..=1e9).contains(&self.new_run_gap_seconds),
                "must be 0 to 1000000000",
            ),
            ("cap", positive(self.cap), "must be positive"),
            ("limit", positive(self.limit) && self.limit <= self.cap, "must be positive and at most the cap"),
            ("regimes", (1..=crate::baseline::MAX_REGIMES).contains(&self.regimes.len()), "must be 1 to 64"),
        ];
        if let Some((field, _, problem)) = rules.into_iter().find(|(_, holds, _)| !holds) {
            return Err(wrong(field, problem.to_owned()));
        }
        self.setting_columns()?;
        for (at, regime) in self.regimes.iter().enumerate() {
            let lists = [&regime.centre, &regime.scale, &regime.mean, &regime.deviation];
            let sizes = [self.settings.len(), self.settings.len(), width, width];
            let fits = lists.iter().zip(sizes).all(|(list, size)| list.len() == size);
            let finite = lists.iter().flat_map(|list| list.iter()).all(|number| number.is_finite());
            let scales = regime.scale.iter().chain(&regime.deviation).all(|number| *number > 0.0);
            if !(fits && finite && scales) {
                let problem = "must have lists of the right length, finite, with positive scales";
                return Err(wrong(&format!("regimes[{at}]"), problem.to_owned()));
            }
        }
        let of = |field, checked: Result<(), &'static str>| {
            checked.map_err(|problem| wrong(field, problem.to_owned()))
        };
        of("predictor", self.predictor.validate(self.features()))?;
        of("bands", self.bands.validate())
    }

    /// The regime of a row, and its residuals into `into` (one a used signal), NaN where a value is absent.
    pub(crate) fn residuals(&self, settings: &[usize], row: &[f64], last: usize, into: &mut [f64]) -> usize {
        let regime = self.nearest(settings, row, last);
        let normal = &self.regimes[regime];
        for (place, &signal) in into.iter_mut().zip(&self.used) {
            let residual = (row[signal] - normal.mean[signal]) / normal.deviation[signal];
            *place = residual.clamp(-ROW_CAP, ROW_CAP);
        }
        regime
    }

    fn nearest(&self, settings: &[usize], row: &[f64], last: usize) -> usize {
        let mut best = (f64::INFINITY, last.min(self.regimes.len() - 1));
        if self.regimes.len() == 1 {
            return 0;
        }
        for (index, regime) in self.regimes.iter().enumerate() {
            let (mut distance, mut seen) = (0.0, false);
            for (at, &column) in settings.iter().enumerate() {
                if row[column].is_finite() {
                    distance += ((row[column] - regime.centre[at]) / regime.scale[at]).powi(2);
                    seen = true;
                }
            }
            if seen && distance < best.0 {
                best = (distance, index);
            }
        }
        best.1
    }
}
