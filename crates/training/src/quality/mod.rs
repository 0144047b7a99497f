//! Quality: from process data of a part to the chance that it is bad.
//!
//! [`fit`] gives a [`QualityModel`], a JSON document: logistic regression on robustly scaled inputs, or boosted trees
//! where there are hundreds of bad parts to learn from. Bad parts are rare, so what counts is the order: inspect the
//! parts with the highest chance, as many as the inspection budget allows. [`walk_forward`] estimates that as it would
//! have been lived: each part is judged by a model of earlier parts only. [`read`] reads the SECOM wafers.

mod fit;
pub mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twinwright_kernels::forest::Predictor;

use crate::learners::BoostSettings;

pub use fit::{fit, walk_forward};

/// How to fit. The same for all data; chosen on development data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityOptions {
    /// The model's number.
    #[serde(skip)]
    pub number: u64,
    /// When it is made, ISO 8601 UTC.
    #[serde(skip)]
    pub created: String,
    /// Pull of the weights to 0. Process data drifts, and what many weak inputs say together lasts longer than what
    /// a few strong ones do; so a light pull.
    pub l2: f64,
    /// Largest standardised input that counts: process data has wild values.
    pub clip: f64,
    /// Bad parts from which boosted trees take over.
    pub events_for_trees: usize,
    /// How they grow.
    pub boost: BoostSettings,
    /// Share of the parts that the first model learns from.
    pub first_share: f64,
    /// Parts between two fits.
    pub refit_every: usize,
    /// Share of the parts that may be inspected.
    pub budget: f64,
}

impl Default for QualityOptions {
    fn default() -> Self {
        Self {
            number: 1,
            created: String::new(),
            l2: 3.0,
            clip: 4.0,
            events_for_trees: 300,
            boost: BoostSettings {
                trees: 200,
                learning_rate: 0.05,
                leaves: 8,
                least_rows: 30,
                loss: crate::learners::Loss::Logistic,
                ..BoostSettings::default()
            },
            first_share: 0.5,
            refit_every: 100,
            budget: 0.1,
        }
    }
}

/// A trained model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QualityModel {
    /// `part-quality`.
    pub kind: String,
    /// 1.
    pub format: u32,
    /// `<equipment>/<n>`.
    pub id: String,
    /// When it was made, ISO 8601 UTC.
    pub created: String,
    /// SHA-256 over inputs and outcomes.
    pub data_hash: String,
    /// Version of the code that fitted it.
    pub code_version: String,
    /// The inputs, in their order.
    pub inputs: Vec<String>,
    /// Gives the order of the parts.
    pub predictor: Predictor,
    /// `chance = 1 / (1 + exp(-(slope · prediction + offset)))`, from parts that the fit had not seen.
    pub slope: f64,
    /// See [`Self::slope`].
    pub offset: f64,
    /// Prediction from which a part is within the inspection budget.
    pub inspect_from: f64,
    /// Figures of training and evaluation.
    pub metrics: BTreeMap<String, f64>,
}

impl QualityModel {
    /// The chance that a part is bad; NaN marks absent inputs.
    pub fn chance(&self, part: &[f64]) -> f64 {
        crate::learners::sigmoid(self.slope * self.predictor.predict(part) + self.offset)
    }

    /// Which inputs made the part suspect: name and part of the prediction, the largest first.
    pub fn causes(&self, part: &[f64]) -> Vec<(&str, f64)> {
        let mut parts = vec![0.0; self.inputs.len()];
        self.predictor.explain(part, &mut parts);
        let mut causes: Vec<(&str, f64)> = self.inputs.iter().map(String::as_str).zip(parts).collect();
        causes.retain(|(_, part)| *part > 0.0);
        causes.sort_by(|a, b| b.1.total_cmp(&a.1));
        causes
    }
}
