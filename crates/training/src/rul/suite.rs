//! The NASA turbofan files (C-MAPSS): `train_<set>.txt`, `test_<set>.txt`, `RUL_<set>.txt`, plain or `.gz`.
//!
//! Protocol: fitted on the training engines, what remains capped at 125 cycles; scored by the scorer `remaining-life`
//! (the document written and read again) on the last cycle of each test engine, whose truth is not capped. Lead
//! times are those of the training engines, each estimated by a model that had not seen it.

use std::path::Path;

use twinwright_kernels::life::{LifeModel, RemainingLife, Unit};
use twinwright_kernels::{Batch, status};

use super::lead::Leads;
use super::{LifeCandidate, LifeOptions, LifeRun, fit};
use crate::learners::{auc, bootstrap, brier, rmse};
use crate::report::Report;
use crate::{TrainError, files};

/// Columns: engine, cycle, 3 settings, 21 signals.
const COLUMNS: usize = 26;
const SETTINGS: usize = 3;
const HOUR: i64 = 3_600_000_000;
/// Cycles within which a failure is forecast.
const HORIZON: f64 = 30.0;
/// Cycles that an alert must leave to be of use.
const LEAD: f64 = 20.0;

/// The settings of the suite, the same for every set.
pub fn options() -> LifeOptions {
    LifeOptions { unit: Unit::Cycles, cap: Some(125.0), ..LifeOptions::default() }
}

/// Measures every set in a folder.
///
/// # Errors
/// [`TrainError`] where no set is whole, or a file is not of this form.
pub fn run(folder: &Path, options: &LifeOptions) -> Result<Report, TrainError> {
    let mut report = Report::new("cmapss");
    let listed = files::list(folder)?;
    let find = |name: String| listed.iter().find(|(known, _)| *known == name).map(|(_, path)| path);
    let sets = listed.iter().filter_map(|(name, _)| name.strip_prefix("train_")?.strip_suffix(".txt"));
    for set in sets {
        let of = |part: &str| find(format!("{part}_{set}.txt"));
        let (Some(train), Some(test), Some(truth)) = (of("train"), of("test"), of("RUL")) else { continue };
        let train = engines(train)?;
        let test = engines(test)?;
        let truth = remaining(truth)?;
        if test.len() != truth.len() {
            let cause = format!("{} test engines, but {} remaining lives", test.len(), truth.len());
            return Err(TrainError::Shape { cause });
        }
        measure(set, &train, &test, &truth, options, &mut report)?;
    }
    if report.figures.is_empty() {
        return Err(TrainError::file(folder, "it has no train_, test_ and RUL_ files of one set"));
    }
    report.notes.push(
        "root mean squared errors at the last cycle of each test engine; truth not capped unless the name says so; \
         early: an alert with more than 125 cycles left"
            .to_owned(),
    );
    Ok(report)
}

fn measure(
    set: &str,
    train: &[LifeRun],
    test: &[LifeRun],
    truth: &[f64],
    options: &LifeOptions,
    report: &mut Report,
) -> Result<(), TrainError> {
    let (signals, settings) = names();
    let candidate = fit(&format!("cmapss-{set}"), &signals, &settings, train, options)?;
    let model = &candidate.model;
    let document = model.to_json().map_err(TrainError::numeric)?;
    let estimate = last_estimates(&document, test)?;
    let prefix = format!("cmapss_{}", set.to_lowercase());
    let capped: Vec<f64> = truth.iter().map(|truth| truth.min(model.cap)).collect();
    let of = |draw: &[usize], from: &[f64]| draw.iter().map(|at| from[*at]).collect::<Vec<f64>>();
    let interval = bootstrap(truth.len(), 1, |draw| rmse(&of(draw, &estimate), &of(draw, truth)));
    report.tell_with(format!("{prefix}_rmse"), rmse(&estimate, truth), "cycles", interval);
    report.tell(format!("{prefix}_rmse_capped"), rmse(&estimate, &capped), "cycles");
    report.tell(format!("{prefix}_phm08"), phm08(&estimate, truth), "");
    report.tell(format!("{prefix}_regimes"), model.regimes.len() as f64, "");
    let bounds: Vec<(f64, f64)> =
        estimate.iter().map(|estimate| model.bands.interval(*estimate, 0.9)).collect();
    let inside = bounds.iter().zip(&capped).filter(|((l, h), t)| l <= *t && *t <= h).count();
    report.tell(format!("{prefix}_interval_coverage"), 100.0 * inside as f64 / truth.len() as f64, "% of 90");
    let width = bounds.iter().map(|(low, high)| high - low).sum::<f64>() / bounds.len() as f64;
    report.tell(format!("{prefix}_interval_width"), width, "cycles");
    let failing: Vec<bool> = truth.iter().map(|truth| *truth <= HORIZON).collect();
    let chance: Vec<f64> = estimate.iter().map(|e| model.bands.chance_within(*e, HORIZON)).collect();
    report.tell(format!("{prefix}_failure_30_auc"), auc(&chance, &failing), "");
    report.tell(format!("{prefix}_failure_30_brier"), brier(&chance, &failing), "");
    leads(&prefix, &candidate, report);
    controls(&prefix, train, test, truth, model, report);
    let share = failing.iter().filter(|failing| **failing).count() as f64 / failing.len() as f64;
    report.control(format!("{prefix}_failure_30_brier_base_rate"), share * (1.0 - share), "");
    report.models.push((format!("remaining-life-{set}"), document));
    Ok(())
}

fn leads(prefix: &str, candidate: &LifeCandidate, report: &mut Report) {
    let model = &candidate.model;
    let leads = Leads::of(&candidate.out_of_fold, &candidate.truth, model.limit, model.warm_rows);
    let runs = leads.of_run.len() as f64;
    report.tell(format!("{prefix}_lead_20"), leads.at_least(LEAD) as f64 * 100.0 / runs, "of 100");
    report.tell(format!("{prefix}_lead_early"), leads.early(model.cap) as f64 * 100.0 / runs, "of 100");
    report.tell(format!("{prefix}_lead_median"), leads.quantile(0.5), "cycles");
    report.tell(format!("{prefix}_lead_p10"), leads.quantile(0.1), "cycles");
    let fold = model.metrics.get("fold_rmse_capped").copied().unwrap_or(f64::NAN);
    report.tell(format!("{prefix}_fold_rmse_capped"), fold, "cycles");
}

/// Methods that know no signal: the mean of the training targets, and the median life less the age.
fn controls(
    prefix: &str,
    train: &[LifeRun],
    test: &[LifeRun],
    truth: &[f64],
    model: &LifeModel,
    report: &mut Report,
) {
    let targets = train.iter().flat_map(|run| (0..run.time.len()).map(|left| (left as f64).min(model.cap)));
    let rows: usize = train.iter().map(|run| run.time.len()).sum();
    let mean = targets.sum::<f64>() / rows as f64;
    report.control(format!("{prefix}_rmse_constant"), rmse(&vec![mean; truth.len()], truth), "cycles");
    let life = model.metrics.get("median_life").copied().unwrap_or(0.0);
    let by_age: Vec<f64> =
        test.iter().map(|run| (life - run.time.len() as f64).clamp(0.0, model.cap)).collect();
    report.control(format!("{prefix}_rmse_by_age"), rmse(&by_age, truth), "cycles");
}

/// What the scorer says of the last row of each engine.
fn last_estimates(document: &[u8], engines: &[LifeRun]) -> Result<Vec<f64>, TrainError> {
    let model = LifeModel::from_json(document).map_err(TrainError::numeric)?;
    let width = model.width();
    let mut scorer = RemainingLife::new(model).map_err(TrainError::numeric)?;
    let mut estimates = Vec::new();
    for run in engines {
        let mask: Vec<u8> = run.values.iter().map(|value| u8::from(value.is_nan())).collect();
        let batch = Batch {
            signals: width,
            device: &vec![0; run.time.len()],
            time: &run.time,
            values: &run.values,
            mask: &mask,
            state: &[],
            state_ends: &[0],
        };
        let answer = scorer.score(&batch).map_err(TrainError::numeric)?;
        let last = answer.status.iter().zip(&answer.scores).rev().find(|(s, _)| **s == status::OK);
        // An engine too short for an estimate counts as new.
        estimates.push(last.map_or(scorer.model().cap, |(_, score)| scorer.remaining(*score)));
    }
    Ok(estimates)
}

/// The score of the prognostics challenge of 2008: late costs more than early.
fn phm08(estimate: &[f64], truth: &[f64]) -> f64 {
    let each = |(estimate, truth): (&f64, &f64)| {
        let late = estimate - truth;
        if late < 0.0 { (-late / 13.0).exp_m1() } else { (late / 10.0).exp_m1() }
    };
    estimate.iter().zip(truth).map(each).sum()
}

/// Names of the columns: all signals, settings first, and the settings.
pub fn names() -> (Vec<String>, Vec<String>) {
    let settings: Vec<String> = (1..=SETTINGS).map(|at| format!("setting{at}")).collect();
    let rest = (1..=COLUMNS - 2 - SETTINGS).map(|at| format!("sensor{at}"));
    (settings.iter().cloned().chain(rest).collect(), settings)
}

/// Reads engines: lines of 26 numbers, engine by engine, cycle by cycle.
pub fn engines(path: &Path) -> Result<Vec<LifeRun>, TrainError> {
    let mut runs: Vec<(f64, LifeRun)> = Vec::new();
    for (at, line) in files::text(path)?.lines().enumerate() {
        let fields: Vec<f64> =
            line.split_whitespace().map(|field| files::number(field, path, at)).collect::<Result<_, _>>()?;
        if fields.is_empty() {
            continue;
        }
        if fields.len() != COLUMNS {
            let cause = format!("line {} has {} numbers instead of {COLUMNS}", at + 1, fields.len());
            return Err(TrainError::file(path, cause));
        }
        if runs.last().is_none_or(|(engine, _)| *engine != fields[0]) {
            runs.push((fields[0], LifeRun::default()));
        }
        if let Some((_, run)) = runs.last_mut() {
            run.time.push(fields[1] as i64 * HOUR);
            run.values.extend_from_slice(&fields[2..]);
        }
    }
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

fn remaining(path: &Path) -> Result<Vec<f64>, TrainError> {
    let text = files::text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| files::number(line, path, at)).collect()
}
