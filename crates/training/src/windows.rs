//! The statistics that the kernels form of the rows: window means and EWMA charts of the residuals, here collected
//! over the training rows.

use twinwright_kernels::ROW_CAP;

use crate::Options;
use crate::rows::Ordered;

/// Mean and deviation of each signal in one regime.
pub(crate) struct Normal {
    pub(crate) mean: Vec<f64>,
    pub(crate) deviation: Vec<f64>,
}

/// Residuals of all rows, NaN where a value is absent.
pub(crate) fn residuals(rows: &Ordered, regime: &[usize], normal: &[Normal]) -> Vec<f64> {
    let mut residuals = rows.values.clone();
    for (row, line) in residuals.chunks_exact_mut(rows.width).enumerate() {
        let normal = &normal[regime[row]];
        for (signal, value) in line.iter_mut().enumerate() {
            *value = ((*value - normal.mean[signal]) / normal.deviation[signal]).clamp(-ROW_CAP, ROW_CAP);
        }
    }
    residuals
}

/// Per device: row numbers in order, cut at gaps.
pub(crate) fn runs(rows: &Ordered, gap_seconds: f64) -> Vec<Vec<usize>> {
    let gap = (gap_seconds * 1e6) as i64;
    let mut open: Vec<Vec<usize>> = vec![Vec::new(); rows.devices];
    let mut done = Vec::new();
    for row in 0..rows.rows() {
        let run = &mut open[rows.device[row] as usize];
        if run.last().is_some_and(|&last| rows.time[row].saturating_sub(rows.time[last]) > gap) {
            done.push(std::mem::take(run));
        }
        run.push(row);
    }
    done.extend(open.into_iter().filter(|run| !run.is_empty()));
    done
}

/// Means over `window` rows, one a row where the window is full and each signal present in at least half of it;
/// each with the regime of its newest row.
pub(crate) fn window_means(
    residuals: &[f64],
    width: usize,
    runs: &[Vec<usize>],
    window: usize,
    regime: &[usize],
) -> Vec<(usize, Vec<f64>)> {
    let mut means = Vec::new();
    for run in runs {
        for rows in run.windows(window) {
            let mut sums = vec![0.0; width];
            let mut counts = vec![0_usize; width];
            for &row in rows {
                for (signal, &value) in residuals[row * width..(row + 1) * width].iter().enumerate() {
                    if !value.is_nan() {
                        sums[signal] += value;
                        counts[signal] += 1;
                    }
                }
            }
            if counts.iter().all(|count| count * 2 >= window) {
                let mean = sums.iter().zip(&counts).map(|(sum, count)| sum / *count as f64).collect();
                means.push((regime[rows[window - 1]], mean));
            }
        }
    }
    means
}

/// Root mean square of each signal's EWMA chart, a regime at a time; NaN where a regime saw none.
pub(crate) fn ewma_spread(
    residuals: &[f64],
    width: usize,
    runs: &[Vec<usize>],
    alpha: f64,
    regime: &[usize],
    regimes: usize,
) -> Vec<Vec<f64>> {
    let warm = (1.0 / alpha).ceil() as usize;
    let mut sums = vec![vec![0.0; width]; regimes];
    let mut counts = vec![vec![0_usize; width]; regimes];
    for run in runs {
        let mut charts = vec![0.0; width];
        let mut seen = vec![0_usize; width];
        for &row in run {
            for (signal, &value) in residuals[row * width..(row + 1) * width].iter().enumerate() {
                if value.is_nan() {
                    continue;
                }
                charts[signal] += alpha * (value - charts[signal]);
                seen[signal] += 1;
                if seen[signal] >= warm {
                    sums[regime[row]][signal] += charts[signal] * charts[signal];
                    counts[regime[row]][signal] += 1;
                }
            }
        }
    }
    sums.iter()
        .zip(&counts)
        .map(|(sums, counts)| {
            sums.iter().zip(counts).map(|(sum, count)| (sum / *count as f64).sqrt()).collect()
        })
        .collect()
}

/// EWMA charts of all signals, one set a row from where they have warmed up; a signal that has no value yet
/// counts as normal.
pub(crate) fn charts(residuals: &[f64], width: usize, runs: &[Vec<usize>], alpha: f64) -> Vec<f64> {
    let warm = (3.0 / alpha).ceil() as usize;
    let mut all = Vec::new();
    for run in runs {
        let mut charts = vec![0.0; width];
        for (seen, &row) in run.iter().enumerate() {
            for (chart, &value) in charts.iter_mut().zip(&residuals[row * width..(row + 1) * width]) {
                if !value.is_nan() {
                    *chart += alpha * (value - *chart);
                }
            }
            if seen >= warm {
                all.extend_from_slice(&charts);
            }
        }
    }
    all
}

/// Histories longer than so many slow means need no gate: they show all the wandering there is, as spread.
const SHORT: f64 = 20.0;

/// The slow mean's weight for each signal that wanders, 0 for the others; empty where none does.
///
/// A signal wanders where rows a window apart are still alike: then a short history has seen only a part of the levels
/// that it will have.
pub(crate) fn wandering(rows: &Ordered, residuals: &[f64], gap: f64, options: &Options) -> Vec<f64> {
    if rows.rows() as f64 * options.slow_alpha > SHORT {
        return Vec::new();
    }
    let runs = runs(rows, gap);
    let width = rows.width;
    let lag = options.window_rows;
    let correlation = |signal: usize| {
        let at = |row: usize| residuals[row * width + signal];
        let (mut alike, mut pairs, mut square, mut count) = (0.0, 0_usize, 0.0, 0_usize);
        for run in &runs {
            for &row in run.iter().filter(|row| !at(**row).is_nan()) {
                square += at(row) * at(row);
                count += 1;
            }
            for (&older, &newer) in run.iter().zip(run.iter().skip(lag)) {
                let product = at(older) * at(newer);
                if !product.is_nan() {
                    alike += product;
                    pairs += 1;
                }
            }
        }
        let variance = square / count.max(1) as f64;
        if pairs == 0 || variance <= 0.0 { 0.0 } else { alike / pairs as f64 / variance }
    };
    let alphas: Vec<f64> = (0..width)
        .map(|signal| if correlation(signal) > options.wander_correlation { options.slow_alpha } else { 0.0 })
        .collect();
    if alphas.iter().all(|alpha| *alpha == 0.0) { Vec::new() } else { alphas }
}

/// Residuals of wandering signals as `ewma-chart` sees them: without their slow mean.
pub(crate) fn without_slow_mean(
    residuals: &[f64],
    width: usize,
    runs: &[Vec<usize>],
    slow_alpha: &[f64],
) -> Vec<f64> {
    let mut steadied = residuals.to_vec();
    for (signal, &alpha) in slow_alpha.iter().enumerate().filter(|(_, alpha)| **alpha > 0.0) {
        for run in runs {
            let mut slow = 0.0;
            for &row in run {
                let value = &mut steadied[row * width + signal];
                if !value.is_nan() {
                    slow += alpha * (*value - slow);
                    *value -= slow;
                }
            }
        }
    }
    steadied
}
