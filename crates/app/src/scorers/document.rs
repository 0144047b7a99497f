//! What training wrote for the scorers of an equipment model: a baseline, or a model of remaining life.

use std::sync::Arc;

use serde::Deserialize;
use twinwright_core::patch::RemainingLife as Remaining;
use twinwright_core::scoring::Scorer;
use twinwright_kernels::life::{KIND, LifeModel, Unit};
use twinwright_kernels::{Baseline, BaselineError, RemainingLife};
use twinwright_scoring::{LoadError, NativeScorer, StandIn};

/// Coverage of the interval that a twin shows.
const COVERAGE: f64 = 0.9;

/// A document that was promoted.
#[derive(Clone, Debug)]
pub enum Document {
    /// Normal operation.
    Baseline(Arc<Baseline>),
    /// Runs to failure; the scorer `remaining-life` reads it.
    Life(Arc<LifeModel>),
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// [`BaselineError`] where it is neither, or breaks a rule of its kind.
    pub fn read(json: &[u8]) -> Result<Self, BaselineError> {
        // What is no JSON at all is told by the reader of baselines.
        match serde_json::from_slice(json) {
            Ok(Kind { kind }) if kind == KIND => Ok(Self::Life(Arc::new(LifeModel::from_json(json)?))),
            _ => Ok(Self::Baseline(Arc::new(Baseline::from_json(json)?))),
        }
    }

    /// Its id, `<equipment>/<number>`.
    pub fn id(&self) -> &str {
        match self {
            Self::Baseline(baseline) => &baseline.id,
            Self::Life(life) => &life.id,
        }
    }

    /// Signals, in its order.
    pub fn signals(&self) -> &[String] {
        match self {
            Self::Baseline(baseline) => &baseline.signals,
            Self::Life(life) => &life.signals,
        }
    }

    /// What it expects of each signal; empty where that depends on the regime.
    pub fn expected(&self) -> Vec<f64> {
        match self {
            Self::Baseline(baseline) => {
                let heaviest = baseline.regimes.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
                heaviest.map_or_else(Vec::new, |regime| regime.mean.clone())
            }
            Self::Life(_) => Vec::new(),
        }
    }

    /// The scorer that training put first.
    pub fn preferred(&self) -> Option<String> {
        match self {
            Self::Baseline(baseline) => baseline.scorers.first().cloned(),
            Self::Life(_) => Some(RemainingLife::NAME.to_owned()),
        }
    }

    /// The model of remaining life, if it is one.
    pub fn life(&self) -> Option<Arc<LifeModel>> {
        match self {
            Self::Baseline(_) => None,
            Self::Life(life) => Some(Arc::clone(life)),
        }
    }

    /// The built-in scorer for the document, for while its own is missing or fails. `json` is the document as it is
    /// stored.
    ///
    /// # Errors
    /// [`LoadError`] where the built-in scorer does not take it.
    pub fn stand_in(&self, json: &[u8]) -> Result<Box<dyn Scorer>, LoadError> {
        Ok(match self {
            Self::Baseline(_) => Box::new(StandIn::new(json)?),
            Self::Life(_) => Box::new(NativeScorer::<RemainingLife>::new(json)?),
        })
    }
}

/// What a score of the scorer `remaining-life` says: the estimate with its 90 % interval.
pub fn remaining(life: &LifeModel, score: f64) -> Remaining {
    let value = (life.limit / score).clamp(0.0, life.cap);
    let (low, high) = life.bands.interval(value, COVERAGE);
    let unit = match life.unit {
        Unit::Cycles => "cycles",
        Unit::Hours => "hours",
    };
    Remaining { value, low: low.max(0.0).min(value), high: high.max(value), unit: Arc::from(unit) }
}
