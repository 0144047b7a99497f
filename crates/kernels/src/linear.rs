//! The few operations on small symmetric matrices (row-major, n × n) that kernels and trainer share.

/// Lower Cholesky factor; `None` unless the matrix is finite and positive definite.
pub fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    if matrix.len() != n * n {
        return None;
    }
    let mut lower = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..=row {
            let dot: f64 = (0..column).map(|k| lower[row * n + k] * lower[column * n + k]).sum();
            let rest = matrix[row * n + column] - dot;
            lower[row * n + column] = if row == column {
                if !(rest.is_finite() && rest > 0.0) {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / lower[column * n + column]
            };
        }
    }
    Some(lower)
}

/// Inverse of a symmetric positive definite matrix, exactly symmetric; `None` where it is not one.
pub fn invert(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let lower = cholesky(matrix, n)?;
    // The inverse of the factor, then its transpose times itself.
    let mut inverse_lower = vec![0.0; n * n];
    for column in 0..n {
        for row in column..n {
            let unit = if row == column { 1.0 } else { 0.0 };
            let dot: f64 = (column..row).map(|k| lower[row * n + k] * inverse_lower[k * n + column]).sum();
            inverse_lower[row * n + column] = (unit - dot) / lower[row * n + row];
        }
    }
    let mut inverse = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..=row {
            let value: f64 =
                (row..n).map(|k| inverse_lower[k * n + row] * inverse_lower[k * n + column]).sum();
            inverse[row * n + column] = value;
            inverse[column * n + row] = value;
        }
    }
    inverse.iter().all(|value| value.is_finite()).then_some(inverse)
}

/// Log-determinant of a symmetric positive definite matrix.
pub fn log_determinant(matrix: &[f64], n: usize) -> Option<f64> {
    cholesky(matrix, n).map(|lower| 2.0 * (0..n).map(|i| lower[i * n + i].ln()).sum::<f64>())
}

/// The precision of the dimensions that stay when the `absent` ones are unknown: the inverse of their
/// sub-covariance, by eliminating one dimension after the other (Schur complement). Rows and columns of absent
/// dimensions become zero.
pub fn marginal_precision(precision: &[f64], absent: &[bool]) -> Vec<f64> {
    let n = absent.len();
    let mut reduced = precision.to_vec();
    for gone in (0..n).filter(|&at| absent[at]) {
        let pivot = reduced[gone * n + gone];
        for row in (0..n).filter(|&row| row != gone) {
            let factor = reduced[row * n + gone] / pivot;
            if factor != 0.0 {
                for column in 0..n {
                    reduced[row * n + column] -= factor * reduced[gone * n + column];
                }
            }
        }
        for at in 0..n {
            reduced[gone * n + at] = 0.0;
            reduced[at * n + gone] = 0.0;
        }
    }
    reduced
}

/// The limit for fewer dimensions at equal probability: both are chi-square quantiles at the same normal
/// deviate (Wilson and Hilferty, 1931).
pub(crate) fn reduced_limit(limit: f64, width: usize, present: usize) -> f64 {
    let (full, reduced) = (width as f64, present as f64);
    let spread = |k: f64| (2.0 / (9.0 * k)).sqrt();
    let deviate = ((limit * limit / full).cbrt() - 1.0 + 2.0 / (9.0 * full)) / spread(full);
    let root = (1.0 - 2.0 / (9.0 * reduced) + deviate * spread(reduced)).max(0.1);
    // Never above the full limit: fewer signals never need more distance.
    (reduced * root * root * root).sqrt().min(limit)
}
