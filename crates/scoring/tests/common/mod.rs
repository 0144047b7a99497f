//! What the tests share: built scorers, an engine, golden cases.

#![allow(dead_code, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, StateBlobs};
use twinwright_scorer_builder::{Which, build_which};
use twinwright_scoring::{EngineConfig, LoadedScorer, ScoringEngine};

fn repository() -> PathBuf {
    // Asked when it runs: the test may have been compiled in another checkout that shares the target folder.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&package).join("../..")
}

/// The folder of built scorers: that of `TWINWRIGHT_SCORERS`, or built here.
pub(crate) fn scorers() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("TWINWRIGHT_SCORERS") {
            return folder.into();
        }
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
        let out = target.join("test-scorers");
        let modules = repository().join("wasm-modules");
        build_which(Which::All, &modules, &target, &out, &mut |line| println!("{line}"))
            .expect("scorers build");
        out
    })
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(scorers().join(format!("{name}.wasm"))).expect("scorer was built")
}

/// Small limits, so that hostile guests are quickly at them; but time enough that a busy machine stops none of the
/// others.
pub(crate) fn engine() -> ScoringEngine {
    ScoringEngine::new(EngineConfig {
        deadline: Duration::from_secs(3),
        prepare_deadline: Duration::from_secs(3),
        memory_limit: 16 << 20,
        answer_limit: 2 << 20,
        instances: 16,
        ..EngineConfig::default()
    })
    .expect("engine starts")
}

pub(crate) fn load(name: &str) -> LoadedScorer {
    engine().load(&bytes(name)).expect("scorer loads")
}

#[derive(Deserialize)]
pub(crate) struct Golden {
    pub(crate) baseline: Box<RawValue>,
    pub(crate) batch: GoldenBatch,
    pub(crate) expected: Expected,
}

#[derive(Deserialize)]
pub(crate) struct GoldenBatch {
    pub(crate) signals: usize,
    pub(crate) device: Vec<u32>,
    pub(crate) time: Vec<i64>,
    /// Null where the value is absent.
    pub(crate) values: Vec<Option<f64>>,
}

#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) scores: Vec<f64>,
    pub(crate) status: Vec<u8>,
    pub(crate) contributions: Vec<f64>,
}

/// All golden cases of a scorer, by file name.
pub(crate) fn golden(name: &str) -> Vec<(String, Golden)> {
    let folder = repository().join("wasm-modules").join(name).join("golden");
    let mut cases: Vec<(String, Golden)> = std::fs::read_dir(folder)
        .expect("golden cases")
        .map(|entry| {
            let path = entry.expect("entry").path();
            let text = std::fs::read_to_string(&path).expect("case");
            (path.display().to_string(), serde_json::from_str(&text).expect("case parses"))
        })
        .collect();
    cases.sort_by(|left, right| left.0.cmp(&right.0));
    assert!(cases.len() >= 4, "golden cases of {name} are missing");
    cases
}

/// Runs a case in pieces of so many rows, state going out and in between.
pub(crate) fn play(scorer: &mut dyn Scorer, batch: &GoldenBatch, piece: usize) -> Scored {
    let devices = batch.device.iter().max().map_or(0, |last| *last as usize + 1);
    let values: Vec<f64> = batch.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    let mask: Vec<u8> = batch.values.iter().map(|value| u8::from(value.is_none())).collect();
    let mut all = Scored::default();
    let mut state = StateBlobs { bytes: Vec::new(), ends: vec![0; devices] };
    for from in (0..batch.time.len()).step_by(piece) {
        let to = (from + piece).min(batch.time.len());
        let cells = from * batch.signals..to * batch.signals;
        let answer = scorer
            .score(&ScoreBatch {
                signals: batch.signals,
                device: &batch.device[from..to],
                time: &batch.time[from..to],
                values: &values[cells.clone()],
                mask: &mask[cells],
                state: &state,
            })
            .expect("scores");
        all.scores.extend(answer.scores);
        all.status.extend(answer.status);
        all.contributions.extend(answer.contributions);
        state = answer.state;
    }
    all.state = state;
    all
}

/// A batch of so many rows of one device, all values 0.5.
pub(crate) struct Plain {
    device: Vec<u32>,
    time: Vec<i64>,
    values: Vec<f64>,
    mask: Vec<u8>,
    state: StateBlobs,
    signals: usize,
}

impl Plain {
    pub(crate) fn new(rows: usize, signals: usize) -> Self {
        Self {
            device: vec![0; rows],
            time: (0..rows as i64).collect(),
            values: vec![0.5; rows * signals],
            mask: vec![0; rows * signals],
            state: StateBlobs { bytes: Vec::new(), ends: vec![0] },
            signals,
        }
    }

    pub(crate) fn batch(&self) -> ScoreBatch<'_> {
        ScoreBatch {
            signals: self.signals,
            device: &self.device,
            time: &self.time,
            values: &self.values,
            mask: &self.mask,
            state: &self.state,
        }
    }
}

/// The misbehaving scorer as another version that behaves in a fixed way.
pub(crate) fn variant(version: &str, how: &str) -> Vec<u8> {
    let mut bytes = bytes("hostile");
    let mark = format!("@@HOSTILE:version={version};how={how:<16};@@");
    let start = bytes.windows(10).position(|window| window == b"@@HOSTILE:").expect("the mark is there");
    assert_eq!(
        &bytes[start + mark.len() - 2..start + mark.len()],
        b"@@",
        "version has 5, how at most 16 characters"
    );
    bytes[start..start + mark.len()].copy_from_slice(mark.as_bytes());
    bytes
}
