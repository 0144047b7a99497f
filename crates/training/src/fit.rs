//! From rows to a baseline.

use twinwright_core::time::iso;
use twinwright_kernels::baseline::{FORMAT, PrincipalChart, RangeChart, TrainingWindow};
use twinwright_kernels::{Baseline, Kernel, PcaT2Q, RangeExtension};

use crate::calibrate::{self, ALWAYS, SCORERS};
use crate::model;
use crate::rows::Ordered;
use crate::statistics::quantile;
use crate::{Matrix, TrainError};

/// How to fit. The defaults were chosen on development data and are explained field by field.
#[derive(Clone, Debug)]
pub struct Options {
    /// The baseline's number: its id is `<equipment>/<number>`.
    pub number: u64,
    /// When it is made, ISO 8601 UTC (this crate has no clock).
    pub created: String,
    /// Rows of the moving window.
    pub window_rows: usize,
    /// Weight of the newest row in the EWMA charts.
    pub ewma_alpha: f64,
    /// Gap in event time that resets a device's state; by default 30 intervals, at least a minute.
    pub gap_reset_seconds: Option<f64>,
    /// Share of the rows, the newest, that the fit does not see and that set the limits.
    pub calibration_share: f64,
    /// Fewest rows that may set the limits.
    pub calibration_rows: usize,
    /// Quantile of the raw score over the calibration rows. Scores of neighbouring rows are alike, so few hundred
    /// rows hold only a handful of independent ones: the quantile is close to their maximum, and [`Self::margin`]
    /// has to do the rest.
    pub quantile: f64,
    /// Factor from that quantile to the limit, for the normal behaviour that training has not seen yet. On 14 pump
    /// recordings of the SKAB kind (400 rows to train each) anything from 1.8 to 2.2 balances false alarms and
    /// missed rows about as well.
    pub margin: f64,
    /// Most regimes.
    pub max_regimes: usize,
    /// Most components of `gaussian-mixture`.
    pub max_components: usize,
    /// Autocorrelation at a distance of one window from which a signal counts as wandering; above 1 none does.
    pub wander_correlation: f64,
    /// Weight of the newest row in the slow mean that a wandering signal is compared with.
    pub slow_alpha: f64,
    /// Scorers to fit besides `smoothed-mahalanobis` and `ewma-chart`, which every baseline has.
    pub extra_scorers: Vec<String>,
    /// Rows from this time (µs UTC) calibrate, instead of a share of them: for a calibration recording of its own.
    pub calibration_from: Option<i64>,
    /// Weight of the newest row in `pca-t2q`.
    pub principal_alpha: f64,
    /// Factor of `pca-t2q` from the quantile to the limit: dozens of signals average out what one of them may do
    /// besides.
    pub principal_margin: f64,
    /// Windows of `range-extension`.
    pub range: RangeChart,
    /// Limit of `range-extension`, in parts of the range. It needs no calibration: the range is its own scale.
    pub range_limit: f64,
    /// Free text for people.
    pub note: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            number: 1,
            created: String::new(),
            window_rows: 30,
            ewma_alpha: 0.1,
            gap_reset_seconds: None,
            calibration_share: 0.5,
            calibration_rows: 100,
            quantile: 0.995,
            margin: 2.0,
            max_regimes: 4,
            max_components: 4,
            wander_correlation: 0.3,
            slow_alpha: 0.003,
            extra_scorers: Vec::new(),
            calibration_from: None,
            principal_alpha: 0.3,
            principal_margin: 1.0,
            range: RangeChart { mean_rows: 20, spread_rows: 50, memory_rows: 4_000, record_rows: 100 },
            range_limit: 0.05,
            note: String::new(),
        }
    }
}

/// A baseline that nobody has promoted yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The document.
    pub baseline: Baseline,
}

/// Fits a baseline and calibrates its limits.
///
/// # Errors
/// [`TrainError`]; [`TrainError::TooFewRows`] says how many rows are missing.
pub fn fit(
    equipment: &str,
    signals: &[String],
    settings: &[String],
    rows: &Matrix<'_>,
    options: &Options,
) -> Result<Candidate, TrainError> {
    check(options)?;
    let columns = setting_columns(signals, settings)?;
    let all = rows.ordered(signals.len())?;
    let gap =
        options.gap_reset_seconds.unwrap_or_else(|| (30.0 * all.interval_seconds()).clamp(60.0, 86_400.0));
    let fit_rows = split(&all, options)?;
    let fitted = model::fit_regimes(all.clone(), fit_rows, signals, &columns, gap, options)?;
    let newer = fitted.calibration.unwrap_or_else(|| all.split(fit_rows).1);
    let metrics = [
        ("fit_rows", (all.rows() - newer.rows()) as f64),
        ("calibration_rows", newer.rows() as f64),
        ("outliers_removed", fitted.outliers as f64),
        ("regime_silhouette", fitted.silhouette),
        ("passing_rows", fitted.passing as f64),
        ("shrinkage", fitted.shrinkage),
        ("wandering_signals", fitted.slow_alpha.iter().filter(|alpha| **alpha > 0.0).count() as f64),
    ];
    let scorers: Vec<String> = SCORERS
        .into_iter()
        .filter(|name| ALWAYS.contains(name) || options.wants(name))
        .map(str::to_owned)
        .collect();
    let has = |name: &str| scorers.iter().any(|scorer| scorer == name);
    let mut baseline = Baseline {
        format: FORMAT,
        id: format!("{equipment}/{}", options.number),
        equipment: equipment.to_owned(),
        created: options.created.clone(),
        window: TrainingWindow {
            from: all.time.first().copied().map(iso).unwrap_or_default(),
            to: all.time.last().copied().map(iso).unwrap_or_default(),
            rows: all.rows() as u64,
        },
        data_hash: all.hash(signals),
        signals: signals.to_vec(),
        scorers: scorers.clone(),
        settings: settings.to_vec(),
        regimes: fitted.regimes,
        window_rows: options.window_rows,
        ewma_alpha: options.ewma_alpha,
        gap_reset_seconds: gap,
        slow_alpha: fitted.slow_alpha,
        range: has(RangeExtension::NAME).then_some(options.range),
        principal: has(PcaT2Q::NAME)
            .then_some(PrincipalChart { alpha: options.principal_alpha, retained: fitted.retained }),
        mixture: fitted.mixture,
        limits: scorers.iter().map(|name| (name.clone(), 1.0)).collect(),
        metrics: metrics.map(|(name, figure)| (name.to_owned(), figure)).into(),
        note: options.note.clone(),
    };
    if let Some(mixture) = &baseline.mixture {
        baseline.metrics.insert("mixture_components".to_owned(), mixture.components.len() as f64);
    }
    set_limits(&mut baseline, &newer, options)?;
    baseline.validate().map_err(TrainError::numeric)?;
    Ok(Candidate { baseline })
}

impl Options {
    pub(crate) fn wants(&self, scorer: &str) -> bool {
        self.extra_scorers.iter().any(|extra| extra == scorer)
    }
}

fn check(options: &Options) -> Result<(), TrainError> {
    let rules = [
        (
            "calibration_share",
            options.calibration_share > 0.0 && options.calibration_share < 0.9,
            "must be above 0 and below 0.9",
        ),
        ("quantile", options.quantile > 0.5 && options.quantile <= 1.0, "must be above 0.5 and at most 1"),
        ("margin", options.margin.is_finite() && options.margin >= 1.0, "must be at least 1"),
        ("window_rows", (2..=1_000).contains(&options.window_rows), "must be 2 to 1000"),
        (
            "ewma_alpha",
            options.ewma_alpha > 0.0 && options.ewma_alpha <= 1.0,
            "must be above 0 and at most 1",
        ),
        (
            "principal_alpha",
            options.principal_alpha > 0.0 && options.principal_alpha <= 1.0,
            "must be above 0 and at most 1",
        ),
        (
            "principal_margin",
            options.principal_margin.is_finite() && options.principal_margin >= 1.0,
            "must be at least 1",
        ),
        ("range_limit", options.range_limit.is_finite() && options.range_limit > 0.0, "must be above 0"),
        ("max_regimes", (1..=16).contains(&options.max_regimes), "must be 1 to 16"),
        ("max_components", (1..=16).contains(&options.max_components), "must be 1 to 16"),
    ];
    if let Some(scorer) = options.extra_scorers.iter().find(|name| !SCORERS.contains(&name.as_str())) {
        return Err(TrainError::UnknownScorer { scorer: scorer.clone() });
    }
    match rules.into_iter().find(|(_, holds, _)| !holds) {
        Some((option, _, problem)) => Err(TrainError::Option { option, problem }),
        None => Ok(()),
    }
}

fn setting_columns(signals: &[String], settings: &[String]) -> Result<Vec<usize>, TrainError> {
    let column = |setting: &String| {
        signals
            .iter()
            .position(|signal| signal == setting)
            .ok_or_else(|| TrainError::UnknownSetting { setting: setting.clone() })
    };
    settings.iter().map(column).collect()
}

/// How many of the rows, the older ones, fit; the newer calibrate. Time decides, never a shuffle: neighbouring rows are
/// alike, and limits from shuffled rows would be as optimistic as limits from the fitting rows.
fn split(all: &Ordered, options: &Options) -> Result<usize, TrainError> {
    let held = match options.calibration_from {
        Some(from) => all.rows() - all.time.partition_point(|time| *time < from),
        None => (all.rows() as f64 * options.calibration_share).floor() as usize,
    };
    if held < options.calibration_rows {
        let need = (options.calibration_rows as f64 / options.calibration_share).ceil() as usize;
        return Err(TrainError::too_few("calibration", all.rows(), need));
    }
    let need = (3 * options.window_rows).max(2 * all.width);
    if all.rows() - held < need {
        return Err(TrainError::too_few("the fit", all.rows() - held, need));
    }
    Ok(all.rows() - held)
}

/// Runs the kernels over rows that the fit has not seen, with a limit of 1, and sets the limits from what they say.
fn set_limits(baseline: &mut Baseline, rows: &Ordered, options: &Options) -> Result<(), TrainError> {
    for (name, answer) in baseline.scorers.clone().into_iter().zip(calibrate::run(baseline, rows)?) {
        if name == RangeExtension::NAME {
            baseline.limits.insert(name, options.range_limit);
            continue;
        }
        let mut scores = calibrate::scores(&answer);
        let need = options.calibration_rows.saturating_sub(options.window_rows).max(20);
        if scores.len() < need {
            return Err(TrainError::too_few("calibration (scored, without gaps)", scores.len(), need));
        }
        let raw = quantile(&mut scores, options.quantile).unwrap_or(1.0);
        let margin = if name == PcaT2Q::NAME { options.principal_margin } else { options.margin };
        baseline.metrics.insert(format!("{name}.raw_quantile"), raw);
        baseline.limits.insert(name, (raw * margin).max(1e-6));
    }
    Ok(())
}
