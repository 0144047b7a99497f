//! Scorers whose model is data: what an engine of models has around it.
//!
//! The host hands the model over in the baseline's document, in the member `model`: the author's settings, and the bytes
//! under `bytes` in base64. [`ModelKernel`] keeps each device's window of rows, fills in what is absent, asks the engine
//! and makes a calibrated score of its answer:
//!
//! - `"read": "value"`: the answer's number `column` (of all outputs, one behind the other);
//! - `"read": "reconstruction"`: the root of the mean squared difference between the last row and its reconstruction, in
//!   deviations of the baseline (a model that gets standardised rows gives standardised ones);
//! - `"read": "isolation-forest"`: 2^(-path / `average_path`) of a mean path length (Liu, Ting and Zhou 2008, equation 2);
//! - `"read": "outputs"`: no score; the contributions are the answer's first numbers, to compare an engine by.
//!
//! The score is `(raw - normal) / (limit - normal)`, at least 0; a limit of the baseline under the scorer's own name goes
//! before the settings'. The share of a signal is how much of the score goes when it is at its mean (occlusion), asked
//! for scores from [`EXPLAIN_FROM`] on; below, signals share by their distance from the mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::baseline::{Baseline, BaselineError, wrong};
use crate::batch::{AnswerMut, Batch, BatchError, status};
use crate::blob::{Head, Tag};
use crate::clock::{Clock, Step, gap_micros};
use crate::document::Object;
use crate::drive::{RowKernel, drive};
use crate::json::{Value, parse};
use crate::scorer::ScorerKernel;

/// Scores below are far from any alarm, and not worth an evaluation for each signal.
pub const EXPLAIN_FROM: f64 = 0.5;
/// Rows of a window at the most.
pub const MAX_WINDOW: usize = 4_096;

/// Reads a model and answers rows with it.
pub trait Engine: Sized {
    /// The scorer's name where the package gives no other.
    const NAME: &'static str;

    /// Reads a model for rows of so many signals.
    ///
    /// # Errors
    /// What is wrong with the model, in words.
    fn open(model: &[u8], signals: usize) -> Result<Self, String>;

    /// Rows of a device that one answer needs, the newest included.
    fn window(&self) -> usize {
        1
    }

    /// Answers one window, oldest row first, each with all signals; the outputs one behind the other.
    ///
    /// # Errors
    /// The model cannot answer.
    fn answer(&mut self, window: &[f32], outputs: &mut Vec<f32>) -> Result<(), String>;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reading {
    Value { column: usize },
    Reconstruction,
    IsolationForest { average_path: f64 },
    Outputs,
}

/// An engine with its model, prepared with a baseline.
pub struct ModelKernel<E> {
    engine: E,
    reading: Reading,
    standardise: bool,
    normal: f64,
    limit: f64,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    gap: i64,
    head: Head,
    outputs: Vec<f32>,
}

/// The newest rows of a device, as the model gets them.
pub(crate) struct Window {
    clock: Clock,
    rows: Vec<f32>,
}

impl<E: Engine> ScorerKernel for ModelKernel<E> {
    const NAME: &'static str = E::NAME;

    fn prepare(json: &[u8]) -> Result<Self, BaselineError> {
        let baseline = Baseline::from_json(json)?;
        let value = parse(json).map_err(|error| BaselineError::Json(error.to_string()))?;
        let root = Object::of(&value, "")?;
        let Some(model) = root.find("model") else {
            return Err(wrong(
                "model",
                "is missing: this engine scores with a model; see: plugin new --lang onnx".to_owned(),
            ));
        };
        let model = Object::of(model, "model.")?;
        let Some(Value::Text(bytes)) = model.find("bytes") else {
            return model.fail("bytes", "must be a text");
        };
        let bytes = STANDARD.decode(bytes).map_err(|_| wrong("model.bytes", "is no base64".to_owned()))?;
        let regime = baseline.regimes.iter().max_by(|left, right| left.weight.total_cmp(&right.weight));
        let regime = regime.ok_or_else(|| wrong("regimes", "must not be empty".to_owned()))?;
        let engine = E::open(&bytes, baseline.width()).map_err(|cause| wrong("model", cause))?;
        if engine.window() == 0 || engine.window() > MAX_WINDOW {
            return Err(wrong("model", format!("its window is not 1 to {MAX_WINDOW} rows")));
        }
        let reading = match &*model.or("read", Object::text)?.unwrap_or_else(|| "value".to_owned()) {
            "value" => Reading::Value { column: model.or("column", Object::whole)?.unwrap_or(0) as usize },
            "reconstruction" => Reading::Reconstruction,
            "isolation-forest" => {
                let average_path = model.number("average_path")?;
                if !(average_path.is_finite() && average_path > 0.0) {
                    return model.fail("average_path", "must be positive");
                }
                Reading::IsolationForest { average_path }
            }
            "outputs" => Reading::Outputs,
            _ => return model.fail("read", "must be value, reconstruction or isolation-forest"),
        };
        let name = model.or("name", Object::text)?.unwrap_or_else(|| E::NAME.to_owned());
        let normal = model.or("normal", Object::number)?.unwrap_or(0.0);
        let limit = match baseline.limits.get(&name) {
            Some(limit) => *limit,
            None => model.number("limit")?,
        };
        if !(normal.is_finite() && limit.is_finite() && normal != limit) {
            return model.fail("limit", "must be another number than normal");
        }
        let standardise = matches!(model.find("standardise"), Some(Value::Bool(true)));
        let tag = Tag::new().text(&name).text(&baseline.id).number(bytes.len() as f64);
        let tag = baseline.signals.iter().fold(tag, |tag, name| tag.text(name));
        // Rows that were standardised with other numbers do not go on.
        let tag = regime.mean.iter().chain(&regime.deviation).fold(tag, |tag, number| tag.number(*number));
        Ok(Self {
            engine,
            reading,
            standardise,
            normal,
            limit,
            mean: regime.mean.clone(),
            deviation: regime.deviation.clone(),
            gap: gap_micros(baseline.gap_reset_seconds),
            head: Head { kernel: b'd', layout: tag.0 },
            outputs: Vec::new(),
        })
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        let width = self.mean.len();
        drive(self, batch, width, answer)
    }
}

impl<E: Engine> ModelKernel<E> {
    /// A value as the model gets it.
    fn input(&self, signal: usize, value: f64) -> f32 {
        let value = if value.is_nan() { self.mean[signal] } else { value };
        if self.standardise {
            ((value - self.mean[signal]) / self.deviation[signal]) as f32
        } else {
            value as f32
        }
    }

    /// The score of a window; `None` where the model gives no number.
    fn ask(&mut self, window: &[f32]) -> Option<f64> {
        self.outputs.clear();
        self.engine.answer(window, &mut self.outputs).ok()?;
        let raw = match self.reading {
            Reading::Outputs => return self.outputs.iter().all(|output| output.is_finite()).then_some(0.0),
            Reading::Value { column } => f64::from(*self.outputs.get(column)?),
            Reading::IsolationForest { average_path } => {
                (-f64::from(*self.outputs.first()?) / average_path).exp2()
            }
            Reading::Reconstruction => {
                let squares = self.squares(window)?;
                (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
            }
        };
        let score = (raw - self.normal) / (self.limit - self.normal);
        score.is_finite().then_some(score.max(0.0))
    }

    /// How far each signal of the last row is from its reconstruction, in deviations, squared.
    fn squares(&self, window: &[f32]) -> Option<Vec<f64>> {
        let width = self.mean.len();
        let last = window.get(window.len().checked_sub(width)?..)?;
        let rebuilt = self.outputs.get(self.outputs.len().checked_sub(width)?..)?;
        let square = |(signal, (value, rebuilt)): (usize, (&f32, &f32))| {
            let unit = if self.standardise { 1.0 } else { self.deviation[signal] };
            ((f64::from(*value) - f64::from(*rebuilt)) / unit).powi(2)
        };
        Some(last.iter().zip(rebuilt).enumerate().map(square).collect())
    }

    /// The signals' parts of a score, not yet adding up to it.
    fn parts(&mut self, window: &[f32], score: f64, parts: &mut [f64]) {
        if self.reading == Reading::Reconstruction {
            if let Some(squares) = self.squares(window) {
                parts.copy_from_slice(&squares);
            }
            return;
        }
        let width = parts.len();
        if score >= EXPLAIN_FROM {
            let mut without = window.to_vec();
            for (signal, part) in parts.iter_mut().enumerate() {
                let (usual, mut at) = (self.input(signal, f64::NAN), signal);
                while let Some(cell) = without.get_mut(at) {
                    *cell = usual;
                    at += width;
                }
                *part = self.ask(&without).map_or(0.0, |left| (score - left).max(0.0));
                without.copy_from_slice(window);
            }
        }
        if parts.iter().all(|part| *part == 0.0) {
            let last = window.len().saturating_sub(width);
            for (signal, part) in parts.iter_mut().enumerate() {
                let unit = if self.standardise { 1.0 } else { self.deviation[signal] };
                let usual = self.input(signal, f64::NAN);
                *part = (f64::from(window[last + signal] - usual) / unit).abs().min(1e6);
            }
        }
    }
}

impl<E: Engine> RowKernel for ModelKernel<E> {
    type State = Window;

    fn read(&self, blob: &[u8]) -> Window {
        let most = (self.engine.window() - 1) * self.mean.len();
        let stored = self.head.read(blob).and_then(|(clock, reader)| {
            let (rows, rest) = reader.0.as_chunks::<4>();
            let rows: Vec<f32> = rows.iter().map(|row| f32::from_le_bytes(*row)).collect();
            let sound = rest.is_empty() && rows.len() <= most && rows.len().is_multiple_of(self.mean.len());
            (sound && rows.iter().all(|value| value.is_finite())).then_some(Window { clock, rows })
        });
        stored.unwrap_or_else(|| Window { clock: Clock::default(), rows: Vec::new() })
    }

    fn write(&self, state: &Window, out: &mut Vec<u8>) {
        self.head.write(&state.clock, out);
        // The oldest row of a full window is never asked for again.
        let most = (self.engine.window() - 1) * self.mean.len();
        let kept = state.rows.len().saturating_sub(most);
        for value in &state.rows[kept..] {
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn row(&mut self, state: &mut Window, time: i64, row: &[f64], contributions: &mut [f64]) -> (f64, u8) {
        match state.clock.step(time, self.gap) {
            Step::Continue => {}
            Step::Refuse => return (0.0, status::INVALID),
            Step::Reset => state.rows.clear(),
        }
        let full = self.engine.window() * row.len();
        if state.rows.len() + row.len() > full {
            state.rows.drain(..state.rows.len() + row.len() - full);
        }
        state.rows.extend(row.iter().enumerate().map(|(signal, value)| self.input(signal, *value)));
        if state.rows.iter().any(|value| !value.is_finite()) {
            // Beyond the reach of 32 bits: neither this row nor a window with it can be asked for.
            state.rows.clear();
            return (0.0, status::INVALID);
        }
        if row.iter().filter(|value| value.is_nan()).count() * 2 > row.len() {
            return (0.0, status::INSUFFICIENT);
        }
        if state.rows.len() < full {
            return (0.0, status::WARMING);
        }
        let Some(score) = self.ask(&state.rows) else { return (0.0, status::INVALID) };
        if self.reading == Reading::Outputs {
            for (contribution, output) in contributions.iter_mut().zip(&self.outputs) {
                *contribution = f64::from(*output);
            }
            return (score, status::OK);
        }
        self.parts(&state.rows, score, contributions);
        let total: f64 = contributions.iter().sum();
        let share = score / contributions.len() as f64;
        for contribution in contributions.iter_mut() {
            *contribution = if total > 0.0 { *contribution / total * score } else { share };
        }
        (score, status::OK)
    }
}
