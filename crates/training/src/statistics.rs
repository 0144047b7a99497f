//! Small statistics that ignore NaN.

/// Median; sorts its argument. `None` without finite values.
pub(crate) fn median(values: &mut Vec<f64>) -> Option<f64> {
    quantile(values, 0.5)
}

/// Quantile by linear interpolation between order statistics; sorts its argument.
pub(crate) fn quantile(values: &mut Vec<f64>, share: f64) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let position = share * last as f64;
    let low = position.floor() as usize;
    let high = (low + 1).min(last);
    Some(values[low] + (values[high] - values[low]) * (position - low as f64))
}

/// Mean and standard deviation; `None` without finite values.
pub(crate) fn mean_deviation(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let present = values.filter(|value| value.is_finite());
    let count = present.clone().count();
    if count == 0 {
        return None;
    }
    let mean = present.clone().sum::<f64>() / count as f64;
    let variance = present.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count as f64;
    Some((mean, variance.sqrt()))
}
