//! NAB (numenta/NAB): single signals with labelled windows, scored by NAB's own rule.
//!
//! The first part of each recording trains and is not scored. A detection is a row at which the alert state machine
//! raises a case. NAB tunes one limit a profile on the labels of the whole corpus; here the limit is the baseline's,
//! the same for all recordings and profiles, and known beforehand.

use std::collections::BTreeMap;
use std::path::Path;

use super::changes::PROFILES;
use super::nab_score::{Detections, Earned, earned, normalised};
use super::play::{self, Recording};
use super::{
    Bound, Figure, Report, ScorerHost, Settings, Suite, SuiteError, Table, bootstrap, changes, controls, read,
};
use crate::Options;

/// The suite.
pub struct Nab;

const LABELS: &str = "combined_windows.json";
const CHOSEN: &str = "automatic choice";
/// Short recordings have short probations; fewer rows than usual have to do there.
const CALIBRATION_ROWS: usize = 40;

impl Suite for Nab {
    fn name(&self) -> &'static str {
        "nab"
    }

    fn about(&self) -> &'static str {
        "single signals with labelled windows, scored by NAB's rule"
    }

    fn run(
        &self,
        folder: &Path,
        settings: &Settings,
        host: &mut dyn ScorerHost,
    ) -> Result<Report, SuiteError> {
        let recordings = recordings(folder)?;
        let nab = &settings.nab;
        let options = Options {
            calibration_rows: CALIBRATION_ROWS,
            calibration_share: 0.3,
            // NAB counts rows; some of its recordings have rows at any distance.
            gap_reset_seconds: Some(1e9),
            ..Options::default()
        };
        let mut methods: BTreeMap<String, [Vec<Earned>; 3]> = BTreeMap::new();
        let mut table = Table::new(
            "Recordings, by the automatic choice",
            &["recording", "rows", "windows", "hit", "false detections", "earned (standard)"],
        );
        let mut notes = Vec::new();
        for (recording, windows) in &recordings {
            let counted = recording.rows().min(nab.probation_of_rows);
            let probation = (nab.probation_share * counted as f64).floor() as usize;
            let trained = play::train(recording, probation, &options, &[])?;
            let mut take = |label: &str, detected: Vec<usize>| {
                let rows = recording.rows();
                let detections = Detections { rows, probation, detected, windows: windows.clone() };
                let of_profiles = methods.entry(label.to_owned()).or_default();
                let earned = PROFILES.map(|(_, profile)| earned(&detections, profile));
                of_profiles.iter_mut().zip(earned).for_each(|(all, one)| all.push(one));
                earned[0]
            };
            for (label, scorer) in [(CHOSEN, trained.choice.scorer.as_str()), ("ewma-chart", "ewma-chart")] {
                let scores = play::scores(host, scorer, &trained.document, recording)?;
                let raised = play::alarms(&nab.alert, &scores[probation..]).raised;
                let one = take(label, raised.into_iter().map(|row| row + probation).collect());
                if label == CHOSEN {
                    let numbers = [recording.rows() as f64, one.windows, one.hit, one.false_alarms];
                    let mut row = vec![recording.name.clone()];
                    row.extend(numbers.map(|number| format!("{number:.0}")));
                    row.push(format!("{:.2}", one.sum));
                    table.rows.push(row);
                    notes.extend(trained.choice.reasons.iter().cloned());
                }
            }
            let fitted = probation - (options.calibration_share * probation as f64).floor() as usize;
            for (label, scores) in host.references(&recording.values, 1, fitted, probation)? {
                let raised = play::alarms(&nab.alert, &scores[probation..]).raised;
                take(&label, raised.into_iter().map(|row| row + probation).collect());
            }
            for (label, alarm) in controls::alarms(recording.rows(), 300, settings.bootstrap.seed) {
                // A clock that is always on or off would be counted in every row: it is its strokes that detect.
                let alarm = if label.contains("clock") { changes::switches(&alarm) } else { alarm };
                take(&label, (0..recording.rows()).filter(|row| alarm[*row]).collect());
            }
        }
        notes.sort();
        notes.dedup();
        notes.insert(0, PROTOCOL.to_owned());
        Ok(Report {
            suite: self.name().to_owned(),
            about: self.about().to_owned(),
            settings_hash: settings.hash.clone(),
            recordings: recordings.len(),
            seconds: 0.0,
            figures: figures(&methods[CHOSEN], settings),
            tables: vec![comparison(&methods), table],
            notes,
        })
    }
}

const PROTOCOL: &str = "The first 15 % of a recording (of 5,000 rows at most) train and are not scored. One limit for \
    all recordings and profiles, that of the baseline; NAB's own board picks it afterwards from the labels";

fn figures(chosen: &[Vec<Earned>; 3], settings: &Settings) -> Vec<Figure> {
    let mut figures = Vec::new();
    for ((name, profile), all) in PROFILES.into_iter().zip(chosen) {
        let span =
            bootstrap::interval(all.len(), settings.bootstrap.samples, settings.bootstrap.seed, |drawn| {
                normalised(drawn.iter().map(|at| &all[*at]), profile)
            });
        let name = format!("nab_{}", name.replace(' ', "_"));
        let figure = Figure::new(&name, normalised(all, profile), "").interval(span);
        figures.push(if figures.is_empty() {
            figure.target(Bound::AtLeast(62.0), Bound::AtLeast(66.0))
        } else {
            figure
        });
    }
    let sum = |of: fn(&Earned) -> f64| chosen[0].iter().map(of).sum::<f64>();
    let windows = sum(|one| one.windows);
    figures.push(Figure::new("nab_windows_hit", 100.0 * sum(|one| one.hit) / windows.max(1.0), "%"));
    figures.push(Figure::new("nab_false_detections", sum(|one| one.false_alarms), ""));
    figures
}

fn comparison(methods: &BTreeMap<String, [Vec<Earned>; 3]>) -> Table {
    let mut table = Table::new("Methods and controls", &["method"]);
    table.head.extend(PROFILES.map(|(name, _)| name.to_owned()));
    table.head.extend(["windows hit", "false detections"].map(str::to_owned));
    for (name, profiles) in methods {
        let mut row = vec![name.clone()];
        let figures = PROFILES.iter().zip(profiles);
        row.extend(figures.map(|((_, profile), all)| format!("{:.1}", normalised(all, *profile))));
        let sum = |of: fn(&Earned) -> f64| profiles[0].iter().map(of).sum::<f64>();
        row.push(format!("{:.0}/{:.0}", sum(|one| one.hit), sum(|one| one.windows)));
        row.push(format!("{:.0}", sum(|one| one.false_alarms)));
        table.rows.push(row);
    }
    table
}

type Windows = Vec<(usize, usize)>;

/// Recordings that the labels name, with their windows; the labels lie in the folder or in one below it.
fn recordings(folder: &Path) -> Result<Vec<(Recording, Windows)>, SuiteError> {
    let nothing = || SuiteError::Nothing {
        path: folder.to_owned(),
        wanted: "labels (combined_windows.json) and the recordings they name",
    };
    let labels = read::files(folder, &[LABELS])?.into_iter().next().ok_or_else(nothing)?;
    let wrong = |path: &Path, line: usize, problem: String| SuiteError::Format {
        path: path.to_owned(),
        line,
        problem,
    };
    let windows: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&read::text(&labels)?)
        .map_err(|error| wrong(&labels, error.line(), error.to_string()))?;
    let files = read::files(folder, &[".csv"])?;
    let mut found = Vec::new();
    for (name, windows) in &windows {
        let Some(path) = files.iter().find(|path| path.ends_with(name)) else { continue };
        let mut recording =
            Recording { name: name.clone(), signals: vec!["value".to_owned()], ..Recording::default() };
        for (line, text) in read::text(path)?.lines().enumerate().skip(1).filter(|(_, text)| !text.is_empty())
        {
            let cell =
                text.split_once(',').ok_or_else(|| wrong(path, line + 1, "must be time,value".to_owned()))?;
            let time = read::time(cell.0)
                .ok_or_else(|| wrong(path, line + 1, format!("{:?} is no time", cell.0)))?;
            recording.time.push(time);
            recording.values.push(cell.1.trim().parse().unwrap_or(f64::NAN));
        }
        let row = |text: &str| {
            let time = read::time(text)?;
            recording.time.iter().position(|of| *of >= time)
        };
        let mut rows: Windows = windows
            .iter()
            .filter_map(|(from, to)| Some((row(from)?, row(to)?)))
            .filter(|(a, b)| a <= b)
            .collect();
        rows.sort_unstable();
        found.push((recording, rows));
    }
    if found.is_empty() { Err(nothing()) } else { Ok(found) }
}
