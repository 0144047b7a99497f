//! No input may tell the target at the same moment.

use super::Table;
use crate::TrainError;

/// Correlation above which an input is taken to be the target in other clothes.
pub const MOST: f64 = 0.98;

/// Refuses a table with a column that correlates above [`MOST`] with the target.
///
/// # Errors
/// [`TrainError::Leak`] names the column and the correlation.
pub fn check(table: &Table, names: &[String], target: &[f64]) -> Result<(), TrainError> {
    for feature in 0..table.features() {
        let correlation = correlation(table.column(feature), target);
        if correlation.abs() > MOST {
            let name = names.get(feature).cloned().unwrap_or_else(|| format!("column {feature}"));
            return Err(TrainError::Leak { input: name, correlation });
        }
    }
    Ok(())
}

/// Pearson's correlation over the rows where both are present; 0 where one stands still.
pub fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let both = || left.iter().zip(right).filter(|(l, r)| l.is_finite() && r.is_finite());
    let count = both().count() as f64;
    if count < 3.0 {
        return 0.0;
    }
    let (left_mean, right_mean) =
        (both().map(|(l, _)| l).sum::<f64>() / count, both().map(|(_, r)| r).sum::<f64>() / count);
    let (mut product, mut left_square, mut right_square) = (0.0, 0.0, 0.0);
    for (l, r) in both() {
        let (l, r) = (l - left_mean, r - right_mean);
        product += l * r;
        left_square += l * l;
        right_square += r * r;
    }
    let scale = (left_square * right_square).sqrt();
    if scale > 0.0 { product / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_is_the_target_is_refused_by_name() {
        let target: Vec<f64> = (0..200).map(|at| f64::from((at * 37) % 101)).collect();
        let copy = target.iter().map(|value| 5.0 - 2.0 * value).collect();
        let honest = (0..200).map(|at| f64::from((at * 53) % 97)).collect();
        let names = ["honest".to_owned(), "copy".to_owned()];
        let table = Table::from_columns(vec![honest, copy]).unwrap();
        let error = check(&table, &names, &target).unwrap_err().to_string();
        assert!(error.contains("copy") && error.contains("-1.0"), "{error}");
        assert!(
            check(&Table::from_columns(vec![table.column(0).to_vec()]).unwrap(), &names, &target).is_ok()
        );
    }
}
