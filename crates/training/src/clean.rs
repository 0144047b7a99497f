//! Values that a baseline must not learn from.

use crate::rows::Ordered;
use crate::statistics::{median, quantile};

/// Robust deviations beyond which a value is taken out of the fit. Far beyond what normal operation shows, so
/// that only glitches go: cutting real tails would make the limits too tight.
const OUTLIER: f64 = 8.0;
/// Makes the median absolute deviation an estimate of the standard deviation.
const NORMAL: f64 = 1.4826;
/// A coarse sensor stands on one level most of the time, so its median absolute deviation may be next to nothing
/// while its other levels are as normal: the range of all but the outermost 4 % of values counts too. It is
/// this many standard deviations wide.
const RANGE: f64 = 4.1;

/// Removes outliers (to NaN) within each regime; returns how many values went. A signal that stands still
/// nearly always has no robust spread and is left alone.
pub(crate) fn remove_outliers(rows: &mut Ordered, regime: &[usize], regimes: usize) -> usize {
    let mut removed = 0;
    for signal in 0..rows.width {
        for which in 0..regimes {
            let members: Vec<usize> = (0..rows.rows()).filter(|&row| regime[row] == which).collect();
            let mut values: Vec<f64> = members.iter().map(|&row| rows.row(row)[signal]).collect();
            let Some(centre) = median(&mut values) else { continue };
            let mut distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
            let deviation = NORMAL * median(&mut distances).unwrap_or(0.0);
            let low = quantile(&mut values, 0.02).unwrap_or(centre);
            let high = quantile(&mut values, 0.98).unwrap_or(centre);
            let spread = deviation.max((high - low) / RANGE);
            if spread <= 0.0 {
                continue;
            }
            for row in members {
                let value = &mut rows.values[row * rows.width + signal];
                if (*value - centre).abs() > OUTLIER * spread {
                    *value = f64::NAN;
                    removed += 1;
                }
            }
        }
    }
    removed
}
