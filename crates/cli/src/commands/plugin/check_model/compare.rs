//! The same rows through onnxruntime and through the engine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use twinwright_core::scoring::{ScoreBatch, Scorer as _, StateBlobs};
use twinwright_model::{Model, attach};

use super::super::cases::made_up;
use super::super::package::engine as wasm_engine;
use crate::args::CheckModelOptions;

/// Rows a call: a large model answers so many within its deadline.
const CALL: usize = 20;

/// Rows of little-endian numbers come in a file; the answers go out as such a file, the first one's width of them a row.
const PYTHON: &str = r#"
import sys, time
try:
    import numpy as np, onnxruntime
except ImportError as error:
    sys.exit(f"{error.name} is not installed; run: python3 -m venv .venv && .venv/bin/pip install onnxruntime==1.32.0")
model, rows, answers, window, signals = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
rows = np.fromfile(rows, "<f4").reshape(-1, signals)
name, rank = session.get_inputs()[0].name, len(session.get_inputs()[0].shape)
numbers = [output.name for output in session.get_outputs() if output.type == "tensor(float)"]
whole, took = [], 0.0
for end in range(window, len(rows) + 1):
    one = rows[end - window:end]
    one = one[None] if rank == 3 else one
    started = time.perf_counter()
    outputs = session.run(numbers, {name: one})
    took += time.perf_counter() - started
    whole.append(np.concatenate([np.ravel(output) for output in outputs]).astype("<f4"))
np.stack(whole).tofile(answers)
print(whole[0].size, took / len(whole) * 1e6)
"#;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Compared {
    rows: usize,
    /// Numbers of an answer, and how many of them were compared.
    outputs: usize,
    compared_outputs: usize,
    pub(super) largest_difference: f64,
    pub(super) largest_answer: f64,
    engine_us_per_row: f64,
    onnxruntime_us_per_row: f64,
}

impl fmt::Display for Compared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} rows, {} of {} outputs: largest difference from onnxruntime {:.2e} (answers up to {:.3})\n\
             {:.1} µs a row here, {:.1} µs in onnxruntime, one row a call, one thread",
            self.rows,
            self.compared_outputs,
            self.outputs,
            self.largest_difference,
            self.largest_answer,
            self.engine_us_per_row,
            self.onnxruntime_us_per_row,
        )
    }
}

/// Compares.
pub(super) fn compare(
    options: &CheckModelOptions,
    model: &Model,
    bytes: &[u8],
    engine: &str,
) -> anyhow::Result<Compared> {
    let (window, signals) = shape(options, model)?;
    let file = format!("{engine}.wasm");
    let found =
        options.engines.folders().into_iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
    let found = found.with_context(|| {
        format!("the engine {engine} is not there; make it with `cargo xtask engines`, or name its folder with --engines")
    })?;
    let rows = rows(options.rows as usize + window - 1, signals);
    let (theirs, outputs, their_us) = python(options, &rows, window, signals)?;
    let settings = br#"{"name":"check","version":"0.0.0","read":"outputs","limit":1}"#;
    let component = attach(&std::fs::read(&found)?, settings, bytes)?;
    let mut scorer = wasm_engine()?.load(&component)?.instantiate(&made_up(signals, "check")?)?;
    let shared = outputs.min(signals);
    let (mut difference, mut largest, mut took) = (0.0_f64, 0.0_f64, 0.0);
    let mut state = StateBlobs { bytes: Vec::new(), ends: vec![0] };
    for (call, rows) in rows.chunks(CALL * signals).enumerate() {
        let count = rows.len() / signals;
        let batch = ScoreBatch {
            signals,
            device: &vec![0; count],
            time: &(0..count).map(|row| (call * CALL + row) as i64 * 1_000).collect::<Vec<_>>(),
            values: &rows.iter().map(|value| f64::from(*value)).collect::<Vec<_>>(),
            mask: &vec![0; rows.len()],
            state: &state,
        };
        let started = Instant::now();
        let answer = scorer.score(&batch)?;
        took += started.elapsed().as_secs_f64() * 1e6;
        for (row, ours) in answer.contributions.chunks_exact(signals).enumerate() {
            let at = call * CALL + row;
            let Some(first) = (at + 1).checked_sub(window) else { continue };
            ensure!(answer.status[row] == 0, "the engine gave no answer to row {at}");
            let theirs = theirs
                .get(first * outputs..(first + 1) * outputs)
                .context("onnxruntime answered too few rows")?;
            for (ours, theirs) in ours.iter().zip(theirs).take(shared) {
                difference = difference.max((ours - f64::from(*theirs)).abs());
                largest = largest.max(f64::from(theirs.abs()));
            }
        }
        state = answer.state;
    }
    Ok(Compared {
        rows: options.rows as usize,
        outputs,
        compared_outputs: shared,
        largest_difference: difference,
        largest_answer: largest,
        engine_us_per_row: took / f64::from(options.rows),
        onnxruntime_us_per_row: their_us,
    })
}

/// Rows of a window and signals of a row.
fn shape(options: &CheckModelOptions, model: &Model) -> anyhow::Result<(usize, usize)> {
    let input = model.inputs.first().context("the model takes nothing in")?;
    let size = |at: usize| {
        let size = input.sizes.get(at).copied().flatten();
        size.and_then(|size| usize::try_from(size).ok()).filter(|size| (1..=4_096).contains(size))
    };
    let signals = |at| {
        options
            .signals
            .or_else(|| size(at))
            .context("the model does not say how many signals; give --signals N")
    };
    match input.sizes.len() {
        2 => Ok((1, signals(1)?)),
        3 => {
            Ok((size(1).context("the window (the second size of its input) must be a number")?, signals(2)?))
        }
        _ => bail!("its input must be [rows, signals] or [rows, window, signals]"),
    }
}

/// Numbers about the made-up baseline's means, the same each time.
fn rows(count: usize, signals: usize) -> Vec<f32> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 40) as f32 / (1_u32 << 24) as f32
    };
    (0..count * signals).map(|_| next() * 6.0 - 3.0).collect()
}

fn python(
    options: &CheckModelOptions,
    rows: &[f32],
    window: usize,
    signals: usize,
) -> anyhow::Result<(Vec<f32>, usize, f64)> {
    let folder = std::env::temp_dir().join(format!("twinwright-check-model-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let run = || {
        let (input, answers) = (folder.join("rows"), folder.join("answers"));
        std::fs::write(&input, rows.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())?;
        let mut command = Command::new(interpreter(options.python.as_deref()));
        command.args(["-c", PYTHON]).arg(&options.model).arg(&input).arg(&answers);
        let done =
            command.args([window.to_string(), signals.to_string()]).output().context("cannot run Python")?;
        if !done.status.success() {
            bail!("onnxruntime: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        let (outputs, took) = told.trim().split_once(' ').context("onnxruntime told nothing")?;
        let bytes = std::fs::read(&answers)?;
        let numbers = bytes.as_chunks::<4>().0.iter().map(|one| f32::from_le_bytes(*one)).collect();
        Ok((numbers, outputs.parse()?, took.parse()?))
    };
    let done = run();
    let _ = std::fs::remove_dir_all(&folder);
    done
}

/// The Python to ask: the one named, that of an environment, or the path's.
fn interpreter(named: Option<&Path>) -> PathBuf {
    let own = PathBuf::from(".venv/bin/python");
    let active = std::env::var_os("VIRTUAL_ENV").map(|root| PathBuf::from(root).join("bin/python"));
    let found = named.map(Path::to_owned).or(active).or_else(|| own.is_file().then_some(own));
    found.unwrap_or_else(|| PathBuf::from("python3"))
}
