//! Values that a baseline must not learn from.

use crate::rows::Ordered;
use crate::statistics::median;

/// Robust deviations beyond which a value is taken out of the fit. Far beyond what normal operation shows, so
/// that only glitches go: cutting real tails would make the limits too tight.
const OUTLIER: f64 = 8.0;
/// Makes the median absolute deviation an estimate of the standard deviation.
const NORMAL: f64 = 1.4826;

/// Removes outliers (to NaN) within each regime; returns how many values went. A signal that is constant most
/// of the time has no robust deviation and is left alone.
pub(crate) fn remove_outliers(rows: &mut Ordered, regime: &[usize], regimes: usize) -> usize {
    let mut removed = 0;
    for signal in 0..rows.width {
        for which in 0..regimes {
            let members: Vec<usize> = (0..rows.rows()).filter(|&row| regime[row] == which).collect();
            let mut values: Vec<f64> = members.iter().map(|&row| rows.row(row)[signal]).collect();
            let Some(centre) = median(&mut values) else { continue };
            let mut distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
            let Some(spread) = median(&mut distances).filter(|spread| *spread > 0.0) else { continue };
            for row in members {
                let value = &mut rows.values[row * rows.width + signal];
                if (*value - centre).abs() > OUTLIER * NORMAL * spread {
                    *value = f64::NAN;
                    removed += 1;
                }
            }
        }
    }
    removed
}
