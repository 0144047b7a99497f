//! The fitted part of a baseline: regimes with their normal behaviour.

use twinwright_kernels::baseline::{Mixture, Regime};
use twinwright_kernels::{GaussianMixture, Kernel, PcaT2Q};

use crate::covariance::ledoit_wolf;
use crate::principal::directions;
use crate::rows::Ordered;
use crate::statistics::mean_deviation;
use crate::windows::{
    Normal, charts, ewma_spread, residuals, runs, wandering, window_means, without_slow_mean,
};
use crate::{Options, TrainError, clean, mixture, regimes};

/// What a fit gave.
pub(crate) struct Fitted {
    /// The newer rows without glitches; `None` where they are a recording of its own, which is taken as it is.
    pub(crate) calibration: Option<Ordered>,
    pub(crate) regimes: Vec<Regime>,
    pub(crate) outliers: usize,
    pub(crate) silhouette: f64,
    pub(crate) passing: usize,
    pub(crate) shrinkage: f64,
    /// Weight of the slow mean of each wandering signal, 0 for steady ones; empty where all are steady.
    pub(crate) slow_alpha: Vec<f64>,
    /// Leading directions of `pca-t2q`, 0 where it was not fitted.
    pub(crate) retained: usize,
    /// Ways of running of `gaussian-mixture`, where it was fitted.
    pub(crate) mixture: Option<Mixture>,
}

/// Fits regimes to rows that are all taken to be normal.
///
/// Where each signal stands comes from all rows: a level that moved a little since the older rows has to be met by the
/// newest. How far it strays from there comes from the older `fit_rows` alone, so that the limits, which are set
/// on the others, see what the fit did not. A calibration recording of its own has no say in the levels either.
pub(crate) fn fit_regimes(
    all: Ordered,
    fit_rows: usize,
    signals: &[String],
    columns: &[usize],
    gap: f64,
    options: &Options,
) -> Result<Fitted, TrainError> {
    let mut levels = if options.calibration_from.is_some() { all.split(fit_rows).0 } else { all };
    for (signal, name) in signals.iter().enumerate() {
        let have = levels.column(signal).filter(|value| value.is_finite()).count();
        if have * 2 < levels.rows() {
            return Err(TrainError::EmptySignal { signal: name.clone(), have, rows: levels.rows() });
        }
    }
    let found = regimes::find(&levels, columns, options.max_regimes)?;
    let count = found.centres.len();
    let outliers = clean::remove_outliers(&mut levels, &found.of_row, count);
    let normal = normals(&levels, &found.of_row, count)?;
    let slow_alpha = wandering(&levels, &residuals(&levels, &found.of_row, &normal), gap, options);
    let (fitting, newer) = levels.split(fit_rows);
    let of_row = &found.of_row[..fit_rows];
    let residuals = residuals(&fitting, of_row, &normal);
    let runs = runs(&fitting, gap);
    let (precisions, shrinkage) = precisions(&fitting, &residuals, &runs, of_row, count, options)?;
    let steadied = without_slow_mean(&residuals, fitting.width, &runs, &slow_alpha);
    let spread = ewma_spread(&steadied, fitting.width, &runs, options.ewma_alpha, of_row, count);
    // Independent noise gives this spread, and no sound sensor less: a signal that stood still in training
    // must not become infinitely sensitive.
    let least = (options.ewma_alpha / (2.0 - options.ewma_alpha)).sqrt();
    // Of all regimes together: directions need many rows, and each regime has its own mean and deviation already.
    let directions = if options.wants(PcaT2Q::NAME) {
        let charts = charts(&residuals, fitting.width, &runs, options.principal_alpha);
        Some(directions(&charts, fitting.width)?)
    } else {
        None
    };
    let wants_mixture = options.wants(GaussianMixture::NAME);
    let mixture = wants_mixture.then(|| mixture::fit(&fitting, options)).transpose()?;
    let (components, retained) =
        directions.map_or((Vec::new(), 0), |found| (found.components, found.retained));
    let regimes = normal
        .into_iter()
        .enumerate()
        .map(|(at, normal)| Regime {
            centre: found.centres[at].clone(),
            scale: found.scale.clone(),
            weight: found.of_row.iter().filter(|regime| **regime == at).count() as f64 / levels.rows() as f64,
            mean: normal.mean,
            deviation: normal.deviation,
            precision: precisions[at].clone(),
            ewma_deviation: spread[at]
                .iter()
                .map(|&s| if s.is_finite() { s.max(least) } else { 1.0 })
                .collect(),
            components: components.clone(),
        })
        .collect();
    // Glitches must no more set the limits than they may set the levels.
    let calibration = if options.calibration_from.is_some() { None } else { Some(newer) };
    Ok(Fitted {
        calibration,
        regimes,
        outliers,
        silhouette: found.silhouette,
        passing: found.passing,
        shrinkage,
        retained,
        mixture,
        slow_alpha,
    })
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
    let wander = wander(residuals, rows.width);
    let shrunk = |samples: &[f64]| {
        // Windows that overlap are not independent: there is one independent mean a window's length.
        let independent = samples.len() as f64 / (rows.width * options.window_rows) as f64;
        ledoit_wolf(samples, rows.width, independent, &wander)
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

/// How far each signal's mean moved from the older to the newer half of the rows, squared.
///
/// Temperatures and the like wander slowly: what a short recording shows of them is less than they will do. A
/// signal that moved by its own deviation within the recording may do so again after it, so the movement
/// counts as variance of the window mean. Steady signals have next to none and keep their full weight.
fn wander(residuals: &[f64], width: usize) -> Vec<f64> {
    let middle = residuals.len() / width / 2 * width;
    let (older, newer) = residuals.split_at(middle);
    let mean = |half: &[f64], signal: usize| {
        mean_deviation(half.iter().copied().skip(signal).step_by(width)).map_or(0.0, |(mean, _)| mean)
    };
    (0..width).map(|signal| (mean(newer, signal) - mean(older, signal)).powi(2)).collect()
}
