//! Linear models: for little data, and for many features with few events.

use twinwright_kernels::forest::Linear;
use twinwright_kernels::linear::cholesky;

use super::Table;
use super::boost::sigmoid;
use crate::TrainError;
use crate::statistics::{median, quantile};

/// Features of a linear model at the most: the normal equations grow with the square.
const MAX_FEATURES: usize = 2_000;
/// Newton steps of the logistic fit.
const STEPS: usize = 30;
/// Width of the middle half of a normal distribution, in standard deviations.
const MIDDLE_HALF: f64 = 1.349;

/// Ridge regression: least squares with `l2` times the squared weights (of the standardised features) added.
///
/// # Errors
/// [`TrainError`] where shapes do not fit, rows are fewer than 10, or features more than 2,000.
pub fn ridge(table: &Table, target: &[f64], l2: f64, clip: f64) -> Result<Linear, TrainError> {
    table.check(target, 10, "ridge regression")?;
    let mut model = scaled(table, clip, l2)?;
    let rows = standard(table, &model);
    let mean = target.iter().sum::<f64>() / target.len() as f64;
    let centred: Vec<f64> = target.iter().map(|value| value - mean).collect();
    let weights = vec![1.0; target.len()];
    let width = table.features() + 1;
    let (mut matrix, vector) = normal_equations(&rows, width, &weights, &centred);
    (0..width - 1).for_each(|at| matrix[at * width + at] += l2);
    let solution = solve(&matrix, vector, width)?;
    model.intercept = mean + solution[width - 1];
    model.weight = solution[..width - 1].to_vec();
    Ok(model)
}

/// Logistic regression of a target of 0 or 1 with `l2` / 2 times the squared weights added. Both classes weigh alike
/// however rare one is, so the prediction orders rows but is no chance until it is calibrated.
///
/// # Errors
/// As [`ridge`], and where one class has fewer than 5 rows.
pub fn logistic(table: &Table, target: &[f64], l2: f64, clip: f64) -> Result<Linear, TrainError> {
    table.check(target, 10, "logistic regression")?;
    if target.iter().any(|target| *target != 0.0 && *target != 1.0) {
        return Err(TrainError::Shape { cause: "the targets of a classifier must be 0 or 1".to_owned() });
    }
    let events = target.iter().filter(|target| **target == 1.0).count();
    let fewer = events.min(target.len() - events);
    if fewer < 5 {
        return Err(TrainError::too_few("the rarer of the two classes", fewer, 5));
    }
    let mut model = scaled(table, clip, l2)?;
    let rows = standard(table, &model);
    let width = table.features() + 1;
    let count = target.len() as f64;
    let class = [count / (2.0 * (count - events as f64)), count / (2.0 * events as f64)];
    let mut solution = vec![0.0; width];
    let loss = |solution: &[f64]| -> f64 {
        let each = rows.chunks_exact(width).zip(target).map(|(row, &target)| {
            let signed = if target == 1.0 { dot(row, solution) } else { -dot(row, solution) };
            // ln(1 + exp(-x)) without overflow.
            let loss = (-signed.abs()).exp().ln_1p() + (-signed).max(0.0);
            class[target as usize] * loss
        });
        each.sum::<f64>() + 0.5 * l2 * solution[..width - 1].iter().map(|w| w * w).sum::<f64>()
    };
    let mut now = loss(&solution);
    for _ in 0..STEPS {
        let (mut weights, mut residual) =
            (Vec::with_capacity(target.len()), Vec::with_capacity(target.len()));
        for (row, &target) in rows.chunks_exact(width).zip(target) {
            let chance = sigmoid(dot(row, &solution));
            let curvature = (chance * (1.0 - chance)).max(1e-6) * class[target as usize];
            weights.push(curvature);
            residual.push((target - chance) * class[target as usize] / curvature);
        }
        let (mut matrix, mut vector) = normal_equations(&rows, width, &weights, &residual);
        for at in 0..width - 1 {
            matrix[at * width + at] += l2;
            vector[at] -= l2 * solution[at];
        }
        let step = solve(&matrix, vector, width)?;
        // A full Newton step may overshoot where classes separate: halve until the loss falls.
        let mut share = 1.0;
        let better = loop {
            let tried: Vec<f64> = solution.iter().zip(&step).map(|(old, step)| old + share * step).collect();
            let then = loss(&tried);
            if then < now {
                break Some((tried, then));
            }
            share /= 2.0;
            if share < 1e-6 {
                break None;
            }
        };
        let Some((tried, then)) = better else { break };
        let gain = now - then;
        (solution, now) = (tried, then);
        if gain < 1e-9 * now.max(1.0) {
            break;
        }
    }
    model.intercept = solution[width - 1];
    model.weight = solution[..width - 1].to_vec();
    Ok(model)
}

/// Robust centre and scale of each feature: the median and the middle half, as process data has wild values.
fn scaled(table: &Table, clip: f64, l2: f64) -> Result<Linear, TrainError> {
    if table.features() > MAX_FEATURES {
        let cause = format!("{} features; a linear model takes {MAX_FEATURES}", table.features());
        return Err(TrainError::Shape { cause });
    }
    if !(clip > 0.0 && l2 > 0.0 && l2.is_finite()) {
        return Err(TrainError::Option { option: "l2 and clip", problem: "must be positive" });
    }
    let mut model = Linear { clip, ..Linear::default() };
    for feature in 0..table.features() {
        let mut values = table.column(feature).to_vec();
        let centre = median(&mut values).unwrap_or(0.0);
        let half = quantile(&mut values, 0.75).unwrap_or(0.0) - quantile(&mut values, 0.25).unwrap_or(0.0);
        let (_, deviation) = crate::statistics::mean_deviation(values.iter().copied()).unwrap_or((0.0, 0.0));
        let spread = if half > 0.0 { half / MIDDLE_HALF } else { deviation };
        model.mean.push(centre);
        model.scale.push(if spread > 0.0 && spread.is_finite() { spread } else { 1.0 });
    }
    Ok(model)
}

/// Standardised rows with a 1 behind each, row-major.
fn standard(table: &Table, model: &Linear) -> Vec<f64> {
    let width = table.features() + 1;
    let mut rows = vec![1.0; table.rows() * width];
    for feature in 0..table.features() {
        for (row, value) in table.column(feature).iter().enumerate() {
            let standard = (value - model.mean[feature]) / model.scale[feature];
            rows[row * width + feature] =
                if standard.is_nan() { 0.0 } else { standard.clamp(-model.clip, model.clip) };
        }
    }
    rows
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// Weighted `XᵀX` and `Xᵀy`.
fn normal_equations(rows: &[f64], width: usize, weights: &[f64], target: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut matrix, mut vector) = (vec![0.0; width * width], vec![0.0; width]);
    for ((row, &weight), &target) in rows.chunks_exact(width).zip(weights).zip(target) {
        for left in 0..width {
            let factor = weight * row[left];
            if factor == 0.0 {
                continue;
            }
            vector[left] += factor * target;
            let line = &mut matrix[left * width..left * width + left + 1];
            line.iter_mut().zip(row).for_each(|(cell, value)| *cell += factor * value);
        }
    }
    for left in 0..width {
        for right in left + 1..width {
            matrix[left * width + right] = matrix[right * width + left];
        }
    }
    (matrix, vector)
}

/// Solves a symmetric positive definite system by Cholesky's decomposition.
fn solve(matrix: &[f64], mut vector: Vec<f64>, width: usize) -> Result<Vec<f64>, TrainError> {
    let lower = cholesky(matrix, width)
        .ok_or_else(|| TrainError::numeric("the features are not independent; raise l2"))?;
    for row in 0..width {
        let line = &lower[row * width..=row * width + row];
        vector[row] = (vector[row] - dot(&line[..row], &vector[..row])) / line[row];
    }
    for row in (0..width).rev() {
        vector[row] /= lower[row * width + row];
        let found = vector[row];
        let line = &lower[row * width..row * width + row];
        vector[..row].iter_mut().zip(line).for_each(|(value, factor)| *value -= factor * found);
    }
    Ok(vector)
}

#[cfg(test)]
mod tests {
    use twinwright_kernels::forest::Predictor;

    use super::*;
    use crate::learners::Random;

    fn noise(random: &mut Random) -> f64 {
        (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
    }

    #[test]
    fn ridge_finds_the_weights() {
        let mut random = Random(3);
        let (mut table, mut target) = (Table::new(2), Vec::new());
        for _ in 0..500 {
            let (a, b) = (noise(&mut random), 100.0 + 5.0 * noise(&mut random));
            table.push(&[a, b]);
            target.push(3.0 * a - 0.2 * b + 7.0);
        }
        let model = Predictor::Linear(ridge(&table, &target, 1e-6, 50.0).unwrap());
        assert!((model.predict(&[1.0, 90.0]) - (3.0 - 18.0 + 7.0)).abs() < 1e-4);
        let mean = target.iter().sum::<f64>() / 500.0;
        assert!((model.predict(&[f64::NAN, f64::NAN]) - mean).abs() < 1.0, "absent counts as usual");
    }

    #[test]
    fn logistic_orders_rows_and_survives_separation() {
        let mut random = Random(5);
        let (mut table, mut target) = (Table::new(3), Vec::new());
        for _ in 0..600 {
            let row = [noise(&mut random), noise(&mut random), 1.0];
            target.push(f64::from(row[0] - 2.0 * row[1] + 0.5 * noise(&mut random) > 2.5));
            table.push(&row);
        }
        let model = logistic(&table, &target, 1.0, 8.0).unwrap();
        assert!(model.weight[0] > 0.3 && model.weight[1] < -0.6);
        let clean: Vec<f64> = table.column(0).iter().map(|value| f64::from(*value > 0.0)).collect();
        let model = logistic(&table, &clean, 0.01, 8.0).unwrap();
        assert!(model.weight.iter().all(|weight| weight.is_finite()) && model.weight[0] > 3.0);
        assert!(logistic(&table, &[0.0; 600], 1.0, 8.0).unwrap_err().to_string().contains("rarer"));
    }
}
