//! How far estimates were from the truth, by the size of the estimate.

use serde::Serialize;

/// Levels whose quantiles a band keeps.
pub const LEVELS: [f64; 21] = [
    0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.95, 0.99,
];

/// Quantiles of `truth - estimate` in bands of the estimate (split conformal prediction, a band at a time, with
/// estimates of machines that the fit had not seen).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Bands {
    /// Upper border of each band but the last, ascending.
    pub borders: Vec<f64>,
    /// One list of [`LEVELS`] quantiles a band.
    pub quantiles: Vec<Vec<f64>>,
}

impl Bands {
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let ascending = |list: &[f64]| list.windows(2).all(|pair| pair[0] <= pair[1]);
        let finite = |list: &[f64]| list.iter().all(|number| number.is_finite());
        if self.quantiles.len() != self.borders.len() + 1 || self.borders.len() > 64 {
            return Err("must have one list of quantiles more than borders, and at most 64 borders");
        }
        let lists = |list: &Vec<f64>| list.len() == LEVELS.len() && finite(list) && ascending(list);
        if !self.quantiles.iter().all(lists) || !finite(&self.borders) || !ascending(&self.borders) {
            return Err("must have borders and 21 quantiles a band, finite and ascending");
        }
        Ok(())
    }

    fn of(&self, estimate: f64) -> &[f64] {
        &self.quantiles[self.borders.partition_point(|border| *border < estimate)]
    }

    /// The interval that holds the truth in a share `coverage` of the cases (0.9 at the most), at least 0.
    pub fn interval(&self, estimate: f64, coverage: f64) -> (f64, f64) {
        let quantiles = self.of(estimate);
        let tail = ((1.0 - coverage) / 2.0).clamp(LEVELS[0], 0.5);
        let at = |level: f64| {
            let above = LEVELS.partition_point(|known| *known < level).clamp(1, LEVELS.len() - 1);
            let (low, high) = (LEVELS[above - 1], LEVELS[above]);
            let share = ((level - low) / (high - low)).clamp(0.0, 1.0);
            quantiles[above - 1] + share * (quantiles[above] - quantiles[above - 1])
        };
        ((estimate + at(tail)).max(0.0), (estimate + at(1.0 - tail)).max(0.0))
    }

    /// The chance that no more than `horizon` remains.
    pub fn chance_within(&self, estimate: f64, horizon: f64) -> f64 {
        let quantiles = self.of(estimate);
        let distance = horizon - estimate;
        let above = quantiles.partition_point(|quantile| *quantile <= distance);
        if above == 0 {
            // Below everything seen: the further, the less.
            let width = (quantiles[LEVELS.len() - 1] - quantiles[0]).max(1e-9);
            return LEVELS[0] * (1.0 - ((quantiles[0] - distance) / width).min(1.0));
        }
        if above == LEVELS.len() {
            return 1.0 - (1.0 - LEVELS[LEVELS.len() - 1]) / 2.0;
        }
        let (low, high) = (quantiles[above - 1], quantiles[above]);
        let share = if high > low { (distance - low) / (high - low) } else { 1.0 };
        LEVELS[above - 1] + share * (LEVELS[above] - LEVELS[above - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_and_chance_follow_the_quantiles() {
        let spread: Vec<f64> = LEVELS.iter().map(|level| (level - 0.5) * 20.0).collect();
        let bands = Bands { borders: vec![50.0], quantiles: vec![spread, vec![0.0; 21]] };
        bands.validate().unwrap();
        let (low, high) = bands.interval(30.0, 0.9);
        assert!((low - 21.0).abs() < 1e-9 && (high - 39.0).abs() < 1e-9);
        assert!((bands.chance_within(30.0, 30.0) - 0.5).abs() < 1e-9);
        assert!(bands.chance_within(30.0, 10.0) < 0.01 && bands.chance_within(30.0, 60.0) > 0.99);
        assert!(bands.chance_within(60.0, 59.9) <= 0.01 && bands.chance_within(60.0, 60.1) > 0.99);
        assert_eq!(bands.interval(2.0, 0.9).0, 0.0);
    }
}
