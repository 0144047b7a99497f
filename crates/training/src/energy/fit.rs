//! Fitting, and forecasting days as they would have come.

use std::collections::BTreeMap;

use twinwright_kernels::forest::Predictor;
use twinwright_kernels::life::{Bands, LEVELS};

use super::race::{Mix, Race};
use super::series::{Day, SLOTS};
use super::{EnergyModel, EnergyOptions, inputs};
use crate::TrainError;
use crate::learners::{Table, boost, leakage, ridge, rmse, woods};
use crate::statistics::quantile;

/// Days without which nothing of a week is known.
const WARM: usize = 14;
/// Inputs that order nothing by their size: left out of the linear model, as the courses carry them.
const NOT_LINEAR: std::ops::Range<usize> = 6..9;

/// Forecasts made at the midnight before each day.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecasts {
    /// The first day that was forecast.
    pub first: usize,
    /// [`SLOTS`] loads a day.
    pub load: Vec<Vec<f64>>,
    /// The learners that are best on all of these days: those of a forecast of the day after.
    pub chosen: Mix,
}

/// Fits a model of all days.
///
/// # Errors
/// [`TrainError`]: fewer than the first days and a week, an input that tells the load.
pub fn fit(site: &str, days: &[Day], options: &EnergyOptions) -> Result<EnergyModel, TrainError> {
    fit_after(site, days, &walk_forward(days, options)?, options)
}

/// The same where the days have been forecast already.
///
/// # Errors
/// As [`fit`].
pub fn fit_after(
    site: &str,
    days: &[Day],
    lived: &Forecasts,
    options: &EnergyOptions,
) -> Result<EnergyModel, TrainError> {
    let rows = gather(days, WARM..days.len());
    leakage::check(&rows.0, &inputs::names(), &rows.1)?;
    let pairs: Vec<(f64, f64)> = lived
        .load
        .iter()
        .zip(&days[lived.first..])
        .flat_map(|(forecast, day)| forecast.iter().copied().zip(day.load.iter().copied()))
        .filter(|(_, truth)| truth.is_finite())
        .collect();
    let (forecast, truth): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let metrics = BTreeMap::from([
        ("days".to_owned(), days.len() as f64),
        ("walk_forward_cv_rmse_percent".to_owned(), 100.0 * rmse(&forecast, &truth) / mean),
    ]);
    Ok(EnergyModel {
        kind: "day-ahead-load".to_owned(),
        format: 1,
        id: format!("{site}/{}", options.number),
        created: options.created.clone(),
        data_hash: rows.0.hash(&rows.1),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        inputs: inputs::names(),
        predictors: learn(&rows.0, &rows.1, options)?
            .into_iter()
            .enumerate()
            .filter_map(|(at, predictor)| lived.chosen.has(at).then_some(predictor))
            .collect(),
        bands: bands_of(&pairs),
        metrics: metrics.into_iter().filter(|(_, figure)| figure.is_finite()).collect(),
    })
}

/// Forecasts each day from the days before it.
///
/// # Errors
/// As [`fit`].
pub fn walk_forward(days: &[Day], options: &EnergyOptions) -> Result<Forecasts, TrainError> {
    let first = options.first_days.max(WARM + 7);
    if options.refit_every == 0 {
        return Err(TrainError::Option { option: "refit_every", problem: "must be at least 1" });
    }
    if days.len() <= first {
        return Err(TrainError::too_few("a first forecast (counted in days)", days.len(), first + 1));
    }
    // A day's inputs are the same whenever they are looked at: made once, used by every later fit.
    let (mut table, mut target) = gather(days, WARM..first);
    let mut load = Vec::with_capacity(days.len() - first);
    let (mut predictors, mut race) = (Vec::new(), Race::default());
    for at in first..days.len() {
        if (at - first).is_multiple_of(options.refit_every) {
            predictors = learn(&table, &target, options)?;
        }
        let rows = inputs::of_day(&days[..at], &days[at].calendar);
        let forecasts: Vec<Vec<f64>> = predictors
            .iter()
            .map(|predictor: &Predictor| rows.iter().map(|row| predictor.predict(row)).collect())
            .collect();
        load.push(race.best().of(&forecasts));
        race.see(&forecasts, &days[at]);
        add(&mut table, &mut target, &rows, &days[at]);
    }
    Ok(Forecasts { first, load, chosen: race.best() })
}

/// The mean of the predictors; the linear one does not see what only the trees can use.
pub(super) fn mean_of(predictors: &[Predictor], row: &[f64]) -> f64 {
    let sum: f64 = predictors.iter().map(|predictor| predictor.predict(row)).sum();
    (sum / predictors.len() as f64).max(0.0)
}

fn add(table: &mut Table, target: &mut Vec<f64>, rows: &[Vec<f64>], day: &Day) {
    for (row, load) in rows.iter().zip(&day.load).filter(|(_, load)| load.is_finite()) {
        table.push(row);
        target.push(*load);
    }
}

fn gather(days: &[Day], which: std::ops::Range<usize>) -> (Table, Vec<f64>) {
    let (mut table, mut target) = (Table::new(inputs::names().len()), Vec::new());
    for at in which {
        add(&mut table, &mut target, &inputs::of_day(&days[..at], &days[at].calendar), &days[at]);
    }
    (table, target)
}

/// The learners of [`super::race::LEARNERS`], in that order.
fn learn(table: &Table, target: &[f64], options: &EnergyOptions) -> Result<Vec<Predictor>, TrainError> {
    let trees = boost(table, target, None, &options.boost)?;
    let blind: Vec<Vec<f64>> = (0..table.features())
        .map(|feature| {
            if NOT_LINEAR.contains(&feature) {
                vec![0.0; table.rows()]
            } else {
                table.column(feature).to_vec()
            }
        })
        .collect();
    let mut line = ridge(&Table::from_columns(blind)?, target, options.ridge_l2, 6.0)?;
    NOT_LINEAR.for_each(|feature| line.weight[feature] = 0.0);
    let random = woods(table, target, &options.woods)?;
    Ok(vec![Predictor::Forest(trees), Predictor::Linear(line), Predictor::Forest(random)])
}

/// Quantiles of the errors in fifths of the forecasts.
pub(crate) fn bands_of(pairs: &[(f64, f64)]) -> Bands {
    let mut forecasts: Vec<f64> = pairs.iter().map(|(forecast, _)| *forecast).collect();
    let borders: Vec<f64> =
        [0.2, 0.4, 0.6, 0.8].iter().filter_map(|share| quantile(&mut forecasts, *share)).collect();
    let quantiles = (0..=borders.len())
        .map(|band| {
            let member = |forecast: f64| borders.partition_point(|border| *border < forecast) == band;
            let mut errors: Vec<f64> =
                pairs.iter().filter(|(f, _)| member(*f)).map(|(forecast, truth)| truth - forecast).collect();
            if errors.len() < SLOTS {
                errors = pairs.iter().map(|(forecast, truth)| truth - forecast).collect();
            }
            LEVELS.iter().map(|level| quantile(&mut errors, *level).unwrap_or(0.0)).collect()
        })
        .collect();
    Bands { borders, quantiles }
}
