//! Wafers with process data (SECOM; McCann and Johnston, 2008): which of them are bad?
//!
//! Parts are in the order of time: the first share teaches, each later part is judged by a model of earlier parts only,
//! fitted anew every so many. What counts is the order: how many bad ones an inspection budget finds.

use std::path::Path;

use serde_json::json;

use super::controls::RANDOM;
use super::{Bound, Figure, Report, ScorerHost, Settings, Suite, SuiteError, Table, bootstrap};
use crate::learners::{auc, average_precision, brier, precision_at, sigmoid};
use crate::quality::{fit, read, walk_forward};

/// The suite.
pub struct Secom;

impl Suite for Secom {
    fn name(&self) -> &'static str {
        "secom"
    }

    fn about(&self) -> &'static str {
        "wafers, process data to the chance of a bad part, in the order of time"
    }

    fn run(
        &self,
        folder: &Path,
        settings: &Settings,
        host: &mut dyn ScorerHost,
    ) -> Result<Report, SuiteError> {
        let parts = read::read(folder)?;
        if parts.bad.is_empty() {
            return Err(SuiteError::Nothing {
                path: folder.to_owned(),
                wanted: "parts: .csv files whose last column is y or Pass/Fail, or secom.data with secom_labels.data",
            });
        }
        let failed = |cause| SuiteError::Train { recording: "secom".to_owned(), cause };
        let options = &settings.secom.fit;
        let judged = walk_forward(&parts.table, &parts.bad, options).map_err(failed)?;
        let model = fit("secom", &parts.inputs, &parts.table, &parts.bad, options).map_err(failed)?;
        let (score, bad) = (&judged.prediction, &parts.bad[judged.first..]);
        let count = bad.len();
        let events = bad.iter().filter(|bad| **bad).count();
        let (samples, seed) = (settings.bootstrap.samples, settings.bootstrap.seed);
        let interval = |of: fn(&[f64], &[bool]) -> f64| {
            bootstrap::interval(count, samples, seed, |draw| {
                let (score, bad): (Vec<f64>, Vec<bool>) =
                    draw.iter().map(|at| (score[*at], bad[*at])).unzip();
                of(&score, &bad)
            })
        };
        let mut figures = vec![
            Figure::new("secom_auc", auc(score, bad), "")
                .interval(interval(auc))
                .target(Bound::AtLeast(0.63), Bound::AtLeast(0.68)),
            Figure::new("secom_average_precision", average_precision(score, bad), "")
                .interval(interval(average_precision)),
        ];
        for share in &settings.secom.budgets_percent {
            let budget = (count * share / 100).max(1);
            let precision = precision_at(score, bad, budget);
            let found = precision * budget as f64 / events.max(1) as f64;
            figures.push(Figure::new(&format!("secom_precision_at_{share}"), 100.0 * precision, "%"));
            figures.push(Figure::new(&format!("secom_found_at_{share}"), 100.0 * found, "% of the bad"));
        }
        let chance: Vec<f64> =
            score.iter().map(|prediction| sigmoid(model.slope * prediction + model.offset)).collect();
        let rate = events as f64 / count as f64;
        figures.push(Figure::new("secom_brier", brier(&chance, bad), ""));
        figures.push(Figure::new("secom_brier_base_rate", rate * (1.0 - rate), ""));
        figures.push(Figure::new("secom_bad_of_judged", 100.0 * rate, "%"));

        let mut methods = vec![("part-quality".to_owned(), score.clone())];
        for (label, score) in host.predictions(&json!({
            "task": "quality",
            "width": parts.inputs.len(),
            "values": (0..parts.table.rows()).map(|row| {
                (0..parts.inputs.len()).map(|at| parts.table.column(at)[row]).collect::<Vec<f64>>()
            }).collect::<Vec<_>>(),
            "bad": parts.bad,
            "first": judged.first,
            "every": options.refit_every,
        }))? {
            if score.len() != count {
                let cause = format!("{label}: {} predictions of {count} parts", score.len());
                return Err(SuiteError::Scorer { scorer: "references".to_owned(), cause });
            }
            methods.push((label, score));
        }
        methods.extend(controls(count, seed));
        let mut table = Table::new(
            "Methods and controls",
            &["method", "AUC", "average precision", "precision at the budgets", "found at the budgets"],
        );
        table.rows = methods
            .iter()
            .map(|(label, score)| row(label, score, bad, &settings.secom.budgets_percent))
            .collect();
        let notes = vec![
            format!(
                "Each of {count} parts ({events} bad) is judged by a model of earlier parts, fitted anew every {} parts",
                options.refit_every
            ),
            format!("Budgets are {:?} % of the judged parts", settings.secom.budgets_percent),
            "The chances' scale is fitted on the judged parts themselves, so the Brier figure is a little kind"
                .to_owned(),
        ];
        Ok(Report {
            suite: self.name().to_owned(),
            about: self.about().to_owned(),
            settings_hash: settings.hash.clone(),
            recordings: parts.bad.len(),
            seconds: 0.0,
            figures,
            tables: vec![table],
            notes,
        })
    }
}

/// Scores that know no input: never and always are one score for all parts, the clock is the part's place in time.
fn controls(count: usize, seed: u64) -> Vec<(String, Vec<f64>)> {
    let mut controls = vec![("control: never, always".to_owned(), vec![0.0; count])];
    for number in 1..=RANDOM {
        let mut draw = bootstrap::Draw(seed.wrapping_mul(31).wrapping_add(number));
        controls.push((format!("control: random {number}"), (0..count).map(|_| draw.unit()).collect()));
    }
    controls.push(("control: clock (older first)".to_owned(), (0..count).map(|at| -(at as f64)).collect()));
    controls
}

fn row(label: &str, score: &[f64], bad: &[bool], budgets: &[usize]) -> Vec<String> {
    let events = bad.iter().filter(|bad| **bad).count().max(1) as f64;
    let each = |of: &dyn Fn(f64, usize) -> f64| {
        let cells = budgets.iter().map(|share| {
            let budget = (bad.len() * share / 100).max(1);
            format!("{:.1} %", 100.0 * of(precision_at(score, bad, budget), budget))
        });
        cells.collect::<Vec<_>>().join(" / ")
    };
    vec![
        label.to_owned(),
        format!("{:.3}", auc(score, bad)),
        format!("{:.3}", average_precision(score, bad)),
        each(&|precision, _| precision),
        each(&|precision, budget| precision * budget as f64 / events),
    ]
}
