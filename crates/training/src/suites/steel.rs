//! Load of a steel plant by quarter of an hour (Sathishkumar and others, 2021): how much will tomorrow take?
//!
//! Told at midnight for the 96 quarters of an hour that follow, fitted anew every midnight on all days before. No column of
//! the same moment is read.

use std::path::Path;

use serde_json::json;

use super::controls::RANDOM;
use super::{Bound, Figure, Report, ScorerHost, Settings, Suite, SuiteError, Table, bootstrap};
use crate::energy::series::{self, Day, SLOTS};
use crate::energy::{bands_of, fit_after, read, walk_forward};

/// The suite.
pub struct Steel;

/// Coverage of the interval that is told.
const COVERAGE: f64 = 0.9;

impl Suite for Steel {
    fn name(&self) -> &'static str {
        "steel"
    }

    fn about(&self) -> &'static str {
        "load of a plant by quarter of an hour, told the midnight before"
    }

    fn run(
        &self,
        folder: &Path,
        settings: &Settings,
        host: &mut dyn ScorerHost,
    ) -> Result<Report, SuiteError> {
        let days = read::read(folder)?;
        if days.is_empty() {
            return Err(SuiteError::Nothing {
                path: folder.to_owned(),
                wanted: "loads: .csv files with a time and a load in each line, by quarter of an hour",
            });
        }
        let failed = |cause| SuiteError::Train { recording: "steel".to_owned(), cause };
        let options = &settings.steel.fit;
        let lived = walk_forward(&days, options).map_err(failed)?;
        // The model of all days, as it would be promoted: it must be possible to fit it.
        let model = fit_after("steel", &days, &lived, options).map_err(failed)?;
        let first = lived.first;
        let truth = &days[first..];
        let count = truth.len();
        let all: Vec<usize> = (0..count).collect();
        let (samples, seed) = (settings.bootstrap.samples, settings.bootstrap.seed);
        let error = |forecasts: &[Vec<f64>], which: &[usize]| relative_error(forecasts, truth, which);
        let interval = bootstrap::interval(count, samples, seed, |draw| error(&lived.load, draw));
        let last = &all[count - count.div_ceil(4)..];
        let figures = vec![
            Figure::new("steel_day_ahead_cv_rmse", error(&lived.load, &all), "%")
                .interval(interval)
                .target(Bound::AtMost(75.0), Bound::AtMost(68.0)),
            Figure::new("steel_day_ahead_cv_rmse_last_quarter", error(&lived.load, last), "%"),
            Figure::new("steel_day_total_cv_rmse", total_error(&lived.load, truth), "%"),
            Figure::new("steel_interval_coverage", coverage(&lived.load, truth), "% where 90 % are promised"),
            Figure::new("steel_days", count as f64, "days"),
        ];
        let mut methods = vec![("day-ahead-load".to_owned(), lived.load.clone())];
        for (label, flat) in host.predictions(&json!({
            "task": "load",
            "days": days.iter().map(|day| &day.load).collect::<Vec<_>>(),
            "weekday": days.iter().map(|day| day.calendar.weekday).collect::<Vec<_>>(),
            "class": days.iter().map(|day| day.calendar.class()).collect::<Vec<_>>(),
            "first": first,
            "every": options.refit_every,
        }))? {
            if flat.len() != count * SLOTS {
                let cause = format!("{label}: {} forecasts for {count} days of {SLOTS}", flat.len());
                return Err(SuiteError::Scorer { scorer: "references".to_owned(), cause });
            }
            methods.push((label, flat.chunks(SLOTS).map(<[f64]>::to_vec).collect()));
        }
        methods.extend(controls(&days, first, seed));
        let mut table = Table::new(
            "Methods and controls",
            &["method", "CV(RMSE)", "of the last quarter of the days", "of the days' totals"],
        );
        table.rows = methods
            .iter()
            .map(|(label, forecasts)| {
                vec![
                    label.clone(),
                    format!("{:.2} %", error(forecasts, &all)),
                    format!("{:.2} %", error(forecasts, last)),
                    format!("{:.2} %", total_error(forecasts, truth)),
                ]
            })
            .collect();
        let mut notes = vec![
            format!(
                "CV(RMSE) is the root mean squared error over the mean load. Told at midnight, fitted anew every {} days, \
                 on all days before; the first {first} days are not scored",
                options.refit_every
            ),
            "The interval's coverage is of the second half of the days, with the errors of the first"
                .to_owned(),
        ];
        notes.push(format!(
            "Learners are chosen anew every day, by their forecasts of the days before; of all days: {}, on {} inputs",
            lived.chosen.names(),
            model.inputs.len()
        ));
        Ok(Report {
            suite: self.name().to_owned(),
            about: self.about().to_owned(),
            settings_hash: settings.hash.clone(),
            recordings: days.len(),
            seconds: 0.0,
            figures,
            tables: vec![table],
            notes,
        })
    }
}

/// Root mean squared error of some days over their mean load, in %; absent values on either side are left out.
fn relative_error(forecasts: &[Vec<f64>], truth: &[Day], which: &[usize]) -> f64 {
    let (mut squares, mut sum, mut count) = (0.0, 0.0, 0.0);
    for &day in which {
        for (forecast, truth) in forecasts[day].iter().zip(&truth[day].load) {
            let error = forecast - truth;
            if error.is_finite() {
                squares += error * error;
                sum += truth;
                count += 1.0;
            }
        }
    }
    100.0 * (squares / count).sqrt() / (sum / count)
}

/// The same of the days' mean loads.
fn total_error(forecasts: &[Vec<f64>], truth: &[Day]) -> f64 {
    let level = |day: &[f64]| vec![series::mean(day.iter().copied()); SLOTS];
    let by_day: Vec<Vec<f64>> = forecasts.iter().map(|day| level(day)).collect();
    let days: Vec<Day> = truth.iter().map(|day| Day { load: level(&day.load), ..day.clone() }).collect();
    relative_error(&by_day, &days, &(0..truth.len()).collect::<Vec<_>>())
}

/// Share of the second half's loads within the interval that the errors of the first half gave, %.
fn coverage(forecasts: &[Vec<f64>], truth: &[Day]) -> f64 {
    let half = truth.len() / 2;
    let pairs = |days: std::ops::Range<usize>| -> Vec<(f64, f64)> {
        days.flat_map(|day| forecasts[day].iter().copied().zip(truth[day].load.iter().copied()))
            .filter(|(_, truth)| truth.is_finite())
            .collect()
    };
    let bands = bands_of(&pairs(0..half));
    let later = pairs(half..truth.len());
    let held = later.iter().filter(|(forecast, truth)| {
        let (low, high) = bands.interval(*forecast, COVERAGE);
        (low..=high).contains(truth)
    });
    100.0 * held.count() as f64 / later.len().max(1) as f64
}

/// Forecasts that learn nothing.
fn controls(days: &[Day], first: usize, seed: u64) -> Vec<(String, Vec<Vec<f64>>)> {
    let past = |back: usize| -> Vec<Vec<f64>> {
        (first..days.len()).map(|at| days[at - back].load.clone()).collect()
    };
    let weeks: Vec<Vec<Vec<f64>>> = [7, 14, 21, 28].map(past).into();
    let mean = (0..days.len() - first)
        .map(|day| (0..SLOTS).map(|slot| series::mean(weeks.iter().map(|week| week[day][slot]))).collect());
    let flat = (first..days.len())
        .map(|at| vec![series::mean(days[..at].iter().flat_map(|day| day.load.iter().copied())); SLOTS]);
    let still = vec![vec![0.0; SLOTS]; days.len() - first];
    let mut controls = vec![
        ("control: never (stands still)".to_owned(), still),
        ("control: always (the mean so far)".to_owned(), flat.collect()),
        ("control: yesterday".to_owned(), past(1)),
        ("control: clock (last week)".to_owned(), past(7)),
        ("control: mean of four weeks".to_owned(), mean.collect()),
    ];
    for number in 1..=RANDOM {
        let mut draw = bootstrap::Draw(seed.wrapping_mul(31).wrapping_add(number));
        let drawn = (first..days.len()).map(|at| days[draw.below(at)].load.clone()).collect();
        controls.push((format!("control: random {number} (any day before)"), drawn));
    }
    controls
}
