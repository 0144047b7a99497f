//! Cases of a scorer: `golden/*.json` in its folder, each with a baseline, a batch and what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, StateBlobs};
use twinwright_kernels::Baseline;
use twinwright_kernels::baseline::{FORMAT, Regime, TrainingWindow};

/// A case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// The baseline's document.
    pub(super) baseline: Box<RawValue>,
    batch: Rows,
    expected: Expected,
    /// How far a number may be from the expected one, relative to it.
    #[serde(default = "tolerance")]
    tolerance: f64,
}

fn tolerance() -> f64 {
    1e-9
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    signals: usize,
    device: Vec<u32>,
    time: Vec<i64>,
    /// Null where the value is absent.
    values: Vec<Option<f64>>,
}

/// What is left out is not compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    scores: Vec<f64>,
    #[serde(default)]
    status: Vec<u8>,
    #[serde(default)]
    contributions: Vec<f64>,
}

/// The component of a path: itself, or the built one of a scorer's folder.
pub(super) fn component_of(path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let name = fs::canonicalize(path)
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .with_context(|| format!("{} is not there", path.display()))?;
    let built = path.join("dist").join(format!("{name}.wasm"));
    if built.is_file() {
        return Ok(built);
    }
    bail!("{} is not there; build it with: twinwright plugin build {}", built.display(), path.display())
}

/// The cases of a scorer's folder (or of the folder above a built component), by name.
pub(super) fn cases_of(path: &Path) -> anyhow::Result<Vec<(String, Case)>> {
    let folder = if path.is_file() { path.parent().and_then(Path::parent).unwrap_or(path) } else { path };
    let Ok(entries) = fs::read_dir(folder.join("golden")) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path)?;
        let case = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), case))
    };
    paths.into_iter().map(read).collect()
}

impl Case {
    /// Plays the batch in pieces of so many rows and compares; the error names the first row that differs.
    pub(super) fn play(&self, scorer: &mut dyn Scorer, piece: usize) -> Result<(), String> {
        let rows = &self.batch;
        let cells = rows.time.len() * rows.signals;
        if rows.device.len() != rows.time.len() || rows.values.len() != cells {
            return Err("its batch needs one device and one time a row, and signals values a row".to_owned());
        }
        let devices = rows.device.iter().max().map_or(0, |last| *last as usize + 1);
        let values: Vec<f64> = rows.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let mask: Vec<u8> = rows.values.iter().map(|value| u8::from(value.is_none())).collect();
        let mut state = StateBlobs { bytes: Vec::new(), ends: vec![0; devices] };
        let mut all = Scored::default();
        for from in (0..rows.time.len()).step_by(piece.max(1)) {
            let to = (from + piece.max(1)).min(rows.time.len());
            let cells = from * rows.signals..to * rows.signals;
            let batch = ScoreBatch {
                signals: rows.signals,
                device: &rows.device[from..to],
                time: &rows.time[from..to],
                values: &values[cells.clone()],
                mask: &mask[cells],
                state: &state,
            };
            let answer = scorer.score(&batch).map_err(|error| error.to_string())?;
            all.scores.extend(answer.scores);
            all.status.extend(answer.status);
            all.contributions.extend(answer.contributions);
            state = answer.state;
        }
        self.compare(&all)
    }

    fn compare(&self, got: &Scored) -> Result<(), String> {
        let expected = &self.expected;
        if !expected.status.is_empty() && expected.status != got.status {
            let row = expected.status.iter().zip(&got.status).position(|(left, right)| left != right);
            return Err(format!("status of row {} differs", row.unwrap_or(expected.status.len())));
        }
        for (what, wanted, found) in [
            ("score", &expected.scores, &got.scores),
            ("contribution", &expected.contributions, &got.contributions),
        ] {
            if wanted.is_empty() {
                continue;
            }
            if wanted.len() != found.len() {
                return Err(format!("{} {what}s, expected are {}", found.len(), wanted.len()));
            }
            let far =
                |(left, right): (&f64, &f64)| (left - right).abs() > self.tolerance * left.abs().max(1.0);
            if let Some(at) = wanted.iter().zip(found).position(far) {
                return Err(format!("{what} {at} is {}, expected is {}", found[at], wanted[at]));
            }
        }
        Ok(())
    }
}

/// A baseline of independent signals, for scorers that bring none.
pub(super) fn made_up(signals: usize, scorer: &str) -> anyhow::Result<Vec<u8>> {
    let regime = Regime {
        centre: vec![],
        scale: vec![],
        weight: 1.0,
        mean: vec![10.0; signals],
        deviation: vec![0.5; signals],
        precision: (0..signals * signals)
            .map(|at| if at / signals == at % signals { 1.0 } else { 0.01 })
            .collect(),
        ewma_deviation: vec![0.3; signals],
        components: vec![],
    };
    let baseline = Baseline {
        format: FORMAT,
        id: "made-up/1".to_owned(),
        equipment: "made-up".to_owned(),
        created: "2025-01-01T00:00:00Z".to_owned(),
        window: TrainingWindow::default(),
        data_hash: String::new(),
        signals: (0..signals).map(|at| format!("signal{at}")).collect(),
        scorers: vec![scorer.to_owned()],
        settings: vec![],
        regimes: vec![regime],
        window_rows: 30,
        ewma_alpha: 0.1,
        gap_reset_seconds: 60.0,
        slow_alpha: vec![],
        range: None,
        principal: None,
        mixture: None,
        limits: [scorer, "ewma-chart", "smoothed-mahalanobis"].map(|name| (name.to_owned(), 4.0)).into(),
        metrics: Default::default(),
        note: "made up for a check".to_owned(),
    };
    Ok(baseline.to_json()?)
}
