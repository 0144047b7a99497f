//! The ways of running of `gaussian-mixture`: as many as the rows themselves speak for.

use twinwright_kernels::baseline::{Component, Mixture};
use twinwright_kernels::linear::invert;
use twinwright_kernels::{GaussianMixture, Kernel, ROW_CAP};

use crate::learners::stream::{self, Slice};
use crate::rows::Ordered;
use crate::statistics::mean_deviation;
use crate::{Options, TrainError};

/// A component is worth its own covariance only with this many rows a signal.
const ROWS_A_SIGNAL: usize = 50;
/// Seed of the sample: the same rows give the same baseline.
const SEED: u64 = 7;
/// Least variance of a component, in the mixture's deviations: no sensor is so exact that a way of running narrower than
/// a tenth of all that it does were to be believed.
const LEAST: f64 = 0.01;

/// Fits 1 to `options.max_components` components and keeps the number with the lowest Bayesian information criterion
/// (Schwarz, 1978). Neighbouring rows are alike, so there is one independent row a window.
pub(crate) fn fit(rows: &Ordered, options: &Options) -> Result<Mixture, TrainError> {
    let width = rows.width;
    let mut mixture = Mixture {
        alpha: options.ewma_alpha,
        mean: Vec::new(),
        deviation: Vec::new(),
        components: Vec::new(),
    };
    let mut least = Vec::with_capacity(width);
    for signal in 0..width {
        let values: Vec<f64> = rows.column(signal).collect();
        let (mean, deviation) = mean_deviation(values.into_iter())
            .ok_or_else(|| TrainError::numeric("a signal has no values"))?;
        let floor = (mean.abs() * 1e-3).max(1e-6);
        // A signal that stood still may move by its resolution without an alarm.
        least.push(if deviation > floor { LEAST } else { 1.0 });
        mixture.mean.push(mean);
        mixture.deviation.push(deviation.max(floor));
    }
    let mut whole = Vec::new();
    for row in (0..rows.rows()).map(|row| rows.row(row)) {
        if row.iter().all(|value| value.is_finite()) {
            let scales = mixture.mean.iter().zip(&mixture.deviation);
            let residual = |(value, (mean, deviation)): (&f64, (&f64, &f64))| {
                ((value - mean) / deviation).clamp(-ROW_CAP, ROW_CAP)
            };
            whole.extend(row.iter().zip(scales).map(residual));
        }
    }
    let count = whole.len() / width;
    let need = ROWS_A_SIGNAL * width;
    if count < need {
        return Err(TrainError::too_few("the components of a mixture (rows without gaps)", count, need));
    }
    let independent = count as f64 / options.window_rows as f64;
    let mut best: Option<(f64, stream::Mixture)> = None;
    for components in (1..=options.max_components).take_while(|components| count >= need * components) {
        // One more component than there are ways collapses now and then; those before stand.
        let Ok(found) = stream::mixture(&Slice { rows: &whole, width }, components, SEED) else { break };
        let free = (components * (1 + width + width * (width + 1) / 2) - 1) as f64;
        let criterion = free * independent.ln() - 2.0 * independent * found.log_likelihood;
        if best.as_ref().is_none_or(|(lowest, _)| criterion < *lowest) {
            best = Some((criterion, found));
        }
    }
    let (_, found) = best.ok_or_else(|| TrainError::numeric("no mixture of the rows was found"))?;
    let total: f64 = found.weights.iter().sum();
    for (which, covariance) in found.covariances.iter().enumerate() {
        let mut covariance = covariance.clone();
        for (at, least) in least.iter().enumerate() {
            let variance = &mut covariance[at * width + at];
            *variance = variance.max(0.0) + least;
        }
        let precision = invert(&covariance, width).ok_or_else(|| {
            TrainError::numeric(format!("a component of {} has no precision", GaussianMixture::NAME))
        })?;
        mixture.components.push(Component {
            weight: (found.weights[which] / total).clamp(1e-6, 1.0),
            mean: found.means[which * width..(which + 1) * width].to_vec(),
            precision,
        });
    }
    // A fixed order, so that the document does not depend on how the components were numbered.
    mixture.components.sort_by(|left, right| {
        let pairs = left.mean.iter().zip(&right.mean);
        pairs.map(|(l, r)| l.total_cmp(r)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(mixture)
}
