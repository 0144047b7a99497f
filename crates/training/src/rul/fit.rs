//! From runs to failure to a model.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use twinwright_core::time::iso;
use twinwright_kernels::baseline::TrainingWindow;
use twinwright_kernels::forest::{Linear, Predictor};
use twinwright_kernels::life::{Bands, FORMAT, KIND, LEVELS, LifeModel, Unit, features};

use super::regimes;
use crate::TrainError;
use crate::learners::{BoostSettings, Table, boost, ridge, rmse};
use crate::statistics::quantile;

/// One machine from its beginning to its failure: the last row is the failure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LifeRun {
    /// Event time of each row, µs, ascending.
    pub time: Vec<i64>,
    /// Values, row-major R × S, NaN where absent.
    pub values: Vec<f64>,
}

/// How to fit. The same for all data; chosen on development data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifeOptions {
    /// The model's number: its id is `<equipment>/<number>`.
    #[serde(skip)]
    pub number: u64,
    /// When it is made, ISO 8601 UTC (this crate has no clock).
    #[serde(skip)]
    pub created: String,
    /// What a step of life is.
    #[serde(skip)]
    pub unit: Unit,
    /// Rows of the window.
    pub window_rows: usize,
    /// Rows that tell how a run began.
    pub start_rows: usize,
    /// Rows before the first estimate.
    pub warm_rows: usize,
    /// Longest life that is told apart, in units; by default 0.6 of the median life.
    pub cap: Option<f64>,
    /// Share of the cap at which the score is 1.0.
    pub limit_share: f64,
    /// Fewer runs than this are left to ridge regression.
    pub runs_for_trees: usize,
    /// Folds of whole runs that estimate the errors.
    pub folds: usize,
    /// Most regimes.
    pub max_regimes: usize,
    /// How trees grow.
    pub boost: BoostSettings,
    /// Ridge regression's `l2`.
    pub ridge_l2: f64,
    /// Free text for people.
    #[serde(skip)]
    pub note: String,
}

impl Default for LifeOptions {
    fn default() -> Self {
        Self {
            number: 1,
            created: String::new(),
            unit: Unit::Hours,
            window_rows: 30,
            start_rows: 20,
            warm_rows: 10,
            cap: None,
            limit_share: 0.4,
            runs_for_trees: 20,
            folds: 5,
            max_regimes: 10,
            boost: BoostSettings::default(),
            ridge_l2: 100.0,
            note: String::new(),
        }
    }
}

/// A model that nobody has promoted yet.
#[derive(Clone, Debug, PartialEq)]
pub struct LifeCandidate {
    /// The document.
    pub model: LifeModel,
    /// What remained by models that had not seen the run, one list a run, a number a row.
    pub out_of_fold: Vec<Vec<f64>>,
    /// What truly remained, not capped.
    pub truth: Vec<Vec<f64>>,
}

/// Fits a model of remaining life.
///
/// # Errors
/// [`TrainError`]: too few runs (5 at least) or rows, shapes that do not fit, options out of range.
pub fn fit(
    equipment: &str,
    signals: &[String],
    settings: &[String],
    runs: &[LifeRun],
    options: &LifeOptions,
) -> Result<LifeCandidate, TrainError> {
    let columns = check(signals, settings, runs, options)?;
    let truth: Vec<Vec<f64>> = runs.iter().map(|run| remaining(run, options.unit)).collect();
    let mut lives: Vec<f64> = truth.iter().filter_map(|truth| truth.first().copied()).collect();
    let median_life = quantile(&mut lives, 0.5).unwrap_or(0.0);
    let cap = options.cap.unwrap_or(0.6 * median_life);
    if !(cap.is_finite() && cap > 0.0) {
        return Err(TrainError::Option { option: "cap", problem: "must be positive" });
    }
    let all: Vec<&LifeRun> = runs.iter().collect();
    let normals = regimes::find(&all, signals.len(), &columns, options.max_regimes)?;
    let first = runs.iter().filter_map(|run| run.time.first()).min().copied().unwrap_or(0);
    let last = runs.iter().filter_map(|run| run.time.last()).max().copied().unwrap_or(0);
    let rows: usize = runs.iter().map(|run| run.time.len()).sum();
    let mut model = LifeModel {
        kind: KIND.to_owned(),
        format: FORMAT,
        id: format!("{equipment}/{}", options.number),
        equipment: equipment.to_owned(),
        created: options.created.clone(),
        window: TrainingWindow { from: iso(first), to: iso(last), rows: rows as u64 },
        data_hash: hash(signals, runs),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        signals: signals.to_vec(),
        settings: settings.to_vec(),
        used: normals.used,
        regimes: normals.regimes,
        window_rows: options.window_rows,
        start_rows: options.start_rows,
        warm_rows: options.warm_rows,
        new_run_gap_seconds: 0.0,
        unit: options.unit,
        cap,
        limit: options.limit_share * cap,
        predictor: Predictor::Linear(Linear::default()),
        bands: Bands { borders: vec![], quantiles: vec![vec![0.0; LEVELS.len()]] },
        metrics: BTreeMap::new(),
        note: options.note.clone(),
    };
    let inputs: Vec<Vec<f64>> = runs.iter().map(|run| features(&model, &run.time, &run.values)).collect();
    let trees = runs.len() >= options.runs_for_trees;
    let out_of_fold = out_of_fold(&inputs, &truth, &model, trees, options)?;
    let everything: Vec<usize> = (0..runs.len()).collect();
    let (table, target) = gather(&everything, &inputs, &truth, &model);
    model.predictor = learn(&table, &target, trees, options)?;
    let flat: Vec<f64> = out_of_fold.concat();
    let capped: Vec<f64> = truth.concat().iter().map(|truth| truth.min(cap)).collect();
    model.bands = bands(&flat, &capped, cap);
    model.metrics.insert("runs".to_owned(), runs.len() as f64);
    model.metrics.insert("median_life".to_owned(), median_life);
    model.metrics.insert("fold_rmse_capped".to_owned(), rmse(&flat, &capped));
    model.validate().map_err(TrainError::numeric)?;
    Ok(LifeCandidate { model, out_of_fold, truth })
}

fn check(
    signals: &[String],
    settings: &[String],
    runs: &[LifeRun],
    options: &LifeOptions,
) -> Result<Vec<usize>, TrainError> {
    let width = signals.len();
    if !(options.limit_share > 0.0 && options.limit_share <= 1.0) {
        return Err(TrainError::Option { option: "limit_share", problem: "must be above 0 and at most 1" });
    }
    if options.folds < 2 {
        return Err(TrainError::Option { option: "folds", problem: "must be at least 2" });
    }
    if runs.len() < options.folds {
        return Err(TrainError::too_few(
            "folds of whole runs to failure (counted in runs)",
            runs.len(),
            options.folds,
        ));
    }
    for (at, run) in runs.iter().enumerate() {
        let ascending = run.time.windows(2).all(|pair| pair[0] < pair[1]);
        if run.time.len() * width != run.values.len() || run.time.is_empty() || !ascending {
            let cause = format!("run {at} needs rows at ascending times with {width} values each");
            return Err(TrainError::Shape { cause });
        }
    }
    let column = |setting: &String| {
        let found = signals.iter().position(|signal| signal == setting);
        found.ok_or_else(|| TrainError::UnknownSetting { setting: setting.clone() })
    };
    settings.iter().map(column).collect()
}

/// What remains at each row.
fn remaining(run: &LifeRun, unit: Unit) -> Vec<f64> {
    let (rows, end) = (run.time.len(), run.time.last().copied().unwrap_or(0));
    let each = |(row, &time): (usize, &i64)| match unit {
        Unit::Cycles => (rows - 1 - row) as f64,
        Unit::Hours => (end - time) as f64 / 3.6e9,
    };
    run.time.iter().enumerate().map(each).collect()
}

/// Rows of some runs, without those before the first estimate, as a table with capped targets.
fn gather(which: &[usize], inputs: &[Vec<f64>], truth: &[Vec<f64>], model: &LifeModel) -> (Table, Vec<f64>) {
    let mut table = Table::new(model.features());
    let mut target = Vec::new();
    for &run in which {
        let rows = inputs[run].chunks_exact(model.features()).zip(&truth[run]);
        for (row, truth) in rows.skip(model.warm_rows - 1) {
            table.push(row);
            target.push(truth.min(model.cap));
        }
    }
    (table, target)
}

fn learn(table: &Table, target: &[f64], trees: bool, options: &LifeOptions) -> Result<Predictor, TrainError> {
    if trees {
        boost(table, target, None, &options.boost).map(Predictor::Forest)
    } else {
        ridge(table, target, options.ridge_l2, 5.0).map(Predictor::Linear)
    }
}

/// What each run's rows would have been estimated at by a model that had not seen the run.
fn out_of_fold(
    inputs: &[Vec<f64>],
    truth: &[Vec<f64>],
    model: &LifeModel,
    trees: bool,
    options: &LifeOptions,
) -> Result<Vec<Vec<f64>>, TrainError> {
    let mut estimates: Vec<Vec<f64>> = vec![Vec::new(); inputs.len()];
    for fold in 0..options.folds {
        let rest: Vec<usize> = (0..inputs.len()).filter(|run| run % options.folds != fold).collect();
        let (table, target) = gather(&rest, inputs, truth, model);
        let predictor = learn(&table, &target, trees, options)?;
        for run in (fold..inputs.len()).step_by(options.folds) {
            let rows = inputs[run].chunks_exact(model.features());
            estimates[run] = rows.map(|row| predictor.predict(row).clamp(0.0, model.cap)).collect();
        }
    }
    Ok(estimates)
}

/// Quantiles of the errors, by the size of the estimate.
fn bands(estimate: &[f64], truth: &[f64], cap: f64) -> Bands {
    let borders: Vec<f64> = [0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95].iter().map(|share| share * cap).collect();
    let of = |band: Option<usize>| -> Vec<f64> {
        let member = |estimate: f64| band.is_none_or(|b| borders.partition_point(|at| *at < estimate) == b);
        let pairs = estimate.iter().zip(truth).filter(|(estimate, _)| member(**estimate));
        pairs.map(|(estimate, truth)| truth - estimate).collect()
    };
    let quantiles = (0..=borders.len())
        .map(|band| {
            let mut errors = of(Some(band));
            if errors.len() < 50 {
                errors = of(None);
            }
            LEVELS.iter().map(|level| quantile(&mut errors, *level).unwrap_or(0.0)).collect()
        })
        .collect();
    Bands { borders, quantiles }
}

fn hash(signals: &[String], runs: &[LifeRun]) -> String {
    let mut hash = Sha256::new();
    for signal in signals {
        hash.update(signal.as_bytes());
        hash.update([0xff]);
    }
    for run in runs {
        hash.update((run.time.len() as u64).to_le_bytes());
        run.time.iter().for_each(|time| hash.update(time.to_le_bytes()));
        for value in &run.values {
            let value = if value.is_nan() { f64::NAN } else { *value };
            hash.update(value.to_bits().to_le_bytes());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
