//! The checked table and the walk over it.

/// How a branch compares the signal with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
}

/// One node; a leaf's weights are `weights[first..end]` of the ensemble.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Branch { compare: Compare, feature: u32, value: f32, missing_is_true: bool, yes: u32, no: u32 },
    Leaf { first: u32, end: u32 },
}

/// How the trees' answers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Least,
    Most,
}

/// What is done to the answers at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    Nothing,
    Logistic,
    Softmax,
}

/// A checked ensemble of trees: each walk ends, inside the table.
#[derive(Debug, Clone)]
pub struct TreeEnsemble {
    pub(super) nodes: Vec<Node>,
    pub(super) roots: Vec<u32>,
    /// (output, weight), grouped by leaf.
    pub(super) weights: Vec<(u32, f32)>,
    pub(super) base: Vec<f32>,
    pub(super) outputs: usize,
    pub(super) features: usize,
    pub(super) aggregate: Aggregate,
    pub(super) transform: Transform,
    /// A classifier of two classes with weights for the first label alone: they are the second class's.
    pub(super) complement: bool,
    /// No weight is negative, so the sum of a forest is a chance.
    pub(super) positive: bool,
}

impl TreeEnsemble {
    /// The least number of features that a row must have.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// How many numbers a row gives: targets of a regressor, classes of a classifier.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many trees there are.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Answers one row; NaN is a missing value. Nothing, where `row` is shorter than [`Self::features`].
    #[must_use]
    pub fn evaluate(&self, row: &[f32]) -> Option<Vec<f32>> {
        if row.len() < self.features {
            return None;
        }
        let mut sums: Vec<Option<f32>> = vec![None; self.outputs];
        for root in &self.roots {
            for &(output, weight) in self.leaf(*root, row)? {
                let sum = sums.get_mut(output as usize)?;
                *sum = Some(match (*sum, self.aggregate) {
                    (None, _) => weight,
                    (Some(before), Aggregate::Sum | Aggregate::Average) => before + weight,
                    (Some(before), Aggregate::Least) => before.min(weight),
                    (Some(before), Aggregate::Most) => before.max(weight),
                });
            }
        }
        let mut answers: Vec<f32> = sums.into_iter().map(|sum| sum.unwrap_or(0.0)).collect();
        if self.aggregate == Aggregate::Average {
            // At most a million trees: exact in 32 bits.
            let trees = self.roots.len() as f32;
            answers.iter_mut().for_each(|answer| *answer /= trees);
        }
        for (answer, base) in answers.iter_mut().zip(&self.base) {
            *answer += base;
        }
        self.finish(&mut answers);
        Some(answers)
    }

    fn leaf(&self, root: u32, row: &[f32]) -> Option<&[(u32, f32)]> {
        let mut at = root;
        loop {
            match *self.nodes.get(at as usize)? {
                Node::Leaf { first, end } => return self.weights.get(first as usize..end as usize),
                Node::Branch { compare, feature, value, missing_is_true, yes, no } => {
                    let signal = *row.get(feature as usize)?;
                    let taken = holds(compare, signal, value) || (missing_is_true && signal.is_nan());
                    at = if taken { yes } else { no };
                }
            }
        }
    }

    fn finish(&self, answers: &mut [f32]) {
        if self.complement {
            // The weights are of the second class; which number stands for the first one follows ONNX Runtime.
            let second = answers.get(1).copied().unwrap_or(0.0);
            let pair = match self.transform {
                Transform::Logistic => [logistic(-second), logistic(second)],
                Transform::Nothing | Transform::Softmax if self.positive => [1.0 - second, second],
                Transform::Nothing | Transform::Softmax => [-second, second],
            };
            answers.copy_from_slice(&pair);
            return;
        }
        match self.transform {
            Transform::Nothing => {}
            Transform::Logistic => answers.iter_mut().for_each(|answer| *answer = logistic(*answer)),
            Transform::Softmax => {
                let most = answers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                answers.iter_mut().for_each(|answer| *answer = (*answer - most).exp());
                let sum: f32 = answers.iter().sum();
                answers.iter_mut().for_each(|answer| *answer /= sum);
            }
        }
    }
}

#[expect(clippy::float_cmp, reason = "the operator's page defines these comparisons as exact")]
fn holds(compare: Compare, signal: f32, value: f32) -> bool {
    match compare {
        Compare::LessOrEqual => signal <= value,
        Compare::Less => signal < value,
        Compare::GreaterOrEqual => signal >= value,
        Compare::Greater => signal > value,
        Compare::Equal => signal == value,
        Compare::NotEqual => signal != value,
    }
}

fn logistic(number: f32) -> f32 {
    1.0 / (1.0 + (-number).exp())
}
