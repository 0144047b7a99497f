//! From rows to a baseline.

use std::collections::BTreeMap;

use twinwright_core::time::iso;
use twinwright_kernels::Baseline;
use twinwright_kernels::baseline::{FORMAT, Regime, TrainingWindow};

use crate::calibrate::{self, SCORERS};
use crate::covariance::ledoit_wolf;
use crate::rows::Ordered;
use crate::statistics::{mean_deviation, quantile};
use crate::windows::{Normal, ewma_spread, residuals, runs, window_means};
use crate::{Matrix, TrainError, clean, regimes};

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
    /// Quantile of the raw score over the calibration rows.
    pub quantile: f64,
    /// Factor from that quantile to the limit, for the normal behaviour that training has not seen yet.
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
            margin: 1.3,
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
    let (mut fitting, calibration) = split(&all, options)?;
    for (signal, name) in signals.iter().enumerate() {
        let have = fitting.column(signal).filter(|value| value.is_finite()).count();
        if have * 2 < fitting.rows() {
            return Err(TrainError::EmptySignal { signal: name.clone(), have, rows: fitting.rows() });
        }
    }
    let found = regimes::find(&fitting, &columns, options.max_regimes)?;
    let count = found.centres.len();
    let outliers = clean::remove_outliers(&mut fitting, &found.of_row, count);
    let normal = normals(&fitting, &found.of_row, count)?;
    let residuals = residuals(&fitting, &found.of_row, &normal);
    let runs = runs(&fitting, gap);
    let (precisions, shrinkage) = precisions(&fitting, &residuals, &runs, &found.of_row, count, options)?;
    let spread = ewma_spread(&residuals, fitting.width, &runs, options.ewma_alpha, &found.of_row, count);
    // Independent noise gives this spread, and no sound sensor less: a signal that stood still in training
    // must not become infinitely sensitive.
    let least = (options.ewma_alpha / (2.0 - options.ewma_alpha)).sqrt();
    let regimes = normal
        .into_iter()
        .enumerate()
        .map(|(at, normal)| Regime {
            centre: found.centres[at].clone(),
            scale: found.scale.clone(),
            weight: found.of_row.iter().filter(|regime| **regime == at).count() as f64
                / fitting.rows() as f64,
            mean: normal.mean,
            deviation: normal.deviation,
            precision: precisions[at].clone(),
            ewma_deviation: spread[at]
                .iter()
                .map(|&s| if s.is_finite() { s.max(least) } else { 1.0 })
                .collect(),
        })
        .collect();
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
        regimes,
        window_rows: options.window_rows,
        ewma_alpha: options.ewma_alpha,
        gap_reset_seconds: gap,
        limits: SCORERS.map(|name| (name.to_owned(), 1.0)).into(),
        metrics: BTreeMap::new(),
        note: options.note.clone(),
    };
    baseline.metrics = BTreeMap::from([
        ("fit_rows".to_owned(), fitting.rows() as f64),
        ("calibration_rows".to_owned(), calibration.rows() as f64),
        ("outliers_removed".to_owned(), outliers as f64),
        ("regime_silhouette".to_owned(), found.silhouette),
        ("shrinkage".to_owned(), shrinkage),
    ]);
    set_limits(&mut baseline, &calibration, options)?;
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

/// A regime's mean and deviation of each signal. The deviation is at least a thousandth of the mean's size (and
/// never 0): a signal that stood still in training may move by its resolution without an alarm.
fn normals(rows: &Ordered, regime: &[usize], count: usize) -> Result<Vec<Normal>, TrainError> {
    (0..count)
        .map(|which| {
            let mut normal = Normal { mean: Vec::new(), deviation: Vec::new() };
            for signal in 0..rows.width {
                let members = rows.column(signal).zip(regime).filter(|(_, r)| **r == which).map(|(v, _)| v);
                let values: Vec<f64> = members.collect();
                // A regime may have lost a sensor; then the signal's values over all regimes stand in.
                let (mean, deviation) = mean_deviation(values.iter().copied())
                    .or_else(|| mean_deviation(rows.column(signal).collect::<Vec<_>>().into_iter()))
                    .ok_or_else(|| TrainError::numeric("a signal has no values"))?;
                normal.mean.push(mean);
                normal.deviation.push(deviation.max(mean.abs() * 1e-3).max(1e-6));
            }
            Ok(normal)
        })
        .collect()
}

/// Precision of the window means, a regime at a time; a regime with few windows takes that of all.
fn precisions(
    rows: &Ordered,
    residuals: &[f64],
    runs: &[Vec<usize>],
    regime: &[usize],
    count: usize,
    options: &Options,
) -> Result<(Vec<Vec<f64>>, f64), TrainError> {
    let means = window_means(residuals, rows.width, runs, options.window_rows, regime);
    let collect = |which: Option<usize>| -> Vec<f64> {
        let wanted = |(of, _): &&(usize, Vec<f64>)| which.is_none_or(|which| *of == which);
        means.iter().filter(wanted).flat_map(|(_, mean)| mean.iter().copied()).collect()
    };
    let shrunk = |samples: &[f64]| {
        let windows = (samples.len() / rows.width) as f64;
        ledoit_wolf(samples, rows.width, windows * independence(options.window_rows))
    };
    let need = (2 * rows.width).max(options.window_rows);
    if means.len() < need {
        return Err(TrainError::too_few("the covariance (full windows without gaps)", means.len(), need));
    }
    let all = shrunk(&collect(None)).ok_or_else(|| TrainError::numeric("the covariance is singular"))?;
    let of_regime = |which| {
        let samples = collect(Some(which));
        let enough = samples.len() >= need * rows.width;
        enough.then(|| shrunk(&samples)).flatten().map_or_else(|| all.precision.clone(), |own| own.precision)
    };
    Ok(((0..count).map(of_regime).collect(), all.shrinkage))
}

/// Independent samples for each overlapping window.
fn independence(_window: usize) -> f64 {
    1.0
}

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
