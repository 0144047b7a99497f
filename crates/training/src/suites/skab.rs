//! SKAB (Katser and Kozitsin, waico/SKAB): a pump test bed, 8 sensors, 1 Hz, labelled rows and change points.
//!
//! Each recording stands alone: its first rows train, the rest is scored, nothing is shuffled.

use std::collections::BTreeMap;
use std::path::Path;

use super::detection::{CELLS, Counts, Outcome};
use super::play::{self, Recording};
use super::{
    Bound, Figure, Report, ScorerHost, Settings, Suite, SuiteError, Table, bootstrap, changes, controls,
    read, vus,
};
use crate::Options;

/// The suite.
pub struct Skab;

/// Scorers that stand beside the chosen one.
const BESIDE: [&str; 2] = ["ewma-chart", "smoothed-mahalanobis"];
const CHOSEN: &str = "automatic choice";

/// What one method did on each recording.
#[derive(Default)]
struct Method {
    counts: Vec<Counts>,
    volumes: Vec<f64>,
    /// Sum and points of each profile.
    changes: [(f64, f64); 3],
}

impl Suite for Skab {
    fn name(&self) -> &'static str {
        "skab"
    }

    fn about(&self) -> &'static str {
        "pump test bed, 8 sensors at 1 Hz, labelled rows and change points"
    }

    fn run(
        &self,
        folder: &Path,
        settings: &Settings,
        host: &mut dyn ScorerHost,
    ) -> Result<Report, SuiteError> {
        let recordings = recordings(folder)?;
        let skab = &settings.skab;
        let mut methods: BTreeMap<String, Method> = BTreeMap::new();
        let mut single = Table::new("Recordings, by the automatic choice", &["recording", "scorer"]);
        single.head.extend(CELLS.map(str::to_owned));
        let mut notes: Vec<String> = Vec::new();
        for recording in &recordings {
            let from = skab.train_rows.min(recording.rows());
            let trained = play::train(recording, from, &Options::default(), &[])?;
            let chosen = trained.choice.scorer.clone();
            let mut scorers = vec![(CHOSEN.to_owned(), chosen.clone())];
            scorers.extend(BESIDE.map(|name| (name.to_owned(), name.to_owned())));
            for (label, scorer) in scorers {
                let scores = play::scores(host, &scorer, &trained.document, recording)?;
                let alarm = play::alarms(&skab.alert, &scores[from..]).open;
                let volume = vus::volume(&scores[from..], &recording.truth[from..], skab.vus_window_rows);
                let counts =
                    methods.entry(label.clone()).or_default().take(recording, from, alarm, volume, skab);
                if label == CHOSEN {
                    let mut row = vec![recording.name.clone(), chosen.clone()];
                    row.extend(counts.cells());
                    single.rows.push(row);
                    notes.extend(trained.choice.reasons.iter().cloned());
                }
            }
            let width = recording.signals.len();
            for (label, scores) in host.references(&recording.values, width, from / 2, from)? {
                let alarm = play::alarms(&skab.alert, &scores[from..]).open;
                let volume = vus::volume(&scores[from..], &recording.truth[from..], skab.vus_window_rows);
                methods.entry(label).or_default().take(recording, from, alarm, volume, skab);
            }
            let interval = interval(recording);
            let clock = (skab.clock_seconds / interval).round() as usize;
            for (label, alarm) in controls::alarms(recording.rows() - from, clock, settings.bootstrap.seed) {
                methods.entry(label).or_default().take(recording, from, alarm, f64::NAN, skab);
            }
        }
        notes.sort();
        notes.dedup();
        notes.insert(0, protocol(skab));
        Ok(Report {
            suite: self.name().to_owned(),
            about: self.about().to_owned(),
            settings_hash: settings.hash.clone(),
            recordings: recordings.len(),
            seconds: 0.0,
            figures: figures(&methods[CHOSEN], settings),
            tables: vec![comparison(&methods), single],
            notes,
        })
    }
}

impl Method {
    fn take(
        &mut self,
        recording: &Recording,
        from: usize,
        alarm: Vec<bool>,
        volume: f64,
        settings: &super::settings::Skab,
    ) -> Counts {
        let interval = interval(recording);
        let window = (settings.change_window_seconds / interval).round() as usize;
        let detected = changes::switches(&alarm);
        for (sum, (_, profile)) in self.changes.iter_mut().zip(changes::PROFILES) {
            let (earned, points) = changes::score(&detected, &recording.changes[from..], window, profile);
            *sum = (sum.0 + earned, sum.1 + points);
        }
        let truth = recording.truth[from..].to_vec();
        let begun_before = from > 0 && recording.truth[from - 1];
        let counts = Outcome { alarm, truth, interval, begun_before }.counts();
        self.counts.push(counts.clone());
        self.volumes.push(volume);
        counts
    }

    fn volume(&self) -> f64 {
        let known: Vec<f64> = self.volumes.iter().copied().filter(|volume| volume.is_finite()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    }
}

fn protocol(settings: &super::settings::Skab) -> String {
    format!(
        "Each recording alone: first {} rows train, the rest is scored in order, rows counted together. An event that \
         began within the training rows was learnt as normal; it counts in the rows and in the tables, not in \
         the share of events",
        settings.train_rows
    )
}

fn interval(recording: &Recording) -> f64 {
    let mut steps: Vec<f64> = recording
        .time
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64 / 1e6)
        .filter(|step| *step > 0.0)
        .collect();
    crate::statistics::median(&mut steps).unwrap_or(1.0)
}

fn figures(chosen: &Method, settings: &Settings) -> Vec<Figure> {
    let total = Counts::sum(&chosen.counts);
    let span = |of: fn(&Counts) -> f64| {
        let statistic = |drawn: &[usize]| of(&Counts::sum(drawn.iter().map(|at| &chosen.counts[*at])));
        bootstrap::interval(
            chosen.counts.len(),
            settings.bootstrap.samples,
            settings.bootstrap.seed,
            statistic,
        )
    };
    let figure = |name: &str, unit: &str, of: fn(&Counts) -> f64| {
        Figure::new(name, of(&total), unit).interval(span(of))
    };
    let (median, late) = total.delay();
    let mut figures = vec![
        figure("skab_f1", "", Counts::f1).target(Bound::AtLeast(0.81), Bound::AtLeast(0.83)),
        figure("skab_far", "%", |c| 100.0 * c.far()).target(Bound::AtMost(20.0), Bound::AtMost(15.0)),
        figure("skab_mar", "%", |c| 100.0 * c.mar()),
        figure("skab_mcc", "", Counts::mcc).target(Bound::AtLeast(0.60), Bound::AtLeast(0.64)),
        figure("skab_events_found", "%", |c| 100.0 * c.event_share())
            .target(Bound::AtLeast(90.0), Bound::AtLeast(100.0)),
        figure("skab_false_episodes_per_1000_s", "", Counts::false_episodes_per_1000_s)
            .target(Bound::AtMost(1.4), Bound::AtMost(0.9)),
        figure("skab_false_episodes_per_asset_day", "", Counts::false_episodes_per_day),
        Figure::new("skab_delay_median", median, "s"),
        Figure::new("skab_delay_p90", late, "s"),
        Figure::new("skab_vus_pr", chosen.volume(), ""),
    ];
    for ((name, profile), (sum, points)) in changes::PROFILES.into_iter().zip(chosen.changes) {
        let name = format!("skab_change_points_{}", name.replace(' ', "_"));
        figures.push(Figure::new(&name, changes::normalised(sum, points, profile), ""));
    }
    figures
}

fn comparison(methods: &BTreeMap<String, Method>) -> Table {
    let mut table = Table::new("Methods and controls on the same rows", &["method"]);
    table.head.extend(CELLS.map(str::to_owned));
    table.head.extend(["VUS-PR", "change points"].map(str::to_owned));
    for (name, method) in methods {
        let mut row = vec![name.clone()];
        row.extend(Counts::sum(&method.counts).cells());
        let volume = method.volume();
        row.push(if volume.is_finite() { format!("{volume:.3}") } else { "–".to_owned() });
        let profile = changes::PROFILES[0].1;
        row.push(format!("{:.1}", changes::normalised(method.changes[0].0, method.changes[0].1, profile)));
        table.rows.push(row);
    }
    table
}

/// All labelled recordings of a folder.
fn recordings(folder: &Path) -> Result<Vec<Recording>, SuiteError> {
    let mut found = Vec::new();
    for path in read::files(folder, &[".csv", ".csv.gz"])? {
        let text = read::text(&path)?;
        let header = text.lines().next().unwrap_or_default();
        let names: Vec<&str> = header.split(';').map(str::trim).collect();
        // A folder may hold recordings without labels (the anomaly-free one); there is nothing to score in them.
        let Some(truth) = names.iter().position(|name| *name == "anomaly") else { continue };
        let change = names.iter().position(|name| *name == "changepoint");
        let signals: Vec<usize> = (1..names.len()).filter(|at| *at != truth && Some(*at) != change).collect();
        let mut recording = Recording {
            name: path.strip_prefix(folder).unwrap_or(&path).display().to_string(),
            signals: signals.iter().map(|at| names[*at].to_owned()).collect(),
            ..Recording::default()
        };
        for (line, text) in text.lines().enumerate().skip(1).filter(|(_, text)| !text.trim().is_empty()) {
            let cells: Vec<&str> = text.split(';').map(str::trim).collect();
            let wrong = |problem: String| SuiteError::Format { path: path.clone(), line: line + 1, problem };
            if cells.len() != names.len() {
                return Err(wrong(format!("{} cells, the header has {}", cells.len(), names.len())));
            }
            recording
                .time
                .push(read::time(cells[0]).ok_or_else(|| wrong(format!("{:?} is no time", cells[0])))?);
            let number = |at: usize| cells[at].parse::<f64>().unwrap_or(f64::NAN);
            recording.values.extend(signals.iter().map(|at| number(*at)));
            recording.truth.push(number(truth) > 0.5);
            recording.changes.push(change.is_some_and(|at| number(at) > 0.5));
        }
        found.push(recording);
    }
    if found.is_empty() {
        let wanted = "recordings with `;` between cells and a column `anomaly`";
        return Err(SuiteError::Nothing { path: folder.to_owned(), wanted });
    }
    Ok(found)
}
