//! Principal directions of the smoothed residuals, for `pca-t2q`.

use crate::TrainError;
use crate::covariance::shrunk_covariance;

/// Turns of the Jacobi sweep at most; 52 signals take about 8.
const SWEEPS: usize = 60;
/// Share of the spread that the leading directions hold.
const RETAINED: f64 = 0.9;

/// Directions by spread, each divided by its spread, and how many lead.
pub(crate) struct Directions {
    pub(crate) components: Vec<f64>,
    pub(crate) retained: usize,
}

/// The directions of charts (rows of `width`): eigenvectors of their shrunken covariance.
pub(crate) fn directions(charts: &[f64], width: usize) -> Result<Directions, TrainError> {
    let rows = charts.len() / width;
    if rows < 2 * width {
        return Err(TrainError::too_few("the principal directions", rows, 2 * width));
    }
    let (covariance, _) = shrunk_covariance(charts, width, rows as f64)
        .ok_or_else(|| TrainError::numeric("the covariance of the smoothed signals is singular"))?;
    let (values, vectors) = eigen(covariance, width);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|left, right| values[*right].total_cmp(&values[*left]));
    let total: f64 = values.iter().sum();
    let mut held = 0.0;
    let mut retained = 0;
    let mut components = Vec::with_capacity(width * width);
    for &at in &order {
        if held < RETAINED * total {
            retained += 1;
            held += values[at];
        }
        let scale = 1.0 / values[at].max(1e-12).sqrt();
        // The sign of a direction means nothing; a fixed one keeps documents equal.
        let column = (0..width).map(|row| vectors[row * width + at]);
        let sign = column.clone().find(|value| value.abs() > 1e-9).map_or(1.0, f64::signum);
        components.extend(column.map(|value| value * scale * sign));
    }
    Ok(Directions { components, retained })
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan,
/// Matrix Computations, section 8.5): slow for thousands of signals, exact and simple for dozens.
fn eigen(mut matrix: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|at| vectors[at * n + at] = 1.0);
    let scale: f64 = matrix.iter().map(|value| value * value).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n)
            .flat_map(|row| (0..row).map(move |column| (row, column)))
            .map(|(row, column)| matrix[row * n + column].powi(2))
            .sum();
        if off <= scale * 1e-24 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, &mut vectors, n, p, q);
            }
        }
    }
    ((0..n).map(|at| matrix[at * n + at]).collect(), vectors)
}

/// One rotation, which makes the element (p, q) zero.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = matrix[p * n + q];
    if apq == 0.0 {
        return;
    }
    let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..n {
        let (kp, kq) = (matrix[k * n + p], matrix[k * n + q]);
        matrix[k * n + p] = c * kp - s * kq;
        matrix[k * n + q] = s * kp + c * kq;
    }
    for k in 0..n {
        let (pk, qk) = (matrix[p * n + k], matrix[q * n + k]);
        matrix[p * n + k] = c * pk - s * qk;
        matrix[q * n + k] = s * pk + c * qk;
        let (kp, kq) = (vectors[k * n + p], vectors[k * n + q]);
        vectors[k * n + p] = c * kp - s * kq;
        vectors[k * n + q] = s * kp + c * kq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directions_whiten() {
        // Three signals, the third the sum of the others and a little of its own.
        let rows = 400_u32;
        let mut state = 7_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let charts: Vec<f64> = (0..rows)
            .flat_map(|_| {
                let (a, b, c) = (noise(), noise(), noise());
                [a, b, a + b + 0.1 * c]
            })
            .collect();
        let found = directions(&charts, 3).unwrap();
        assert_eq!(found.retained, 2);
        let mean: Vec<f64> =
            (0..3).map(|s| charts.iter().skip(s).step_by(3).sum::<f64>() / f64::from(rows)).collect();
        for (at, direction) in found.components.chunks(3).enumerate() {
            let along = |row: &[f64]| -> f64 { (0..3).map(|s| direction[s] * (row[s] - mean[s])).sum() };
            let spread = charts.chunks(3).map(|row| along(row).powi(2)).sum::<f64>() / f64::from(rows);
            // Shrinkage lends the direction that hardly spreads some of the others' spread.
            let least = if at < found.retained { 0.5 } else { 0.0 };
            assert!((least..1.3).contains(&spread), "direction {at}: {spread}");
        }
    }
}
