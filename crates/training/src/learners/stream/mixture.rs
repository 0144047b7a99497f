//! Gaussian mixture with full covariances: linfa on a sample, then full passes of expectation and maximisation.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng as _;
use twinwright_kernels::linear::cholesky;

use super::{Block, LANES, RowSource, reduce, sample};
use crate::TrainError;

/// Full passes at the most.
const PASSES: usize = 100;
/// Gain of the mean log-likelihood below which the fit stands still, and what is added to the variances: both as
/// in scikit-learn.
const STILL: f64 = 1e-3;
const RIDGE: f64 = 1e-6;

/// A mixture of Gaussians.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// Share of each component.
    pub weights: Vec<f64>,
    /// Means, row-major.
    pub means: Vec<f64>,
    /// Covariances, one row-major matrix a component.
    pub covariances: Vec<Vec<f64>>,
    /// Mean log-likelihood of a row.
    pub log_likelihood: f64,
    /// Full passes that it took.
    pub passes: usize,
}

struct Sums {
    rows: f64,
    likelihood: f64,
    weight: Vec<f64>,
    first: Vec<f64>,
    second: Vec<Vec<f64>>,
}

/// What a pass needs of a component.
struct Component {
    mean: Vec<f64>,
    /// Inverse of the covariance's Cholesky factor.
    whitening: Vec<f64>,
    constant: f64,
}

/// Fits `components` components; the same for the same rows and seed.
///
/// # Errors
/// [`TrainError`]: too few rows, values that are not finite, a component that collapses, a source that fails.
pub fn mixture(source: &dyn RowSource, components: usize, seed: u64) -> Result<Mixture, TrainError> {
    let width = source.width();
    let (rows, seen) = sample(source, seed)?;
    let need = components.max(1) * (width + 1);
    if components == 0 || seen < need {
        return Err(TrainError::too_few("the components of a mixture", seen, need));
    }
    let records = Array2::from_shape_vec((rows.len() / width, width), rows).map_err(TrainError::numeric)?;
    let model = GaussianMixtureModel::params_with_rng(components, Xoshiro256Plus::seed_from_u64(seed))
        .n_runs(1)
        .tolerance(1e-3)
        .reg_covariance(RIDGE)
        .fit(&DatasetBase::from(records))
        .map_err(TrainError::numeric)?;
    let matrix =
        |which: usize| model.covariances().index_axis(ndarray::Axis(0), which).iter().copied().collect();
    let mut found = Mixture {
        weights: model.weights().to_vec(),
        means: model.means().iter().copied().collect(),
        covariances: (0..components).map(matrix).collect(),
        log_likelihood: f64::NEG_INFINITY,
        passes: 0,
    };
    while found.passes < PASSES {
        let sums = pass(source, &prepare(&found, width)?, width)?;
        found.passes += 1;
        let likelihood = sums.likelihood / sums.rows;
        let gain = likelihood - found.log_likelihood;
        found.log_likelihood = likelihood;
        maximise(&mut found, &sums, width);
        if gain.abs() < STILL {
            break;
        }
    }
    Ok(found)
}

fn prepare(mixture: &Mixture, width: usize) -> Result<Vec<Component>, TrainError> {
    let one = |(which, covariance): (usize, &Vec<f64>)| {
        let lower = cholesky(covariance, width)
            .ok_or_else(|| TrainError::numeric("a component of the mixture collapsed; ask for fewer"))?;
        let mut whitening = vec![0.0; width * width];
        for column in 0..width {
            for row in column..width {
                let unit = f64::from(u8::from(row == column));
                let known: f64 =
                    (column..row).map(|k| lower[row * width + k] * whitening[k * width + column]).sum();
                whitening[row * width + column] = (unit - known) / lower[row * width + row];
            }
        }
        let logs: f64 = (0..width).map(|at| lower[at * width + at].ln()).sum();
        let turn = (std::f64::consts::TAU).ln() * width as f64 / 2.0;
        Ok(Component {
            mean: mixture.means[which * width..(which + 1) * width].to_vec(),
            whitening,
            constant: mixture.weights[which].max(1e-300).ln() - logs - turn,
        })
    };
    mixture.covariances.iter().enumerate().map(one).collect()
}

fn pass(source: &dyn RowSource, components: &[Component], width: usize) -> Result<Sums, TrainError> {
    let count = components.len();
    let zero = || Sums {
        rows: 0.0,
        likelihood: 0.0,
        weight: vec![0.0; count],
        first: vec![0.0; count * width],
        second: vec![vec![0.0; width * width]; count],
    };
    let visit = |sums: &mut Sums, block: &Block| {
        let mut log = vec![[0.0; LANES]; count];
        let mut largest = [f64::NEG_INFINITY; LANES];
        let mut offsets = vec![[0.0; LANES]; width];
        for (component, log) in components.iter().zip(&mut log) {
            for ((offset, column), mean) in offsets.iter_mut().zip(&block.columns).zip(&component.mean) {
                (0..LANES).for_each(|lane| offset[lane] = column[lane] - mean);
            }
            let mut distance = [0.0; LANES];
            for row in 0..width {
                let mut white = [0.0; LANES];
                for (offset, factor) in
                    offsets.iter().zip(&component.whitening[row * width..=row * width + row])
                {
                    (0..LANES).for_each(|lane| white[lane] += factor * offset[lane]);
                }
                (0..LANES).for_each(|lane| distance[lane] += white[lane] * white[lane]);
            }
            for lane in 0..LANES {
                log[lane] = component.constant - 0.5 * distance[lane];
                largest[lane] = log[lane].max(largest[lane]);
            }
        }
        // Responsibilities in place; a lane without a row has none.
        let mut total = [0.0; LANES];
        for log in &mut log {
            for lane in 0..LANES {
                let below = log[lane] - largest[lane];
                log[lane] = if below < -40.0 { 0.0 } else { below.exp() };
                total[lane] += log[lane];
            }
        }
        for lane in 0..block.rows {
            sums.likelihood += largest[lane] + total[lane].ln();
        }
        sums.rows += block.rows as f64;
        let mut weighted = [0.0; LANES];
        for (which, log) in log.iter_mut().enumerate() {
            for lane in 0..LANES {
                log[lane] = if lane < block.rows { log[lane] / total[lane] } else { 0.0 };
            }
            sums.weight[which] += log.iter().sum::<f64>();
            for row in 0..width {
                (0..LANES).for_each(|lane| weighted[lane] = log[lane] * block.columns[row][lane]);
                sums.first[which * width + row] += lanes(&weighted);
                for column in 0..=row {
                    sums.second[which][row * width + column] += dot(&weighted, &block.columns[column]);
                }
            }
        }
    };
    reduce(source, zero, visit, |total, part| {
        let add = |total: &mut [f64], part: &[f64]| total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        total.rows += part.rows;
        total.likelihood += part.likelihood;
        add(&mut total.weight, &part.weight);
        add(&mut total.first, &part.first);
        total.second.iter_mut().zip(&part.second).for_each(|(total, part)| add(total, part));
    })
}

/// Eight running sums: one would make each addition wait for the one before.
fn dot(left: &[f64; LANES], right: &[f64; LANES]) -> f64 {
    let mut sums = [0.0; 8];
    for (left, right) in left.chunks_exact(8).zip(right.chunks_exact(8)) {
        (0..8).for_each(|at| sums[at] += left[at] * right[at]);
    }
    sums.iter().sum()
}

fn lanes(values: &[f64; LANES]) -> f64 {
    let mut sums = [0.0; 8];
    values.chunks_exact(8).for_each(|values| (0..8).for_each(|at| sums[at] += values[at]));
    sums.iter().sum()
}

fn maximise(found: &mut Mixture, sums: &Sums, width: usize) {
    for which in 0..found.weights.len() {
        let weight = sums.weight[which].max(1e-9);
        found.weights[which] = weight / sums.rows;
        let mean: Vec<f64> = (0..width).map(|at| sums.first[which * width + at] / weight).collect();
        for row in 0..width {
            for column in 0..=row {
                let value = sums.second[which][row * width + column] / weight - mean[row] * mean[column];
                let ridge = if row == column { RIDGE } else { 0.0 };
                found.covariances[which][row * width + column] = value + ridge;
                found.covariances[which][column * width + row] = value + ridge;
            }
        }
        found.means[which * width..(which + 1) * width].copy_from_slice(&mean);
    }
}
