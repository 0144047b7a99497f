//! Drift between two stretches of rows: the population stability index.

use crate::Matrix;
use crate::TrainError;
use crate::statistics::quantile;

/// Bins of equal share in the older rows.
const BINS: usize = 10;
/// Share that an empty bin counts as, so that the index stays finite.
const LEAST: f64 = 1e-4;

/// The population stability index of each signal between older and newer rows: below 0.1 it is stable, above 0.25 it has
/// shifted (the usual reading). 0 for a signal without values on one side.
///
/// # Errors
/// [`TrainError::Shape`].
pub fn drift(width: usize, older: &Matrix<'_>, newer: &Matrix<'_>) -> Result<Vec<f64>, TrainError> {
    let (older, newer) = (older.ordered(width)?, newer.ordered(width)?);
    Ok((0..width)
        .map(|signal| index(older.column(signal).collect(), &newer.column(signal).collect::<Vec<_>>()))
        .collect())
}

/// The index between two sets of values.
pub(crate) fn index(mut older: Vec<f64>, newer: &[f64]) -> f64 {
    let mut borders: Vec<f64> =
        (1..BINS).filter_map(|at| quantile(&mut older, at as f64 / BINS as f64)).collect();
    borders.dedup();
    let shares = |values: &[f64]| -> Option<Vec<f64>> {
        let mut counts = vec![0.0_f64; borders.len() + 1];
        let mut all = 0.0_f64;
        for value in values.iter().filter(|value| value.is_finite()) {
            counts[borders.partition_point(|border| border < value)] += 1.0;
            all += 1.0;
        }
        (all > 0.0).then(|| counts.iter().map(|count| (count / all).max(LEAST)).collect())
    };
    match (shares(&older), shares(newer)) {
        (Some(before), Some(after)) => before.iter().zip(&after).map(|(b, a)| (a - b) * (a / b).ln()).sum(),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::index;

    #[test]
    fn the_same_values_are_stable_and_others_are_not() {
        let values: Vec<f64> = (0..1_000).map(|at| f64::from(at * 7919 % 1_000)).collect();
        let moved: Vec<f64> = values.iter().map(|value| value + 400.0).collect();
        assert!(index(values.clone(), &values) < 0.01);
        assert!(index(values.clone(), &moved) > 0.5);
        assert!(index(values, &[f64::NAN; 5]) == 0.0);
    }
}
