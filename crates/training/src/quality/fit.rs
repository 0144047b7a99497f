//! Fitting, and judging parts as they would have come.

use std::collections::BTreeMap;

use twinwright_kernels::forest::Predictor;

use super::{QualityModel, QualityOptions};
use crate::TrainError;
use crate::learners::{Table, auc, boost, leakage, logistic, precision_at};
use crate::statistics::quantile;

/// Fewest bad parts to learn from.
const EVENTS: usize = 10;

/// Fits a model of all parts, which must be in the order of time; `bad` tells which were.
///
/// # Errors
/// [`TrainError`]: too few parts or bad parts, an input that tells the outcome, shapes that do not fit.
pub fn fit(
    equipment: &str,
    inputs: &[String],
    parts: &Table,
    bad: &[bool],
    options: &QualityOptions,
) -> Result<QualityModel, TrainError> {
    let target = target(inputs, parts, bad)?;
    let judged = walk_forward(parts, bad, options)?;
    let (seen, outcome) = (&judged.prediction, &bad[judged.first..]);
    let (slope, offset) = calibrate(seen, outcome);
    let budget = ((seen.len() as f64 * options.budget).round() as usize).max(1);
    let inspect_from = quantile(&mut seen.clone(), 1.0 - options.budget).unwrap_or(0.0);
    let metrics = BTreeMap::from([
        ("parts".to_owned(), parts.rows() as f64),
        ("bad".to_owned(), target.iter().sum()),
        ("walk_forward_auc".to_owned(), auc(seen, outcome)),
        ("walk_forward_precision_at_budget".to_owned(), precision_at(seen, outcome, budget)),
    ]);
    Ok(QualityModel {
        kind: "part-quality".to_owned(),
        format: 1,
        id: format!("{equipment}/{}", options.number),
        created: options.created.clone(),
        data_hash: parts.hash(&target),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        inputs: inputs.to_vec(),
        predictor: learn(parts, &target, options)?,
        slope,
        offset,
        inspect_from,
        metrics: metrics.into_iter().filter(|(_, figure)| figure.is_finite()).collect(),
    })
}

/// Parts judged by models of earlier parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The first part that was judged.
    pub first: usize,
    /// Prediction of each part from there on: the higher, the more suspect.
    pub prediction: Vec<f64>,
}

/// Judges each part by a model of the parts before it, fitted anew every so many parts.
///
/// # Errors
/// As [`fit`].
pub fn walk_forward(parts: &Table, bad: &[bool], options: &QualityOptions) -> Result<Judged, TrainError> {
    let first = (parts.rows() as f64 * options.first_share) as usize;
    if !(options.first_share > 0.0 && options.first_share < 1.0) || options.refit_every == 0 {
        let problem = "must be above 0 and below 1, and refit_every at least 1";
        return Err(TrainError::Option { option: "first_share", problem });
    }
    let events = bad.iter().take(first).filter(|bad| **bad).count();
    if events < EVENTS {
        return Err(TrainError::too_few("bad parts among the first", events, EVENTS));
    }
    let target: Vec<f64> = bad.iter().map(|bad| f64::from(u8::from(*bad))).collect();
    let mut prediction = Vec::with_capacity(parts.rows() - first);
    let mut row = vec![0.0; parts.features()];
    let mut known = first;
    while known < parts.rows() {
        let earlier: Vec<usize> = (0..known).collect();
        let predictor = learn(&parts.pick(&earlier), &target[..known], options)?;
        let until = (known + options.refit_every).min(parts.rows());
        for part in known..until {
            parts.row(part, &mut row);
            prediction.push(predictor.predict(&row));
        }
        known = until;
    }
    Ok(Judged { first, prediction })
}

fn target(inputs: &[String], parts: &Table, bad: &[bool]) -> Result<Vec<f64>, TrainError> {
    if inputs.len() != parts.features() || bad.len() != parts.rows() {
        let cause = format!(
            "{} names for {} inputs, {} outcomes for {} parts",
            inputs.len(),
            parts.features(),
            bad.len(),
            parts.rows()
        );
        return Err(TrainError::Shape { cause });
    }
    let target: Vec<f64> = bad.iter().map(|bad| f64::from(u8::from(*bad))).collect();
    leakage::check(parts, inputs, &target)?;
    Ok(target)
}

fn learn(parts: &Table, target: &[f64], options: &QualityOptions) -> Result<Predictor, TrainError> {
    if target.iter().filter(|target| **target == 1.0).count() >= options.events_for_trees {
        boost(parts, target, None, &options.boost).map(Predictor::Forest)
    } else {
        logistic(parts, target, options.l2, options.clip).map(Predictor::Linear)
    }
}

/// Platt's scaling, with his smoothed targets: few events must not give chances of 0 and 1.
fn calibrate(prediction: &[f64], bad: &[bool]) -> (f64, f64) {
    let events = bad.iter().filter(|bad| **bad).count() as f64;
    let others = bad.len() as f64 - events;
    let (high, low) = ((events + 1.0) / (events + 2.0), 1.0 / (others + 2.0));
    let (mut slope, mut offset) = (0.0, ((events + 1.0) / (others + 1.0)).ln());
    for _ in 0..100 {
        let (mut first, mut second) = ([0.0; 2], [1e-9, 0.0, 1e-9]);
        for (&value, &bad) in prediction.iter().zip(bad) {
            let chance = crate::learners::sigmoid(slope * value + offset);
            let (error, curve) = (chance - if bad { high } else { low }, chance * (1.0 - chance));
            first = [first[0] + error * value, first[1] + error];
            second = [second[0] + curve * value * value, second[1] + curve * value, second[2] + curve];
        }
        let determinant = second[0] * second[2] - second[1] * second[1];
        if determinant.abs() < 1e-12 {
            break;
        }
        let step = [
            (second[2] * first[0] - second[1] * first[1]) / determinant,
            (second[0] * first[1] - second[1] * first[0]) / determinant,
        ];
        slope -= step[0].clamp(-1.0, 1.0);
        offset -= step[1].clamp(-1.0, 1.0);
        if step[0].abs() + step[1].abs() < 1e-9 {
            break;
        }
    }
    // Predictions that say nothing, or the contrary, are worth the base rate.
    if slope > 0.0 { (slope, offset) } else { (0.0, ((events + 1.0) / (others + 1.0)).ln()) }
}
