//! The Tennessee Eastman plant (Downs and Vogel, 1993; the recordings of Chiang, Russell and Braatz): 52 variables,
//! one recording a fault.
//!
//! The normal training recording fits, the normal test recording calibrates, each fault's recording is scored from its
//! first row. The share of rows after the fault that are above the limit is the detection rate.

use std::path::{Path, PathBuf};

use super::play::{self, Recording};
use super::{Bound, Figure, Report, ScorerHost, Settings, Suite, SuiteError, Table, bootstrap, read};
use crate::{Matrix, Options, choose, fit};

/// The suite.
pub struct Tep;

/// Variables: 41 measured, 11 manipulated.
const WIDTH: usize = 52;
/// Between two rows, as the simulator samples.
const STEP: i64 = 180 * 1_000_000;
const BESIDE: [&str; 2] = ["ewma-chart", "smoothed-mahalanobis"];

struct Rates {
    fault: u32,
    detected: f64,
    false_alarms: f64,
    delay_rows: Option<usize>,
}

impl Suite for Tep {
    fn name(&self) -> &'static str {
        "tep"
    }

    fn about(&self) -> &'static str {
        "Tennessee Eastman plant, 52 variables, one recording a fault"
    }

    fn run(
        &self,
        folder: &Path,
        settings: &Settings,
        host: &mut dyn ScorerHost,
    ) -> Result<Report, SuiteError> {
        let nothing = || SuiteError::Nothing {
            path: folder.to_owned(),
            wanted: "recordings d00.dat, d00_te.dat and dNN_te.dat (plain or .gz)",
        };
        let normal = read_named(folder, "d00.dat")?.ok_or_else(nothing)?;
        let calibration = read_named(folder, "d00_te.dat")?.ok_or_else(nothing)?;
        let mut values = normal.values.clone();
        values.extend_from_slice(&calibration.values);
        let mut time = normal.time.clone();
        // A day lies between the two: they are not one stretch of time.
        let from = normal.time.last().copied().unwrap_or(0) + 86_400 * 1_000_000;
        time.extend(calibration.time.iter().map(|of| of + from));
        let device = vec![0; time.len()];
        let rows = Matrix { device: &device, time: &time, values: &values };
        let options = Options {
            calibration_from: Some(from),
            extra_scorers: BESIDE.map(str::to_owned).to_vec(),
            ..Options::default()
        };
        let failed = |cause| SuiteError::Train { recording: "d00".to_owned(), cause };
        let choice = choose(&normal.signals, &[], &rows, &options).map_err(failed)?;
        let candidate = fit("tep", &normal.signals, &[], &rows, &choice.options).map_err(failed)?;
        let document =
            candidate.baseline.to_json().map_err(|error| failed(crate::TrainError::numeric(error)))?;
        let mut faults = Vec::new();
        for number in 1..=21 {
            if let Some(recording) = read_named(folder, &format!("d{number:02}_te.dat"))? {
                faults.push((number, recording));
            }
        }
        if faults.is_empty() {
            return Err(nothing());
        }
        let mut comparison = Table::new(
            "Methods and controls",
            &["method", "detected (target faults)", "detected (all)", "false alarms"],
        );
        let mut methods = vec![("automatic choice", choice.scorer.as_str())];
        methods.extend(BESIDE.map(|name| (name, name)));
        let mut chosen = Vec::new();
        for (label, scorer) in methods {
            let mut rates = Vec::new();
            for (fault, recording) in &faults {
                let scores = play::scores(host, scorer, &document, recording)?;
                rates.push(rate(*fault, &play::alarms(&settings.tep.alert, &scores).open, settings));
            }
            comparison.rows.push(row(label, &rates, settings));
            if chosen.is_empty() {
                chosen = rates;
            }
        }
        let mut references: std::collections::BTreeMap<String, Vec<Rates>> =
            std::collections::BTreeMap::new();
        for (fault, recording) in &faults {
            let mut all = values.clone();
            all.extend_from_slice(&recording.values);
            for (label, scores) in host.references(&all, WIDTH, normal.rows(), time.len())? {
                let alarm = play::alarms(&settings.tep.alert, &scores[time.len()..]).open;
                references.entry(label).or_default().push(rate(*fault, &alarm, settings));
            }
        }
        comparison.rows.extend(references.iter().map(|(label, rates)| row(label, rates, settings)));
        for (label, share) in
            [("control: never", 0.0), ("control: always", 1.0), ("control: random 2 %", 0.02)]
        {
            let of = |(fault, recording): &(u32, Recording)| {
                let mut draw = bootstrap::Draw(settings.bootstrap.seed.wrapping_add(u64::from(*fault)));
                let alarm: Vec<bool> = (0..recording.rows()).map(|_| draw.unit() < share).collect();
                rate(*fault, &alarm, settings)
            };
            comparison.rows.push(row(label, &faults.iter().map(of).collect::<Vec<_>>(), settings));
        }
        let mut notes = vec![format!(
            "Fitted on d00, limit from d00_te, scored on {} faults; faults {:?} are practically undetectable and \
             outside of the target",
            faults.len(),
            settings.tep.left_out
        )];
        notes.extend(choice.reasons);
        Ok(Report {
            suite: self.name().to_owned(),
            about: self.about().to_owned(),
            settings_hash: settings.hash.clone(),
            recordings: faults.len(),
            seconds: 0.0,
            figures: figures(&chosen, settings),
            tables: vec![comparison, single(&chosen)],
            notes,
        })
    }
}

fn rate(fault: u32, alarm: &[bool], settings: &Settings) -> Rates {
    let (before, after) = alarm.split_at(settings.tep.fault_after_rows.min(alarm.len()));
    let share =
        |flags: &[bool]| flags.iter().filter(|flag| **flag).count() as f64 / flags.len().max(1) as f64;
    Rates {
        fault,
        detected: share(after),
        false_alarms: share(before),
        delay_rows: after.iter().position(|alarm| *alarm),
    }
}

fn mean<'a>(rates: impl Iterator<Item = &'a Rates>, of: fn(&Rates) -> f64) -> f64 {
    let values: Vec<f64> = rates.map(of).collect();
    100.0 * values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn row(label: &str, rates: &[Rates], settings: &Settings) -> Vec<String> {
    let target = rates.iter().filter(|rate| !settings.tep.left_out.contains(&rate.fault));
    let percent = |value: f64| format!("{value:.1} %");
    vec![
        label.to_owned(),
        percent(mean(target, |rate| rate.detected)),
        percent(mean(rates.iter(), |rate| rate.detected)),
        percent(mean(rates.iter(), |rate| rate.false_alarms)),
    ]
}

fn figures(rates: &[Rates], settings: &Settings) -> Vec<Figure> {
    let target: Vec<&Rates> =
        rates.iter().filter(|rate| !settings.tep.left_out.contains(&rate.fault)).collect();
    let (samples, seed) = (settings.bootstrap.samples, settings.bootstrap.seed);
    let detected = |drawn: &[usize]| mean(drawn.iter().map(|at| target[*at]), |rate| rate.detected);
    let false_alarms = |drawn: &[usize]| mean(drawn.iter().map(|at| &rates[*at]), |rate| rate.false_alarms);
    vec![
        Figure::new("tep_detected", mean(target.iter().copied(), |rate| rate.detected), "%")
            .interval(bootstrap::interval(target.len(), samples, seed, detected))
            .target(Bound::AtLeast(90.0), Bound::AtLeast(92.0)),
        Figure::new("tep_false_alarms", mean(rates.iter(), |rate| rate.false_alarms), "%")
            .interval(bootstrap::interval(rates.len(), samples, seed, false_alarms))
            .target(Bound::AtMost(2.0), Bound::AtMost(2.0)),
        Figure::new("tep_detected_all", mean(rates.iter(), |rate| rate.detected), "%"),
    ]
}

fn single(rates: &[Rates]) -> Table {
    let mut table =
        Table::new("Faults, by the automatic choice", &["fault", "detected", "false alarms", "delay"]);
    table.rows = rates
        .iter()
        .map(|rate| {
            vec![
                rate.fault.to_string(),
                format!("{:.1} %", 100.0 * rate.detected),
                format!("{:.1} %", 100.0 * rate.false_alarms),
                rate.delay_rows.map_or_else(|| "–".to_owned(), |rows| format!("{} min", 3 * rows)),
            ]
        })
        .collect();
    table
}

/// A recording by file name, plain or gzipped; `None` where there is none.
fn read_named(folder: &Path, name: &str) -> Result<Option<Recording>, SuiteError> {
    let candidates: [PathBuf; 2] = [folder.join(name), folder.join(format!("{name}.gz"))];
    let Some(path) = candidates.into_iter().find(|path| path.is_file()) else { return Ok(None) };
    let mut lines: Vec<Vec<f64>> = Vec::new();
    for (at, text) in read::text(&path)?.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
        lines.push(numbers.map_err(|error| SuiteError::Format {
            path: path.clone(),
            line: at + 1,
            problem: error.to_string(),
        })?);
    }
    // The normal training recording is stored with a line a variable.
    let across =
        lines.len() == WIDTH && lines.iter().all(|line| line.len() == lines[0].len() && line.len() > WIDTH);
    if !across && lines.iter().any(|line| line.len() != WIDTH) {
        let problem = format!("must have {WIDTH} numbers a line");
        return Err(SuiteError::Format { path, line: 1, problem });
    }
    let rows = if across { lines[0].len() } else { lines.len() };
    let value = |row: usize, column: usize| if across { lines[column][row] } else { lines[row][column] };
    Ok(Some(Recording {
        name: name.to_owned(),
        signals: (1..=WIDTH).map(|at| format!("x{at:02}")).collect(),
        time: (0..rows as i64).map(|row| row * STEP).collect(),
        values: (0..rows)
            .flat_map(|row| (0..WIDTH).map(move |column| (row, column)))
            .map(|(r, c)| value(r, c))
            .collect(),
        truth: Vec::new(),
        changes: Vec::new(),
    }))
}
