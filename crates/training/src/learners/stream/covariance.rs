//! Mean and Ledoit-Wolf covariance in two passes.

use super::{Block, LANES, RowSource, reduce};
use crate::TrainError;

/// Mean and shrunk covariance.
#[derive(Clone, Debug, PartialEq)]
pub struct Covariance {
    /// Mean of each signal.
    pub mean: Vec<f64>,
    /// Row-major, shrunk towards the mean variance times identity (Ledoit and Wolf, 2004).
    pub covariance: Vec<f64>,
    /// How much it was shrunk, 0 to 1.
    pub shrinkage: f64,
    /// Rows.
    pub rows: u64,
}

/// Covariance of all rows.
///
/// # Errors
/// [`TrainError`]: fewer than 2 rows, numbers that overflow, a source that fails.
pub fn covariance(source: &dyn RowSource) -> Result<Covariance, TrainError> {
    let width = source.width();
    let sum = |sums: &mut (Vec<f64>, u64), block: &Block| {
        for (sum, column) in sums.0.iter_mut().zip(&block.columns) {
            *sum += column.iter().sum::<f64>();
        }
        sums.1 += block.rows as u64;
    };
    let add = |total: &mut [f64], part: &[f64]| total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    let (sums, rows) = reduce(
        source,
        || (vec![0.0; width], 0),
        sum,
        |total, part| {
            add(&mut total.0, &part.0);
            total.1 += part.1;
        },
    )?;
    if rows < 2 {
        return Err(TrainError::too_few("a covariance", rows as usize, 2));
    }
    let count = rows as f64;
    let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let product = |sums: &mut (Vec<f64>, f64), block: &Block| {
        let mut centred = block.columns.clone();
        let mut norm = [0.0; LANES];
        for (column, mean) in centred.iter_mut().zip(&mean) {
            for lane in 0..LANES {
                // Lanes without a row stay 0.
                column[lane] = if lane < block.rows { column[lane] - mean } else { 0.0 };
                norm[lane] += column[lane] * column[lane];
            }
        }
        sums.1 += norm.iter().map(|norm| norm * norm).sum::<f64>();
        for row in 0..width {
            for column in 0..=row {
                let mut lanes = [0.0; 8];
                for (left, right) in centred[row].chunks_exact(8).zip(centred[column].chunks_exact(8)) {
                    (0..8).for_each(|at| lanes[at] += left[at] * right[at]);
                }
                sums.0[row * width + column] += lanes.iter().sum::<f64>();
            }
        }
    };
    let (mut covariance, fourth) = reduce(
        source,
        || (vec![0.0; width * width], 0.0),
        product,
        |total, part| {
            add(&mut total.0, &part.0);
            total.1 += part.1;
        },
    )?;
    for row in 0..width {
        for column in 0..=row {
            let value = covariance[row * width + column] / count;
            covariance[row * width + column] = value;
            covariance[column * width + row] = value;
        }
    }
    if !covariance.iter().all(|value| value.is_finite()) {
        return Err(TrainError::numeric("the covariance overflows; leave absurd values out"));
    }
    let scale = (0..width).map(|at| covariance[at * width + at]).sum::<f64>() / width as f64;
    let norm: f64 = covariance.iter().map(|value| value * value).sum();
    let distance = norm - width as f64 * scale * scale;
    let chance = (fourth / count - norm) / count;
    let shrinkage = if distance > 0.0 { (chance / distance).clamp(0.0, 1.0) } else { 0.0 };
    for row in 0..width {
        for column in 0..width {
            let target = if row == column { scale } else { 0.0 };
            let value = &mut covariance[row * width + column];
            *value = (1.0 - shrinkage) * *value + shrinkage * target;
        }
    }
    Ok(Covariance { mean, covariance, shrinkage, rows })
}
