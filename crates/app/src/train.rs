//! From rows to a promoted baseline: fit on the older rows, compare on the newest, promote by the next number.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use twinwright_core::policy::AUTOMATIC;
use twinwright_core::time::{Micros, iso};
use twinwright_history::StoreError;
use twinwright_history::store::{Created, Store};
use twinwright_kernels::Baseline;
use twinwright_training::{
    Candidate, Evaluation, Fault, Matrix, Options, SCORERS, TrainError, choose, drift, evaluate, fit, gates,
};

use self::records::TrainingRun;

use crate::catalog::baselines;
use crate::kill;
use crate::scorers::document::Document;

pub mod periods;
pub mod records;

/// Share of the rows, the newest, that neither fit nor calibration sees when there is a baseline to compare with.
const HOLDOUT: f64 = 0.2;

/// Rows of one equipment model, ready for the trainer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// Signal names, S of them.
    pub signals: Vec<String>,
    /// Device index a row.
    pub device: Vec<u32>,
    /// Device ids by index; none where nobody asks for them.
    pub devices: Vec<Arc<str>>,
    /// Event time a row.
    pub time: Vec<Micros>,
    /// Values, row-major, NaN where there is none or it is not to be trusted.
    pub values: Vec<f64>,
    /// Rows that were left out, by cause.
    pub left_out: BTreeMap<String, usize>,
    /// Faults that people labelled, which teach nothing and judge.
    pub faults: Vec<LabelledFault>,
}

/// A labelled fault of one device, with its rows and some before it.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledFault {
    /// Device id.
    pub device: Arc<str>,
    /// Beginning.
    pub from: Micros,
    /// End.
    pub to: Micros,
    /// Event time a row.
    pub time: Vec<Micros>,
    /// Values, row-major, in the order of the readings' signals.
    pub values: Vec<f64>,
}

impl LabelledFault {
    /// As the trainer takes it; `device` has a zero for each row at least.
    fn to_judge<'a>(&'a self, device: &'a [u32]) -> Fault<'a> {
        let rows = Matrix { device: &device[..self.time.len()], time: &self.time, values: &self.values };
        Fault { rows, from: self.from, to: self.to }
    }
}

impl Readings {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// Adds a row; values are given by signal name.
    pub fn push(&mut self, device: u32, time: Micros, value: impl Fn(&str) -> Option<f64>) {
        self.device.push(device);
        self.time.push(time);
        let values = self.signals.iter().map(|name| value(name).unwrap_or(f64::NAN));
        self.values.extend(values);
    }

    /// The rows of each device that has at least so many, those with most first: index and number of rows.
    pub fn assets(&self, at_least: usize) -> Vec<(u32, usize)> {
        let mut counts = vec![0; self.devices.len()];
        for &device in &self.device {
            if let Some(count) = counts.get_mut(device as usize) {
                *count += 1;
            }
        }
        let mut assets: Vec<(u32, usize)> =
            (0_u32..).zip(counts).filter(|(_, count)| *count >= at_least).collect();
        assets.sort_by_key(|(device, count)| (std::cmp::Reverse(*count), *device));
        assets
    }

    /// The rows of one device alone.
    #[must_use]
    pub fn of_device(&self, device: u32) -> Self {
        let name = self.devices.get(device as usize);
        let faults = self.faults.iter().filter(|fault| Some(&fault.device) == name).cloned().collect();
        let mut ours = Self { signals: self.signals.clone(), faults, ..Self::default() };
        let rows =
            self.device.iter().zip(&self.time).zip(self.values.chunks_exact(self.signals.len().max(1)));
        for ((_, &time), values) in rows.filter(|((other, _), _)| **other == device) {
            ours.device.push(0);
            ours.time.push(time);
            ours.values.extend_from_slice(values);
        }
        ours
    }

    fn matrix(&self, rows: std::ops::Range<usize>) -> Matrix<'_> {
        let width = self.signals.len();
        Matrix {
            device: &self.device[rows.clone()],
            time: &self.time[rows.clone()],
            values: &self.values[rows.start * width..rows.end * width],
        }
    }

    /// Orders rows by time, so that "the newest" are the last.
    fn sort(&mut self) {
        if self.time.is_sorted() {
            return;
        }
        let width = self.signals.len();
        let mut order: Vec<usize> = (0..self.rows()).collect();
        order.sort_by_key(|&row| self.time[row]);
        self.device = order.iter().map(|&row| self.device[row]).collect();
        self.values =
            order.iter().flat_map(|&row| self.values[row * width..(row + 1) * width].to_vec()).collect();
        self.time = order.iter().map(|&row| self.time[row]).collect();
    }
}

/// What people declared of an equipment model, as far as training goes by it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Declared<'a> {
    /// Signals that choose the operating regime.
    pub settings: &'a [String],
    /// The scorer to use: its part of the baseline is fitted too, and it comes first. None, [`AUTOMATIC`] and scorers
    /// that are not the project's leave the choice to the rules.
    pub scorer: Option<&'a str>,
}

impl Declared<'_> {
    /// The scorer, where it is one that training fits.
    fn fitted_scorer(&self) -> Option<&str> {
        self.scorer.filter(|name| *name != AUTOMATIC && SCORERS.contains(name))
    }
}

/// Why there is no new baseline.
#[derive(Debug, thiserror::Error)]
pub enum PromotionError {
    /// The rows do not give one.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The document cannot be written.
    #[error("the baseline cannot be written: {0}")]
    Document(String),
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Promotion {
    /// Equipment model.
    pub equipment: String,
    /// Number of the promoted baseline, or `None` when the candidate was refused.
    pub promoted: Option<u64>,
    /// Why.
    pub reason: String,
    /// Rows it was fitted and compared on.
    pub rows: usize,
}

impl std::fmt::Display for Promotion {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.promoted {
            Some(number) => write!(out, "{}: baseline {number} promoted: {}", self.equipment, self.reason),
            None => write!(out, "{}: candidate refused: {}", self.equipment, self.reason),
        }
    }
}

/// Fits a baseline without promoting it.
///
/// # Errors
/// [`TrainError`] says what is missing.
pub fn fit_only(
    equipment: &str,
    readings: &mut Readings,
    declared: Declared<'_>,
    number: u64,
    now: Micros,
) -> Result<Candidate, TrainError> {
    readings.sort();
    let extra_scorers = declared.fitted_scorer().map(str::to_owned).into_iter().collect();
    let options = Options { number, created: iso(now), extra_scorers, ..Options::default() };
    fit(equipment, &readings.signals, declared.settings, &readings.matrix(0..readings.rows()), &options)
}

/// Fits a candidate, compares it with the baseline in force on rows that neither has seen, and promotes it if it is
/// no worse.
///
/// # Errors
/// [`PromotionError`]; nothing is promoted then.
pub async fn fit_and_promote(
    store: &Store,
    equipment: &str,
    readings: &mut Readings,
    declared: Declared<'_>,
    now: Micros,
) -> Result<Promotion, PromotionError> {
    let mut run = TrainingRun {
        at: iso(now),
        equipment: equipment.to_owned(),
        rows: readings.rows(),
        left_out: readings.left_out.clone(),
        code: env!("CARGO_PKG_VERSION").to_owned(),
        ..TrainingRun::default()
    };
    let done = attempt(store, &mut run, readings, declared, now).await;
    match &done {
        Ok(promotion) => {
            run.promoted = promotion.promoted;
            run.reason.clone_from(&promotion.reason);
        }
        Err(error) => run.reason = error.to_string(),
    }
    if run.promoted.is_none()
        && let Some(number) = untold(store, &run).await?
    {
        run.promoted = Some(number);
        run.reason = format!("baseline {number} was promoted by a run that ended before it told so");
    }
    kill::point("retrain-recording");
    // What the run did is known by its baseline too: a record that cannot be written undoes nothing.
    let told = async {
        if let Some(number) = run.promoted
            && let Some(document) = baselines(store, equipment).read(number).await?
        {
            records::keep_card(store, equipment, number, &document).await?;
        }
        records::record(store, &run).await
    };
    if let Err(error) = told.await {
        tracing::warn!(equipment, %error, "the record of a training run cannot be written");
    }
    done
}

/// The baseline in force, where it is of these rows and no record tells of its promotion: the run that promoted it was
/// killed in between.
async fn untold(store: &Store, run: &TrainingRun) -> Result<Option<u64>, StoreError> {
    let Some((number, json)) = baselines(store, &run.equipment).latest().await? else { return Ok(None) };
    let same = Baseline::from_json(&json).is_ok_and(|baseline| baseline.data_hash == run.data_hash);
    if !same || run.data_hash.is_empty() {
        return Ok(None);
    }
    let told = records::all(store, &run.equipment).await?;
    Ok((!told.iter().any(|(_, run)| run.promoted == Some(number))).then_some(number))
}

async fn attempt(
    store: &Store,
    run: &mut TrainingRun,
    readings: &mut Readings,
    declared: Declared<'_>,
    now: Micros,
) -> Result<Promotion, PromotionError> {
    let equipment = run.equipment.as_str();
    let documents = baselines(store, equipment);
    let latest = documents.latest().await?;
    let number = latest.as_ref().map_or(1, |(number, _)| number + 1);
    if latest.as_ref().is_some_and(|(_, json)| matches!(Document::read(json), Ok(Document::Life(_)))) {
        let reason =
            "a model of remaining life is in force; it learns from runs to failure, not from the window of \
                      normal operation; put a baseline in its place with `twinwright train promote`"
                .to_owned();
        let rows = readings.rows();
        return Ok(Promotion { equipment: equipment.to_owned(), promoted: None, reason, rows });
    }
    let reference = latest.and_then(|(_, json)| Baseline::from_json(&json).ok());
    readings.sort();
    let rows = readings.rows();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count of rows"
    )]
    let held = if reference.is_some() { (rows as f64 * HOLDOUT) as usize } else { 0 };
    let options = Options { number, created: iso(now), ..Options::default() };
    let fitting = readings.matrix(0..rows - held);
    gates(&readings.signals, &readings.matrix(0..rows))?;
    let settings = declared.settings;
    let mut choice = choose(&readings.signals, settings, &fitting, &options)?;
    if let Some(scorer) = declared.fitted_scorer().filter(|scorer| *scorer != choice.scorer) {
        choice.reasons.push(format!("{scorer} is declared for this equipment and overrules it"));
        choice.options.extra_scorers.push(scorer.to_owned());
        scorer.clone_into(&mut choice.scorer);
    }
    (run.scorer, run.reasons) = (choice.scorer.clone(), choice.reasons.clone());
    let newest = rows - rows / 5;
    let moved = drift(readings.signals.len(), &readings.matrix(0..newest), &readings.matrix(newest..rows))?;
    run.drift = readings.signals.iter().cloned().zip(moved).collect();
    // The chosen scorer is fitted besides those that every baseline has.
    let options = choice.options;
    let mut candidate = fit(equipment, &readings.signals, settings, &fitting, &options)?;
    kill::point("retrain-fitted");
    run.data_hash.clone_from(&candidate.baseline.data_hash);
    run.metrics.clone_from(&candidate.baseline.metrics);
    if let Some(reference) = &reference
        && reference.data_hash == candidate.baseline.data_hash
    {
        let reason = format!("the rows are those of {}; nothing new to learn", reference.id);
        return Ok(Promotion { equipment: equipment.to_owned(), promoted: None, reason, rows });
    }
    let (promote, reason) = match &reference {
        None => (true, "the first baseline of this equipment".to_owned()),
        Some(reference) => {
            let holdout = readings.matrix(rows - held..rows);
            let nobody = vec![0; readings.faults.iter().map(|fault| fault.time.len()).max().unwrap_or(0)];
            let faults: Vec<Fault<'_>> =
                readings.faults.iter().map(|fault| fault.to_judge(&nobody)).collect();
            let faults = (choice.scorer.as_str(), faults.as_slice());
            let tolerance = Evaluation::default();
            let verdict = evaluate(&candidate, Some(reference), &holdout, faults, &tolerance)?;
            run.metrics.extend(verdict.metrics);
            (verdict.promote, verdict.reason)
        }
    };
    let mut promotion = Promotion { equipment: equipment.to_owned(), promoted: None, reason, rows };
    if promote {
        // Whoever names no scorer gets the first.
        candidate.baseline.scorers.sort_by_key(|name| *name != choice.scorer);
        let json =
            candidate.baseline.to_json().map_err(|error| PromotionError::Document(error.to_string()))?;
        kill::point("retrain-promoting");
        match documents.create(number, Bytes::from(json)).await? {
            Created::New => promotion.promoted = Some(number),
            Created::AlreadyThere => {
                promotion.reason = "another run promoted a baseline meanwhile".to_owned()
            }
        }
    }
    Ok(promotion)
}

/// Numbers devices as they are met.
#[derive(Debug, Default)]
pub struct DeviceNumbers(HashMap<Arc<str>, u32>);

impl DeviceNumbers {
    /// The device's number.
    pub fn of(&mut self, device: &Arc<str>) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(Arc::clone(device)).or_insert(next)
    }

    /// The devices by number.
    pub fn names(self) -> Vec<Arc<str>> {
        let mut named: Vec<(Arc<str>, u32)> = self.0.into_iter().collect();
        named.sort_unstable_by_key(|(_, number)| *number);
        named.into_iter().map(|(device, _)| device).collect()
    }
}

#[cfg(test)]
mod tests;
