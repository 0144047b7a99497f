//! Covariance of few samples in many dimensions.

use twinwright_kernels::linear;

/// What the shrinkage made of the samples.
pub(crate) struct Shrunk {
    pub(crate) precision: Vec<f64>,
    pub(crate) shrinkage: f64,
}

/// Inverse of the Ledoit-Wolf covariance about zero, as the samples are residuals already. `samples` has `width`
/// numbers a sample.
///
/// `wander` is added to the variances. `independent` is the number of independent samples: overlapping windows say
/// less than their number, and the shrinkage has to know it.
pub(crate) fn ledoit_wolf(samples: &[f64], width: usize, independent: f64, wander: &[f64]) -> Option<Shrunk> {
    let (mut covariance, shrinkage) = shrunk_covariance(samples, width, independent)?;
    (0..width).for_each(|at| covariance[at * width + at] += wander[at]);
    Some(Shrunk { precision: linear::invert(&covariance, width)?, shrinkage })
}

/// The covariance about zero, shrunk towards the mean variance times identity (Ledoit and Wolf, 2004), and by how
/// much.
pub(crate) fn shrunk_covariance(samples: &[f64], width: usize, independent: f64) -> Option<(Vec<f64>, f64)> {
    let count = samples.len() / width;
    if count < 2 {
        return None;
    }
    let mut covariance = vec![0.0; width * width];
    let mut fourth = 0.0;
    for sample in samples.chunks_exact(width) {
        for (row, &left) in sample.iter().enumerate() {
            for (column, &right) in sample.iter().enumerate() {
                covariance[row * width + column] += left * right;
            }
        }
        let norm: f64 = sample.iter().map(|value| value * value).sum();
        fourth += norm * norm;
    }
    covariance.iter_mut().for_each(|value| *value /= count as f64);
    let scale = (0..width).map(|at| covariance[at * width + at]).sum::<f64>() / width as f64;
    let norm: f64 = covariance.iter().map(|value| value * value).sum();
    // Squared distance of the sample covariance to its target, and how much of it is chance.
    let distance = norm - width as f64 * scale * scale;
    let chance = (fourth / count as f64 - norm) / independent.max(1.0);
    let shrinkage = if distance > 0.0 { (chance / distance).clamp(0.0, 1.0) } else { 1.0 };
    for row in 0..width {
        for column in 0..width {
            let target = if row == column { scale } else { 0.0 };
            let value = &mut covariance[row * width + column];
            *value = (1.0 - shrinkage) * *value + shrinkage * target;
        }
    }
    // Signals that never move in training leave a singular matrix when nothing was shrunk.
    let floor = (scale * 1e-6).max(1e-9);
    (0..width).for_each(|at| covariance[at * width + at] += floor);
    Some((covariance, shrinkage))
}
