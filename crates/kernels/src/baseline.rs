//! The baseline: what training learnt of one equipment, as a versioned JSON document.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{document, linear};

/// The document format this code reads and writes.
pub const FORMAT: u32 = 1;
/// Signals that one baseline may have: the precision matrix grows with the square.
pub const MAX_SIGNALS: usize = 256;
/// Regimes that one baseline may have: a regime's index is one byte of the scorers' state.
pub const MAX_REGIMES: usize = 64;
/// Components that a mixture may have.
pub const MAX_COMPONENTS: usize = 16;
/// Rows of the window at most: the window is part of every device's state.
pub const MAX_WINDOW: usize = 1_000;

/// What training learnt: regimes, their normal values, and the alarm limit of each scorer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// Document format, [`FORMAT`].
    pub format: u32,
    /// `<equipment>/<n>`, unique and ascending.
    pub id: String,
    /// Equipment (or equipment model) it was fitted for.
    pub equipment: String,
    /// When it was made, ISO 8601 UTC.
    pub created: String,
    /// The rows it was fitted and calibrated on.
    pub window: TrainingWindow,
    /// SHA-256 over the training rows, hexadecimal.
    pub data_hash: String,
    /// Signals in the order of every vector and matrix below: S of them.
    pub signals: Vec<String>,
    /// Scorers that can read this document.
    pub scorers: Vec<String>,
    /// Signals that choose the regime; may be empty.
    pub settings: Vec<String>,
    /// At least one regime.
    pub regimes: Vec<Regime>,
    /// Rows of the moving window of `smoothed-mahalanobis`.
    pub window_rows: usize,
    /// Weight of the newest row in `ewma-chart`, above 0, at most 1.
    pub ewma_alpha: f64,
    /// A device's state starts anew after a gap in event time longer than this.
    pub gap_reset_seconds: f64,
    /// Weight of the newest row in the slow mean that a wandering signal of `ewma-chart` is compared with (S); 0 for
    /// a steady signal. Empty where all are steady.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slow_alpha: Vec<f64>,
    /// What `range-extension` follows; absent where it was not fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeChart>,
    /// What `pca-t2q` smooths; absent where it was not fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalChart>,
    /// Ways of running of `gaussian-mixture`; absent where it was not fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
    /// Raw score at which each scorer's calibrated score is 1.0.
    pub limits: BTreeMap<String, f64>,
    /// Free figures of training and evaluation.
    pub metrics: BTreeMap<String, f64>,
    /// Free text for people.
    pub note: String,
}

/// Windows of `range-extension`, rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RangeChart {
    /// Rows of the mean.
    pub mean_rows: usize,
    /// Rows of the spread.
    pub spread_rows: usize,
    /// Rows that the ranges remember.
    pub memory_rows: usize,
    /// A row is scored only if it extends a range further than all of the last so many rows.
    pub record_rows: usize,
}

/// Smoothing and directions of `pca-t2q`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PrincipalChart {
    /// Weight of the newest row, above 0, at most 1.
    pub alpha: f64,
    /// Leading directions that count as T²; the others are Q.
    pub retained: usize,
}

/// Ways of running normally, of all regimes together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mixture {
    /// Weight of the newest row in the smoothed score, above 0, at most 1.
    pub alpha: f64,
    /// Mean of each signal, in its own unit (S).
    pub mean: Vec<f64>,
    /// Standard deviation of each signal, in its own unit (S), positive.
    pub deviation: Vec<f64>,
    /// At least one, at most [`MAX_COMPONENTS`].
    pub components: Vec<Component>,
}

/// A way of running, in deviations from the mixture's mean.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Component {
    /// Share of the training rows, above 0, at most 1.
    pub weight: f64,
    /// Mean of each signal (S).
    pub mean: Vec<f64>,
    /// Inverse covariance (S × S, row-major).
    pub precision: Vec<f64>,
}

/// The rows a baseline was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrainingWindow {
    /// Event time of the first row, ISO 8601 UTC.
    pub from: String,
    /// Event time of the last row, ISO 8601 UTC.
    pub to: String,
    /// Number of rows.
    pub rows: u64,
}

/// Normal behaviour within one operating regime.
///
/// A row's residual is `r = (value - mean) / deviation`, each capped at ±[`crate::ROW_CAP`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regime {
    /// Centre of each setting.
    pub centre: Vec<f64>,
    /// Scale of each setting: the nearest centre in `(value - centre) / scale` is the row's regime.
    pub scale: Vec<f64>,
    /// Share of the training rows, 0 to 1.
    pub weight: f64,
    /// Mean of each signal, in its own unit (S).
    pub mean: Vec<f64>,
    /// Standard deviation of each signal, in its own unit (S), positive.
    pub deviation: Vec<f64>,
    /// Inverse covariance (S × S, row-major) of the window mean of the residuals.
    pub precision: Vec<f64>,
    /// Standard deviation of the EWMA of each signal's residuals (S), positive.
    pub ewma_deviation: Vec<f64>,
    /// Principal directions of the smoothed residuals of `pca-t2q` (S × S, row-major, largest spread first), each
    /// divided by its spread; empty where it was not fitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<f64>,
}

/// Why a baseline cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaselineError {
    /// It is not JSON of this shape.
    Json(String),
    /// Its format is of another version.
    Format(u32),
    /// A field breaks a rule.
    Field {
        /// Which field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It has no limit for this scorer.
    NoLimit(String),
}

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(cause) => write!(f, "the baseline is not a readable document: {cause}"),
            Self::Format(format) => {
                write!(f, "the baseline has format {format}, this version reads {FORMAT}; train a new one")
            }
            Self::Field { field, problem } => write!(f, "the baseline's {field} {problem}"),
            Self::NoLimit(scorer) => {
                write!(f, "the baseline has no limit for scorer {scorer}; train a new one with it")
            }
        }
    }
}

impl std::error::Error for BaselineError {}

impl Baseline {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`BaselineError`] names the field and the rule.
    pub fn from_json(json: &[u8]) -> Result<Self, BaselineError> {
        let baseline = document::read(json)?;
        baseline.validate()?;
        Ok(baseline)
    }

    /// Writes the document; the same baseline gives the same bytes.
    ///
    /// # Errors
    /// [`BaselineError::Json`] where a number cannot be written (it is not finite).
    pub fn to_json(&self) -> Result<Vec<u8>, BaselineError> {
        serde_json::to_vec_pretty(self).map_err(|error| BaselineError::Json(error.to_string()))
    }

    /// Number of signals S.
    pub fn width(&self) -> usize {
        self.signals.len()
    }

    /// The limit of a scorer.
    ///
    /// # Errors
    /// [`BaselineError::NoLimit`].
    pub fn limit(&self, scorer: &str) -> Result<f64, BaselineError> {
        self.limits.get(scorer).copied().ok_or_else(|| BaselineError::NoLimit(scorer.to_owned()))
    }

    /// Where each setting stands among the signals.
    ///
    /// # Errors
    /// [`BaselineError::Field`] where a setting is not a signal.
    pub fn setting_columns(&self) -> Result<Vec<usize>, BaselineError> {
        let column = |setting: &String| {
            self.signals
                .iter()
                .position(|signal| signal == setting)
                .ok_or_else(|| wrong("settings", format!("name {setting}, which is not among its signals")))
        };
        self.settings.iter().map(column).collect()
    }

    /// Checks sizes, ranges and that every precision matrix is positive definite.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), BaselineError> {
        if self.format != FORMAT {
            return Err(BaselineError::Format(self.format));
        }
        let width = self.width();
        if width == 0 || width > MAX_SIGNALS {
            return Err(wrong("signals", format!("are {width}, must be 1 to {MAX_SIGNALS}")));
        }
        // At most 256 names: comparing each with each costs less than the code that would sort them.
        let twice = self.signals.iter().enumerate().find(|(at, name)| self.signals[..*at].contains(name));
        if let Some((_, name)) = twice {
            return Err(wrong("signals", format!("name {name} twice")));
        }
        self.setting_columns()?;
        if !(2..=MAX_WINDOW).contains(&self.window_rows) {
            return Err(wrong("window_rows", format!("is {}, must be 2 to {MAX_WINDOW}", self.window_rows)));
        }
        if !(self.ewma_alpha > 0.0 && self.ewma_alpha <= 1.0) {
            return Err(wrong("ewma_alpha", "must be above 0 and at most 1".to_owned()));
        }
        if !(self.gap_reset_seconds > 0.0 && self.gap_reset_seconds <= 1e9) {
            return Err(wrong("gap_reset_seconds", "must be above 0 and at most 1e9".to_owned()));
        }
        let fits = self.slow_alpha.is_empty() || self.slow_alpha.len() == width;
        if !fits || !self.slow_alpha.iter().all(|alpha| (0.0..=1.0).contains(alpha)) {
            return Err(wrong("slow_alpha", format!("must be {width} numbers of 0 to 1, or none")));
        }
        if let Some(range) = &self.range {
            range.validate()?;
        }
        if let Some(principal) = &self.principal {
            if !(principal.alpha > 0.0 && principal.alpha <= 1.0) {
                return Err(wrong("principal.alpha", "must be above 0 and at most 1".to_owned()));
            }
            if principal.retained > width || self.regimes.iter().any(|regime| regime.components.is_empty()) {
                return Err(wrong(
                    "principal",
                    "needs components in each regime, and retains no more".to_owned(),
                ));
            }
        }
        if let Some(mixture) = &self.mixture {
            mixture.validate(width)?;
        }
        for (scorer, limit) in &self.limits {
            if !(limit.is_finite() && *limit > 0.0) {
                return Err(wrong(&format!("limits.{scorer}"), "must be above 0".to_owned()));
            }
        }
        if self.regimes.is_empty() || self.regimes.len() > MAX_REGIMES {
            return Err(wrong("regimes", format!("are {}, must be 1 to {MAX_REGIMES}", self.regimes.len())));
        }
        self.regimes.iter().enumerate().try_for_each(|(index, regime)| {
            regime.validate(&format!("regimes[{index}]"), width, self.settings.len())
        })
    }
}

impl RangeChart {
    fn validate(&self) -> Result<(), BaselineError> {
        let rules = [
            ("mean_rows", self.mean_rows, 1, MAX_WINDOW),
            ("spread_rows", self.spread_rows, 2, MAX_WINDOW),
            ("memory_rows", self.memory_rows, 100, 1_000_000),
            ("record_rows", self.record_rows, 1, MAX_WINDOW),
        ];
        match rules.into_iter().find(|(_, rows, least, most)| !(*least..=*most).contains(rows)) {
            Some((name, rows, least, most)) => {
                Err(wrong(&["range.", name].concat(), format!("is {rows}, must be {least} to {most}")))
            }
            None => Ok(()),
        }
    }
}

/// Checks a list of numbers.
fn numbers(path: &str, values: &[f64], length: usize, positive: bool) -> Result<(), BaselineError> {
    if values.len() != length {
        return Err(wrong(path, format!("has {} numbers, must have {length}", values.len())));
    }
    match values.iter().position(|value| !value.is_finite() || (positive && *value <= 0.0)) {
        Some(at) => Err(wrong(
            &format!("{path}[{at}]"),
            if positive { "must be above 0" } else { "must be finite" }.to_owned(),
        )),
        None => Ok(()),
    }
}

impl Mixture {
    fn validate(&self, width: usize) -> Result<(), BaselineError> {
        if !(self.alpha > 0.0 && self.alpha <= 1.0) {
            return Err(wrong("mixture.alpha", "must be above 0 and at most 1".to_owned()));
        }
        numbers("mixture.mean", &self.mean, width, false)?;
        numbers("mixture.deviation", &self.deviation, width, true)?;
        let count = self.components.len();
        if count == 0 || count > MAX_COMPONENTS {
            return Err(wrong("mixture.components", format!("are {count}, must be 1 to {MAX_COMPONENTS}")));
        }
        self.components.iter().enumerate().try_for_each(|(at, component)| {
            let name = format!("mixture.components[{at}]");
            if !(component.weight > 0.0 && component.weight <= 1.0) {
                return Err(wrong(&format!("{name}.weight"), "must be above 0 and at most 1".to_owned()));
            }
            numbers(&format!("{name}.mean"), &component.mean, width, false)?;
            numbers(&format!("{name}.precision"), &component.precision, width * width, false)?;
            if linear::cholesky(&component.precision, width).is_none() {
                return Err(wrong(&format!("{name}.precision"), "is not positive definite".to_owned()));
            }
            Ok(())
        })
    }
}

impl Regime {
    fn validate(&self, name: &str, width: usize, settings: usize) -> Result<(), BaselineError> {
        let numbers = |field: &str, values: &[f64], length: usize, positive: bool| {
            numbers(&format!("{name}.{field}"), values, length, positive)
        };
        numbers("centre", &self.centre, settings, false)?;
        numbers("scale", &self.scale, settings, true)?;
        numbers("mean", &self.mean, width, false)?;
        numbers("deviation", &self.deviation, width, true)?;
        numbers("precision", &self.precision, width * width, false)?;
        numbers("ewma_deviation", &self.ewma_deviation, width, true)?;
        if !self.components.is_empty() {
            numbers("components", &self.components, width * width, false)?;
        }
        if !(0.0..=1.0).contains(&self.weight) {
            return Err(wrong(&format!("{name}.weight"), "must be 0 to 1".to_owned()));
        }
        if linear::cholesky(&self.precision, width).is_none() {
            return Err(wrong(&format!("{name}.precision"), "is not positive definite".to_owned()));
        }
        Ok(())
    }
}

pub(crate) fn wrong(field: &str, problem: String) -> BaselineError {
    BaselineError::Field { field: field.to_owned(), problem }
}

/// As a part of other documents; the reader is the same as [`Baseline::from_json`]'s.
impl<'de> Deserialize<'de> for Baseline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        Self::from_json(raw.get().as_bytes()).map_err(serde::de::Error::custom)
    }
}
