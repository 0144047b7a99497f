//! Trained predictors as plain tables: boosted regression trees and linear models.
//!
//! A tree is five arrays of equal length, a node an entry; the root is entry 0, and a node whose `left` is 0 is a
//! leaf (nothing points back at the root). A value that is absent (NaN) follows `missing_left`. Inner nodes keep
//! their value too: the steps of value along a row's path say how much each feature moved the prediction.

use serde::Serialize;

/// Nodes of a tree at the most.
pub const MAX_NODES: usize = 4_095;
/// Trees of a forest at the most.
pub const MAX_TREES: usize = 5_000;

/// One regression tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tree {
    /// Feature that a node looks at.
    pub feature: Vec<u16>,
    /// A value up to this goes left.
    pub threshold: Vec<f64>,
    /// Left child; 0 for a leaf.
    pub left: Vec<u16>,
    /// Right child.
    pub right: Vec<u16>,
    /// 1 where an absent value goes left, else 0.
    pub missing_left: Vec<u8>,
    /// What the node predicts, learning rate included.
    pub value: Vec<f64>,
}

/// A sum of trees.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Forest {
    /// Prediction before the first tree.
    pub base: f64,
    /// The trees.
    pub trees: Vec<Tree>,
}

/// A linear model on standardised features: `intercept + Σ weight · (x - mean) / scale`; absent values count as
/// the mean, and none as further than `clip` scales from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Linear {
    /// Constant part.
    pub intercept: f64,
    /// Centre of each feature.
    pub mean: Vec<f64>,
    /// Scale of each feature, positive.
    pub scale: Vec<f64>,
    /// Weight of each standardised feature.
    pub weight: Vec<f64>,
    /// Largest standardised value that counts, in either direction.
    pub clip: f64,
}

/// Either kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Predictor {
    /// Boosted trees.
    Forest(Forest),
    /// Linear.
    Linear(Linear),
}

impl Tree {
    /// Checks that every path ends and stays in bounds.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn validate(&self, features: usize) -> Result<(), &'static str> {
        let nodes = self.value.len();
        let equal = [
            self.feature.len(),
            self.threshold.len(),
            self.left.len(),
            self.right.len(),
            self.missing_left.len(),
        ];
        if nodes == 0 || nodes > MAX_NODES || equal.iter().any(|len| *len != nodes) {
            return Err("has a tree whose arrays differ in length, or an empty or too large one");
        }
        for node in 0..nodes {
            let (left, right) = (usize::from(self.left[node]), usize::from(self.right[node]));
            // Children come after their parent, so no path can run in a circle.
            let inner = left > node && right > node && left < nodes && right < nodes;
            if left != 0 && !(inner && usize::from(self.feature[node]) < features) {
                return Err("has a tree node that points outside the tree or the features");
            }
        }
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        if finite(&self.value) && finite(&self.threshold) {
            Ok(())
        } else {
            Err("has a tree with a number that is not finite")
        }
    }

    /// The value of the leaf that a row falls into.
    pub fn predict(&self, row: &[f64]) -> f64 {
        let mut node = 0;
        while self.left[node] != 0 {
            node = self.step(node, row);
        }
        self.value[node]
    }

    /// As [`Self::predict`], adding each step's change of value to the feature that caused it.
    pub fn explain(&self, row: &[f64], by_feature: &mut [f64]) -> f64 {
        let mut node = 0;
        while self.left[node] != 0 {
            let next = self.step(node, row);
            by_feature[usize::from(self.feature[node])] += self.value[next] - self.value[node];
            node = next;
        }
        self.value[node]
    }

    #[inline]
    fn step(&self, node: usize, row: &[f64]) -> usize {
        let value = row[usize::from(self.feature[node])];
        let left = if value.is_nan() { self.missing_left[node] == 1 } else { value <= self.threshold[node] };
        usize::from(if left { self.left[node] } else { self.right[node] })
    }
}

impl Linear {
    fn standard(&self, at: usize, value: f64) -> f64 {
        if value.is_nan() {
            0.0
        } else {
            ((value - self.mean[at]) / self.scale[at]).clamp(-self.clip, self.clip)
        }
    }
}

impl Predictor {
    /// Checks sizes, bounds and numbers.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn validate(&self, features: usize) -> Result<(), &'static str> {
        match self {
            Self::Forest(forest) if forest.trees.len() > MAX_TREES => Err("has too many trees"),
            Self::Forest(forest) if !forest.base.is_finite() => Err("has a base that is not finite"),
            Self::Forest(forest) => forest.trees.iter().try_for_each(|tree| tree.validate(features)),
            Self::Linear(linear) => {
                let lists = [&linear.mean, &linear.scale, &linear.weight];
                if lists.iter().any(|list| list.len() != features) {
                    return Err("has lists of another length than the features");
                }
                let finite = lists.iter().flat_map(|list| list.iter()).all(|number| number.is_finite());
                let sound = finite && linear.intercept.is_finite() && linear.clip > 0.0;
                if sound && linear.scale.iter().all(|scale| *scale > 0.0) {
                    Ok(())
                } else {
                    Err("has a number that is not finite, or a scale that is not positive")
                }
            }
        }
    }

    /// Predicts a row of features; NaN where a feature is absent.
    pub fn predict(&self, row: &[f64]) -> f64 {
        match self {
            Self::Forest(forest) => {
                forest.base + forest.trees.iter().map(|tree| tree.predict(row)).sum::<f64>()
            }
            Self::Linear(linear) => {
                let part = |(at, &value): (usize, &f64)| linear.weight[at] * linear.standard(at, value);
                linear.intercept + row.iter().enumerate().map(part).sum::<f64>()
            }
        }
    }

    /// Predicts and adds to each feature how much it moved the prediction away from the average.
    pub fn explain(&self, row: &[f64], by_feature: &mut [f64]) -> f64 {
        match self {
            Self::Forest(forest) => {
                forest.base + forest.trees.iter().map(|tree| tree.explain(row, by_feature)).sum::<f64>()
            }
            Self::Linear(linear) => {
                let mut total = linear.intercept;
                for (at, (&value, sum)) in row.iter().zip(by_feature).enumerate() {
                    let part = linear.weight[at] * linear.standard(at, value);
                    *sum += part;
                    total += part;
                }
                total
            }
        }
    }
}
