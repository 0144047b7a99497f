//! Extremely randomised trees (Geurts, Ernst and Wehenkel, 2006): each tree splits at random places, their mean predicts.
//!
//! Where rows come in few independent draws (a day of 96 quarters of an hour is one), boosted trees learn single
//! draws by heart; a mean of trees that choose little does not.

use std::cell::RefCell;

use serde::Deserialize;
use twinwright_kernels::forest::{Forest, MAX_NODES, MAX_TREES};

use super::bins::Binned;
use super::grow::Grower;
use super::{BoostSettings, Random, Table};
use crate::TrainError;

/// How the trees grow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WoodsSettings {
    /// Number of trees; without any there is no forest.
    pub trees: usize,
    /// Leaves of a tree at the most.
    pub leaves: usize,
    /// Fewest rows of a leaf.
    pub least_rows: usize,
    /// Share of the features that a split may choose from.
    pub feature_share: f64,
    /// Chooses features and places.
    pub seed: u64,
}

impl Default for WoodsSettings {
    fn default() -> Self {
        Self { trees: 60, leaves: 256, least_rows: 96, feature_share: 0.3, seed: 42 }
    }
}

/// What a split may choose from at a node.
pub(crate) struct Wild {
    random: RefCell<Random>,
    /// Features tried at a node.
    pub(crate) count: usize,
}

impl Wild {
    pub(crate) fn features(&self, of: usize) -> Vec<usize> {
        self.random.borrow_mut().choose(self.count, of)
    }

    pub(crate) fn unit(&self) -> f64 {
        self.random.borrow_mut().unit()
    }
}

/// Fits the mean of extremely randomised trees to squared errors.
///
/// # Errors
/// [`TrainError`] for settings out of range, targets that are not finite, and fewer rows than two leaves need.
pub fn woods(table: &Table, target: &[f64], settings: &WoodsSettings) -> Result<Forest, TrainError> {
    let refuse = |option, problem| Err(TrainError::Option { option, problem });
    if !(1..=MAX_TREES).contains(&settings.trees) {
        return refuse("trees", "must be 1 to 5000");
    }
    if !(2..=MAX_NODES / 2).contains(&settings.leaves) || settings.least_rows == 0 {
        return refuse("leaves", "must be 2 to 2047, with at least one row each");
    }
    if !(settings.feature_share > 0.0 && settings.feature_share <= 1.0) {
        return refuse("feature_share", "must be above 0 and at most 1");
    }
    table.check(target, 2 * settings.least_rows, "randomised trees")?;
    let rows = table.rows();
    let base = target.iter().sum::<f64>() / rows as f64;
    let gradient: Vec<f64> = target.iter().map(|target| base - target).collect();
    let curvature = vec![1.0; rows];
    let binned = Binned::of(table);
    let features: Vec<usize> = (0..table.features()).collect();
    let count = ((features.len() as f64 * settings.feature_share).round() as usize).max(1);
    let wild = Wild { random: RefCell::new(Random(settings.seed)), count };
    let grown = BoostSettings {
        trees: settings.trees,
        learning_rate: 1.0 / settings.trees as f64,
        leaves: settings.leaves,
        least_rows: settings.least_rows,
        l2: 1e-9,
        ..BoostSettings::default()
    };
    let grower = Grower {
        binned: &binned,
        gradient: &gradient,
        curvature: &curvature,
        features: &features,
        settings: &grown,
        wild: Some(&wild),
    };
    let trees = (0..settings.trees).map(|_| {
        let mut all: Vec<u32> = (0..rows as u32).collect();
        grower.grow(&mut all).0
    });
    Ok(Forest { base, trees: trees.collect() })
}

#[cfg(test)]
mod tests {
    use twinwright_kernels::forest::Predictor;

    use super::*;

    #[test]
    fn the_mean_of_random_trees_follows_a_curve_and_absence() {
        let mut random = Random(3);
        let (mut table, mut target) = (Table::new(2), Vec::new());
        for _ in 0..3_000 {
            let (a, b) = (random.unit() * 6.0, random.unit());
            let absent = random.unit() < 0.1;
            table.push(&[if absent { f64::NAN } else { a }, b]);
            target.push(if absent { 5.0 } else { a.sin() });
        }
        let settings =
            WoodsSettings { trees: 50, least_rows: 20, feature_share: 1.0, ..WoodsSettings::default() };
        let forest = woods(&table, &target, &settings).unwrap();
        forest.trees.iter().for_each(|tree| tree.validate(2).unwrap());
        assert_eq!(forest, woods(&table, &target, &settings).unwrap(), "the seed rules");
        let predictor = Predictor::Forest(forest);
        for a in [0.5, 1.6, 3.0, 4.7] {
            let told = predictor.predict(&[a, 0.5]);
            assert!((told - a.sin()).abs() < 0.3, "{a}: {told}");
        }
        assert!((predictor.predict(&[f64::NAN, 0.5]) - 5.0).abs() < 0.5);
        assert!(woods(&table, &target, &WoodsSettings { trees: 0, ..settings }).is_err());
    }
}
