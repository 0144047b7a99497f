//! From rows to a baseline.

use twinwright_core::time::iso;
use twinwright_kernels::Baseline;
use twinwright_kernels::baseline::{FORMAT, TrainingWindow};

use crate::calibrate::{self, SCORERS};
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
    /// recordings of the SKAB kind (400 rows to train each) 1.5 gave both scorers their best balance: with 1.3 of
    /// the normal rows 38 % were above the limit, with 2.0 of the abnormal ones 32 % below it.
    pub margin: f64,
    /// Most regimes.
    pub max_regimes: usize,
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
            calibration_share: 0.3,
            calibration_rows: 100,
            quantile: 0.995,
            margin: 1.5,
            max_regimes: 4,
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
    let (older, newer) = split(&all, options)?;
    let fitted = model::fit_regimes(older, signals, &columns, gap, options)?;
    let metrics = [
        ("fit_rows", (all.rows() - newer.rows()) as f64),
        ("calibration_rows", newer.rows() as f64),
        ("outliers_removed", fitted.outliers as f64),
        ("regime_silhouette", fitted.silhouette),
        ("shrinkage", fitted.shrinkage),
    ];
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
        scorers: SCORERS.map(str::to_owned).to_vec(),
        settings: settings.to_vec(),
        regimes: fitted.regimes,
        window_rows: options.window_rows,
        ewma_alpha: options.ewma_alpha,
        gap_reset_seconds: gap,
        limits: SCORERS.map(|name| (name.to_owned(), 1.0)).into(),
        metrics: metrics.map(|(name, figure)| (name.to_owned(), figure)).into(),
        note: options.note.clone(),
    };
    set_limits(&mut baseline, &newer, options)?;
    baseline.validate().map_err(TrainError::numeric)?;
    Ok(Candidate { baseline })
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
        ("max_regimes", (1..=16).contains(&options.max_regimes), "must be 1 to 16"),
    ];
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

/// The older part to fit, the newer to calibrate. Time decides, never a shuffle: neighbouring rows are alike, and
/// limits from shuffled rows would be as optimistic as limits from the fitting rows.
fn split(all: &Ordered, options: &Options) -> Result<(Ordered, Ordered), TrainError> {
    let held = (all.rows() as f64 * options.calibration_share).floor() as usize;
    if held < options.calibration_rows {
        let need = (options.calibration_rows as f64 / options.calibration_share).ceil() as usize;
        return Err(TrainError::too_few("calibration", all.rows(), need));
    }
    let (fitting, calibration) = all.split(all.rows() - held);
    let need = (3 * options.window_rows).max(2 * all.width);
    if fitting.rows() < need {
        return Err(TrainError::too_few("the fit", fitting.rows(), need));
    }
    Ok((fitting, calibration))
}

/// Runs the kernels over rows that the fit has not seen, with a limit of 1, and sets the limits from what they say.
fn set_limits(baseline: &mut Baseline, rows: &Ordered, options: &Options) -> Result<(), TrainError> {
    for (name, answer) in SCORERS.iter().zip(calibrate::run(baseline, rows)?) {
        let mut scores = calibrate::scores(&answer);
        let need = options.calibration_rows.saturating_sub(options.window_rows).max(20);
        if scores.len() < need {
            return Err(TrainError::too_few("calibration (scored, without gaps)", scores.len(), need));
        }
        let raw = quantile(&mut scores, options.quantile).unwrap_or(1.0);
        baseline.limits.insert((*name).to_owned(), (raw * options.margin).max(1e-6));
        baseline.metrics.insert(format!("{name}.raw_quantile"), raw);
    }
    Ok(())
}
