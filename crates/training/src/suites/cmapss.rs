//! The NASA turbofan files (C-MAPSS; Saxena and others, 2008): engines that ran until they failed, and engines cut short.
//!
//! Fitted on the training engines, what remains capped as the settings say; scored by the scorer `remaining-life` on
//! the last cycle of each test engine, whose truth is not capped unless a name says so. Alerts are those of the alert
//! state machine on the training engines, each estimated by a model that had not seen it.

use std::path::Path;

use serde_json::json;
use twinwright_kernels::life::{LifeModel, RemainingLife, Unit};

use super::detection::{Counts, Outcome};
use super::play::{self, Recording};
use super::{Bound, Figure, Report, ScorerHost, Settings, Suite, SuiteError, Table, bootstrap};
use crate::TrainError;
use crate::learners::{auc, brier, rmse};
use crate::rul::lead::Leads;
use crate::rul::read::{self, Set};
use crate::rul::{LifeCandidate, LifeOptions, LifeRun, fit};
use crate::suites::controls::RANDOM;

/// The suite.
pub struct Cmapss;

/// The set that targets are set for.
const TARGET: &str = "FD001";
/// Coverage of the interval that is told.
const COVERAGE: f64 = 0.9;

impl Suite for Cmapss {
    fn name(&self) -> &'static str {
        "cmapss"
    }

    fn about(&self) -> &'static str {
        "NASA turbofan engines, run to failure: remaining life"
    }

    fn run(
        &self,
        folder: &Path,
        settings: &Settings,
        host: &mut dyn ScorerHost,
    ) -> Result<Report, SuiteError> {
        let sets = read::sets(folder)?;
        if sets.is_empty() {
            return Err(SuiteError::Nothing {
                path: folder.to_owned(),
                wanted: "train_, test_ and RUL_ files of one set, such as train_FD001.txt (plain or .gz)",
            });
        }
        let mut report = Report {
            suite: self.name().to_owned(),
            about: self.about().to_owned(),
            settings_hash: settings.hash.clone(),
            ..Report::default()
        };
        for set in &sets {
            report.recordings += set.test.len();
            measure(set, settings, host, &mut report)?;
        }
        report.notes.push(
            "Root mean squared errors at the last cycle of each test engine, whose truth is not capped unless the \
             name says so; estimates never exceed the cap of training"
                .to_owned(),
        );
        report.notes.push(
            "Alerts are judged on the training engines, by models that had not seen the engine; early: with more \
             than the cap left. F1, FAR, MAR and MCC count cycles, true from the model's limit on"
                .to_owned(),
        );
        Ok(report)
    }
}

fn measure(
    set: &Set,
    settings: &Settings,
    host: &mut dyn ScorerHost,
    report: &mut Report,
) -> Result<(), SuiteError> {
    let failed = |cause| SuiteError::Train { recording: set.name.clone(), cause };
    let options = LifeOptions { unit: Unit::Cycles, ..settings.cmapss.fit.clone() };
    let (signals, operating) = read::names();
    let id = format!("cmapss-{}", set.name);
    let candidate = fit(&id, &signals, &operating, &set.train, &options).map_err(failed)?;
    let document = candidate.model.to_json().map_err(|error| failed(crate::TrainError::numeric(error)))?;
    let model = LifeModel::from_json(&document).map_err(|error| failed(TrainError::numeric(error)))?;
    let estimates = last_estimates(host, &document, &model, &signals, &set.test)?;
    estimated(set, &model, &estimates, settings, report);
    let mut comparison = Table::new(
        &format!("{}: methods and controls, at the last cycle of each test engine", set.name),
        &["method", "RMSE", "RMSE capped", "PHM08", "AUC of a failure soon"],
    );
    let horizon = settings.cmapss.horizon_cycles;
    let row = |label: &str, estimates: &[f64]| compared(label, estimates, &set.remaining, model.cap, horizon);
    comparison.rows.push(row("remaining-life", &estimates));
    for (label, estimates) in host.predictions(&request(set, &signals, &model, &options))? {
        if estimates.len() != set.test.len() {
            let cause = format!("{label}: {} estimates of {} engines", estimates.len(), set.test.len());
            return Err(SuiteError::Scorer { scorer: "references".to_owned(), cause });
        }
        comparison.rows.push(row(&label, &estimates));
    }
    for (label, estimates) in controls(set, &model, settings.bootstrap.seed) {
        comparison.rows.push(row(&label, &estimates));
    }
    report.tables.push(comparison);
    alerts(set, &candidate, &model, settings, report);
    Ok(())
}

/// Figures of the estimates.
fn estimated(set: &Set, model: &LifeModel, estimates: &[f64], settings: &Settings, report: &mut Report) {
    let truth = &set.remaining;
    let figure = |what: &str, value: f64, unit: &str| Figure::new(&name(set, what), value, unit);
    let (samples, seed) = (settings.bootstrap.samples, settings.bootstrap.seed);
    let of = |draw: &[usize], from: &[f64]| draw.iter().map(|at| from[*at]).collect::<Vec<f64>>();
    let error = |draw: &[usize]| rmse(&of(draw, estimates), &of(draw, truth));
    let interval = bootstrap::interval(truth.len(), samples, seed, error);
    let mut told = figure("rmse", rmse(estimates, truth), "cycles").interval(interval);
    if set.name == TARGET {
        told = told.target(Bound::AtMost(14.5), Bound::AtMost(13.0));
    }
    report.figures.push(told);
    let capped: Vec<f64> = truth.iter().map(|truth| truth.min(model.cap)).collect();
    report.figures.push(figure("rmse_capped", rmse(estimates, &capped), "cycles"));
    report.figures.push(figure("phm08", phm08(estimates, truth), ""));
    let bounds: Vec<(f64, f64)> =
        estimates.iter().map(|estimate| model.bands.interval(*estimate, COVERAGE)).collect();
    let inside = bounds.iter().zip(&capped).filter(|((low, high), t)| low <= *t && *t <= high).count();
    let count = truth.len() as f64;
    let coverage = 100.0 * inside as f64 / count;
    report.figures.push(figure("interval_coverage", coverage, "% where 90 % are promised"));
    let width = bounds.iter().map(|(low, high)| high - low).sum::<f64>() / count;
    report.figures.push(figure("interval_width", width, "cycles"));
    let horizon = settings.cmapss.horizon_cycles;
    let failing: Vec<bool> = truth.iter().map(|truth| *truth <= horizon).collect();
    let chance: Vec<f64> = estimates.iter().map(|e| model.bands.chance_within(*e, horizon)).collect();
    report.figures.push(figure("failure_soon_auc", auc(&chance, &failing), ""));
    report.figures.push(figure("failure_soon_brier", brier(&chance, &failing), ""));
    let share = failing.iter().filter(|failing| **failing).count() as f64 / count;
    report.figures.push(figure("failure_soon_brier_base_rate", share * (1.0 - share), ""));
}

/// Figures and controls of the alerts.
fn alerts(set: &Set, candidate: &LifeCandidate, model: &LifeModel, settings: &Settings, report: &mut Report) {
    let policy = &settings.cmapss.alert;
    let scores = |estimates: &Vec<f64>| -> Vec<f64> {
        let rows = estimates.iter().enumerate();
        rows.map(|(row, estimate)| match row + 1 < model.warm_rows {
            true => f64::NAN,
            false => model.limit / estimate.max(model.limit / 100.0),
        })
        .collect()
    };
    let ours: Vec<Vec<bool>> =
        candidate.out_of_fold.iter().map(|run| play::alarms(policy, &scores(run)).open).collect();
    let life = model.metrics.get("median_life").copied().unwrap_or(0.0);
    let mut methods = vec![("remaining-life".to_owned(), ours)];
    let each = |open: &mut dyn FnMut(usize) -> bool| -> Vec<Vec<bool>> {
        candidate.truth.iter().map(|run| (0..run.len()).map(&mut *open).collect()).collect()
    };
    methods.push(("control: never".to_owned(), each(&mut |_| false)));
    methods.push(("control: always".to_owned(), each(&mut |_| true)));
    for number in 1..=RANDOM {
        let mut draw = bootstrap::Draw(settings.bootstrap.seed.wrapping_mul(31).wrapping_add(number));
        methods.push((format!("control: random {number}"), each(&mut |_| draw.unit() < 0.1)));
    }
    let clock = |row: usize| row as f64 >= life - model.limit;
    methods.push(("control: clock (median life)".to_owned(), each(&mut |row| clock(row))));
    let mut table = Table::new(
        &format!("{}: alerts before the failure of the training engines", set.name),
        &["method", "in time", "early", "median lead", "p10 lead", "F1", "FAR", "MAR", "MCC"],
    );
    for (at, (label, open)) in methods.iter().enumerate() {
        let led = open
            .iter()
            .zip(&candidate.truth)
            .map(|(open, truth)| open.iter().position(|open| *open).map(|row| truth[row]));
        let leads = Leads { of_run: led.collect() };
        let counts = Counts::sum(&rows(open, &candidate.truth, model.limit));
        let runs = open.len();
        let (good, early) = (leads.at_least(settings.cmapss.useful_cycles), leads.early(model.cap));
        let (median, tenth) = (leads.quantile(0.5), leads.quantile(0.1));
        table.rows.push(vec![
            label.clone(),
            format!("{good}/{runs}"),
            format!("{early}/{runs}"),
            format!("{median:.0} cycles"),
            format!("{tenth:.0} cycles"),
            format!("{:.3}", counts.f1()),
            format!("{:.1} %", 100.0 * counts.far()),
            format!("{:.1} %", 100.0 * counts.mar()),
            format!("{:.3}", counts.mcc()),
        ]);
        if at > 0 {
            continue;
        }
        let share = |count: usize| 100.0 * count as f64 / runs as f64;
        let mut useful = Figure::new(&name(set, "lead_in_time"), share(good), "% of engines");
        let mut too_soon = Figure::new(&name(set, "lead_early"), share(early), "% of engines");
        if set.name == TARGET {
            useful = useful.target(Bound::AtLeast(95.0), Bound::AtLeast(98.0));
            too_soon = too_soon.target(Bound::AtMost(2.0), Bound::AtMost(2.0));
        }
        report.figures.extend([useful, too_soon]);
        report.figures.push(Figure::new(&name(set, "lead_median"), median, "cycles"));
        report.figures.push(Figure::new(&name(set, "lead_p10"), tenth, "cycles"));
    }
    report.tables.push(table);
}

/// Cycles under an open case against cycles from the limit on.
fn rows(open: &[Vec<bool>], truth: &[Vec<f64>], limit: f64) -> Vec<Counts> {
    let one = |(open, truth): (&Vec<bool>, &Vec<f64>)| {
        let truth = truth.iter().map(|left| *left <= limit).collect();
        Outcome { alarm: open.clone(), truth, interval: 1.0, begun_before: false }.counts()
    };
    open.iter().zip(truth).map(one).collect()
}

/// What the scorer says of the last row of each engine.
fn last_estimates(
    host: &mut dyn ScorerHost,
    document: &[u8],
    model: &LifeModel,
    signals: &[String],
    engines: &[LifeRun],
) -> Result<Vec<f64>, SuiteError> {
    let mut scorer = host.prepare(RemainingLife::NAME, document)?;
    let mut estimates = Vec::with_capacity(engines.len());
    for run in engines {
        let recording = Recording {
            signals: signals.to_vec(),
            time: run.time.clone(),
            values: run.values.clone(),
            ..Recording::default()
        };
        let scores = play::scores_of(&mut *scorer, &recording)?;
        let last = scores.iter().rev().find(|score| score.is_finite());
        // An engine too short for an estimate counts as new.
        estimates.push(last.map_or(model.cap, |score| model.limit / score));
    }
    Ok(estimates)
}

/// Estimates that know no signal.
fn controls(set: &Set, model: &LifeModel, seed: u64) -> Vec<(String, Vec<f64>)> {
    let count = set.test.len();
    let lives: Vec<usize> = set.train.iter().map(|run| run.time.len()).collect();
    let capped = |life: &usize| (0..*life).map(|left| (left as f64).min(model.cap)).sum::<f64>();
    let mean = lives.iter().map(capped).sum::<f64>() / lives.iter().sum::<usize>() as f64;
    let mut controls = vec![
        ("control: never fails".to_owned(), vec![model.cap; count]),
        ("control: always at its end".to_owned(), vec![0.0; count]),
        ("control: mean of the training cycles".to_owned(), vec![mean; count]),
    ];
    for number in 1..=RANDOM {
        let mut draw = bootstrap::Draw(seed.wrapping_mul(31).wrapping_add(number));
        let estimates = (0..count).map(|_| model.cap * draw.unit()).collect();
        controls.push((format!("control: random {number}"), estimates));
    }
    let life = model.metrics.get("median_life").copied().unwrap_or(0.0);
    let aged = set.test.iter().map(|run| (life - run.time.len() as f64).clamp(0.0, model.cap)).collect();
    controls.push(("control: clock (median life less age)".to_owned(), aged));
    controls
}

fn compared(label: &str, estimates: &[f64], truth: &[f64], cap: f64, horizon: f64) -> Vec<String> {
    let capped: Vec<f64> = truth.iter().map(|truth| truth.min(cap)).collect();
    let failing: Vec<bool> = truth.iter().map(|truth| *truth <= horizon).collect();
    let soon: Vec<f64> = estimates.iter().map(|estimate| -estimate).collect();
    vec![
        label.to_owned(),
        format!("{:.2}", rmse(estimates, truth)),
        format!("{:.2}", rmse(estimates, &capped)),
        format!("{:.0}", phm08(estimates, truth)),
        format!("{:.3}", auc(&soon, &failing)),
    ]
}

/// The score of the prognostics challenge of 2008: late costs more than early.
fn phm08(estimate: &[f64], truth: &[f64]) -> f64 {
    let each = |(estimate, truth): (&f64, &f64)| {
        let late = estimate - truth;
        if late < 0.0 { (-late / 13.0).exp_m1() } else { (late / 10.0).exp_m1() }
    };
    estimate.iter().zip(truth).map(each).sum()
}

fn request(set: &Set, signals: &[String], model: &LifeModel, options: &LifeOptions) -> serde_json::Value {
    let values = |runs: &[LifeRun]| runs.iter().map(|run| json!(run.values)).collect::<Vec<_>>();
    json!({
        "task": "life",
        "width": signals.len(),
        "window": options.window_rows,
        "start": options.start_rows,
        "cap": model.cap,
        "train": values(&set.train),
        "test": values(&set.test),
    })
}

fn name(set: &Set, what: &str) -> String {
    format!("cmapss_{}_{what}", set.name.to_lowercase())
}
