//! Boosted regression trees: each tree is fitted to what the trees before it left over.

use serde::Deserialize;
use twinwright_kernels::forest::{Forest, MAX_NODES, MAX_TREES};

use super::bins::Binned;
use super::grow::Grower;
use super::{Random, Table};
use crate::TrainError;

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Squared error; the prediction is the mean.
    Squares,
    /// Logistic loss of a target of 0 or 1; the prediction is the log odds.
    Logistic,
}

/// How the trees grow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoostSettings {
    /// Number of trees.
    pub trees: usize,
    /// Share of each tree's step that is taken.
    pub learning_rate: f64,
    /// Leaves of a tree at the most.
    pub leaves: usize,
    /// Fewest rows of a leaf.
    pub least_rows: usize,
    /// Pulls leaf values to 0, in rows' worth of evidence.
    pub l2: f64,
    /// Smallest gain that is worth a split.
    pub least_gain: f64,
    /// Share of the features that a tree may use.
    pub feature_share: f64,
    /// Share of the rows that a tree sees.
    pub row_share: f64,
    /// What is minimised.
    pub loss: Loss,
    /// Chooses features and rows.
    pub seed: u64,
}

impl Default for BoostSettings {
    fn default() -> Self {
        Self {
            trees: 250,
            learning_rate: 0.04,
            leaves: 31,
            least_rows: 100,
            l2: 5.0,
            least_gain: 1e-9,
            feature_share: 0.2,
            row_share: 1.0,
            loss: Loss::Squares,
            seed: 42,
        }
    }
}

impl BoostSettings {
    fn check(&self) -> Result<(), TrainError> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let rules = [
            ("trees", (1..=MAX_TREES).contains(&self.trees), "must be 1 to 5000"),
            ("leaves", (2..=MAX_NODES / 2).contains(&self.leaves), "must be 2 to 2047"),
            ("learning_rate", share(self.learning_rate), "must be above 0 and at most 1"),
            ("feature_share", share(self.feature_share), "must be above 0 and at most 1"),
            ("row_share", share(self.row_share), "must be above 0 and at most 1"),
            ("l2", self.l2 > 0.0 && self.l2.is_finite(), "must be positive"),
            ("least_rows", self.least_rows > 0, "must be at least 1"),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((option, _, problem)) => Err(TrainError::Option { option, problem }),
            None => Ok(()),
        }
    }
}

/// Fits boosted trees. `weights` count rows more or less; by default each counts 1.
///
/// # Errors
/// [`TrainError`] for settings out of range, targets that are not finite (or not 0 and 1 for
/// [`Loss::Logistic`]), and fewer rows than two leaves need.
pub fn boost(
    table: &Table,
    target: &[f64],
    weights: Option<&[f64]>,
    settings: &BoostSettings,
) -> Result<Forest, TrainError> {
    settings.check()?;
    table.check(target, 2 * settings.least_rows, "boosted trees")?;
    if weights.is_some_and(|weights| weights.len() != table.rows()) {
        return Err(TrainError::Shape { cause: "there must be one weight a row".to_owned() });
    }
    if settings.loss == Loss::Logistic && target.iter().any(|target| *target != 0.0 && *target != 1.0) {
        return Err(TrainError::Shape { cause: "the targets of a classifier must be 0 or 1".to_owned() });
    }
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = (0..table.rows()).map(weight).sum();
    let mean = (0..table.rows()).map(|row| weight(row) * target[row]).sum::<f64>() / total.max(1e-12);
    let base = match settings.loss {
        Loss::Squares => mean,
        Loss::Logistic => {
            let mean = mean.clamp(1e-6, 1.0 - 1e-6);
            (mean / (1.0 - mean)).ln()
        }
    };
    let binned = Binned::of(table);
    let rows = table.rows();
    let mut forest = Forest { base, trees: Vec::with_capacity(settings.trees) };
    let mut prediction = vec![base; rows];
    let (mut gradient, mut curvature) = (vec![0.0; rows], vec![1.0; rows]);
    let mut random = Random(settings.seed);
    let count = ((table.features() as f64 * settings.feature_share).round() as usize).max(1);
    let mut row = vec![0.0; table.features()];
    for _ in 0..settings.trees {
        for at in 0..rows {
            let weight = weight(at);
            (gradient[at], curvature[at]) = match settings.loss {
                Loss::Squares => (weight * (prediction[at] - target[at]), weight),
                Loss::Logistic => {
                    let chance = sigmoid(prediction[at]);
                    (weight * (chance - target[at]), weight * (chance * (1.0 - chance)).max(1e-9))
                }
            };
        }
        let features = random.choose(count, table.features());
        let all = settings.row_share >= 1.0;
        let mut chosen: Vec<u32> = (0..rows as u32).collect();
        if !all {
            chosen.retain(|_| random.unit() < settings.row_share);
        }
        let grower = Grower {
            binned: &binned,
            gradient: &gradient,
            curvature: &curvature,
            features: &features,
            settings,
            wild: None,
        };
        let (tree, leaves) = grower.grow(&mut chosen);
        if tree.value.len() == 1 {
            // These features have nothing left to say; others may.
            continue;
        }
        if all {
            for (node, range) in leaves {
                chosen[range].iter().for_each(|&at| prediction[at as usize] += tree.value[node]);
            }
        } else {
            for (at, prediction) in prediction.iter_mut().enumerate() {
                table.row(at, &mut row);
                *prediction += tree.predict(&row);
            }
        }
        forest.trees.push(tree);
    }
    Ok(forest)
}

/// The chance that log odds stand for.
pub(crate) fn sigmoid(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wavy(rows: usize) -> (Table, Vec<f64>) {
        let mut random = Random(7);
        let mut table = Table::new(3);
        let mut target = Vec::new();
        for _ in 0..rows {
            let (a, b) = (random.unit() * 6.0, random.unit());
            let absent = random.unit() < 0.1;
            table.push(&[if absent { f64::NAN } else { a }, b, random.unit()]);
            target.push(if absent { 5.0 } else { a.sin() + f64::from(b > 0.5) });
        }
        (table, target)
    }

    #[test]
    fn trees_learn_a_curve_a_step_and_absence() {
        let (table, target) = wavy(3_000);
        let settings = BoostSettings {
            trees: 120,
            learning_rate: 0.2,
            least_rows: 10,
            feature_share: 1.0,
            row_share: 0.7,
            ..BoostSettings::default()
        };
        let forest = boost(&table, &target, None, &settings).unwrap();
        forest.trees.iter().for_each(|tree| tree.validate(3).unwrap());
        let predictor = twinwright_kernels::forest::Predictor::Forest(forest.clone());
        let (fresh, truth) = wavy(3_500);
        let (mut error, mut row) = (0.0_f64, [0.0; 3]);
        for (at, truth) in truth.iter().enumerate().skip(3_000) {
            fresh.row(at, &mut row);
            let mut parts = [0.0; 3];
            let explained = predictor.explain(&row, &mut parts);
            assert!((explained - predictor.predict(&row)).abs() < 1e-9);
            error += (explained - truth).powi(2) / 500.0;
        }
        assert!(error.sqrt() < 0.12, "error {}", error.sqrt());
        assert_eq!(forest, boost(&table, &target, None, &settings).unwrap(), "the seed rules");
    }

    #[test]
    fn bad_input_is_refused_with_the_reason() {
        let (table, mut target) = wavy(300);
        let small = BoostSettings { least_rows: 200, ..BoostSettings::default() };
        assert!(matches!(boost(&table, &target, None, &small), Err(TrainError::TooFewRows { .. })));
        let logistic = BoostSettings { loss: Loss::Logistic, ..BoostSettings::default() };
        assert!(boost(&table, &target, None, &logistic).unwrap_err().to_string().contains("0 or 1"));
        target[3] = f64::NAN;
        assert!(boost(&table, &target, None, &BoostSettings::default()).is_err());
    }
}
