//! `gaussian-mixture`: how far a row lies from the nearest of several ways of running normally.
//!
//! A machine that has more than one way of running, and no setting that tells which, fits no single mean: what lies
//! between its ways would count as normal, and is the least normal of all. The mixture has a component a way. A row's
//! energy under a component is `e = d² - ln|P| - 2 ln w` (squared distance by the component's precision `P`, share `w`:
//! twice the negative log-likelihood without its constant; Bishop, Pattern Recognition and Machine Learning, 2.3.9). The
//! raw score is the root of how much the least energy exceeds the lowest that any row can have, so that a score of 2
//! means twice the deviation of the limit; it is smoothed over rows of a device, not the signals themselves, whose mean
//! would wander from one way to another.
//!
//! **Contributions.** Signal i's share of the nearest component's `d²` is `zᵢ (P z)ᵢ`; negative shares are set to zero
//! and the rest scaled to the score.
//!
//! **Masked values** are marginalised, and the limit is scaled to the smaller number of dimensions, as
//! `smoothed-mahalanobis` does it. With fewer than half of the signals the row has status INSUFFICIENT.

use crate::ROW_CAP;
use crate::baseline::{Baseline, BaselineError};
use crate::batch::{AnswerMut, Batch, BatchError, Kernel, status};
use crate::blob::{Head, Tag, put_f64s};
use crate::clock::{Clock, Step, gap_micros};
use crate::drive::{RowKernel, drive};
use crate::linear::{log_determinant, marginal_precision, reduced_limit};

/// Reduced components kept: devices with a failed sensor each need their own.
const CACHED_PATTERNS: usize = 8;
/// No smoothed root of an energy comes near to this; a garbled state may.
const MOST: f64 = 1e9;

/// The kernel, prepared.
pub struct GaussianMixture {
    width: usize,
    alpha: f64,
    warm: u16,
    gap: i64,
    limit: f64,
    head: Head,
    mean: Vec<f64>,
    inverse_deviation: Vec<f64>,
    whole: Vec<Shape>,
    reduced: Vec<Pattern>,
    oldest: usize,
    centres: Vec<Vec<f64>>,
    weights: Vec<f64>,
    // Scratch of one row.
    residual: Vec<f64>,
    absent: Vec<bool>,
    offset: Vec<f64>,
    share: Vec<f64>,
    best: Vec<f64>,
}

/// A component over the signals that are present.
struct Shape {
    precision: Vec<f64>,
    /// What it adds to the energy whatever the row, from zero for the least of all components.
    height: f64,
}

struct Pattern {
    absent: Vec<bool>,
    shapes: Vec<Shape>,
    limit: f64,
}

/// What is remembered of a device.
pub(crate) struct Smoothed {
    clock: Clock,
    seen: u16,
    raw: f64,
}

impl Kernel for GaussianMixture {
    const NAME: &'static str = "gaussian-mixture";

    fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        baseline.validate()?;
        let width = baseline.width();
        let no_mixture = || BaselineError::NoLimit(Self::NAME.to_owned());
        let mixture = baseline.mixture.as_ref().ok_or_else(no_mixture)?;
        // The smoothed score is in units of this baseline's components, so it starts anew with another baseline.
        let tag = Tag::new().text(&baseline.id).text(&baseline.data_hash).number(mixture.alpha);
        let layout = baseline.signals.iter().fold(tag, |tag, name| tag.text(name)).0;
        let present = vec![false; width];
        let precisions = mixture.components.iter().map(|component| component.precision.clone());
        let weights: Vec<f64> = mixture.components.iter().map(|component| component.weight).collect();
        Ok(Self {
            width,
            alpha: mixture.alpha,
            warm: (1.0 / mixture.alpha).ceil().min(10_000.0) as u16,
            gap: gap_micros(baseline.gap_reset_seconds),
            limit: baseline.limit(Self::NAME)?,
            head: Head { kernel: b'g', layout },
            mean: mixture.mean.clone(),
            inverse_deviation: mixture.deviation.iter().map(|deviation| 1.0 / deviation).collect(),
            whole: shapes(precisions, &weights, &present),
            reduced: Vec::new(),
            oldest: 0,
            centres: mixture.components.iter().map(|component| component.mean.clone()).collect(),
            weights,
            residual: vec![0.0; width],
            absent: present,
            offset: vec![0.0; width],
            share: vec![0.0; width],
            best: vec![0.0; width],
        })
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        drive(self, batch, self.width, answer)
    }
}

/// The components over the present signals; rows and columns of absent ones are zero in the precisions.
fn shapes(precisions: impl Iterator<Item = Vec<f64>>, weights: &[f64], absent: &[bool]) -> Vec<Shape> {
    let present: Vec<usize> = (0..absent.len()).filter(|&at| !absent[at]).collect();
    let mut shapes: Vec<Shape> = precisions
        .zip(weights)
        .map(|(precision, weight)| {
            let cell = |&row: &usize| {
                let line = &precision[row * absent.len()..];
                present.iter().map(|&column| line[column]).collect::<Vec<f64>>()
            };
            let rest: Vec<f64> = present.iter().flat_map(cell).collect();
            // Rounding may leave a precision that is barely one without a determinant: it then stands for itself alone.
            let volume = log_determinant(&rest, present.len()).unwrap_or(0.0);
            Shape { height: -volume - 2.0 * weight.ln(), precision }
        })
        .collect();
    let least = shapes.iter().map(|shape| shape.height).fold(f64::INFINITY, f64::min);
    shapes.iter_mut().for_each(|shape| shape.height -= least);
    shapes
}

impl GaussianMixture {
    const fn fresh() -> Smoothed {
        Smoothed { clock: Clock { newest: None, contradictions: 0 }, seen: 0, raw: 0.0 }
    }

    /// The reduced components of the current `absent` pattern.
    fn pattern(&mut self, present: usize) -> usize {
        if let Some(at) = self.reduced.iter().position(|pattern| pattern.absent == self.absent) {
            return at;
        }
        let precisions = self.whole.iter().map(|shape| marginal_precision(&shape.precision, &self.absent));
        let pattern = Pattern {
            absent: self.absent.clone(),
            shapes: shapes(precisions, &self.weights, &self.absent),
            limit: reduced_limit(self.limit, self.width, present),
        };
        if self.reduced.len() < CACHED_PATTERNS {
            self.reduced.push(pattern);
            return self.reduced.len() - 1;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % CACHED_PATTERNS;
        self.reduced[at] = pattern;
        at
    }
}

impl RowKernel for GaussianMixture {
    type State = Smoothed;

    fn read(&self, blob: &[u8]) -> Smoothed {
        let read = || {
            let (clock, mut reader) = self.head.read(blob)?;
            let (seen, mut raw) = (reader.u16()?, [0.0]);
            reader.f64s(&mut raw)?;
            let sound = (0.0..=MOST).contains(&raw[0]) && reader.0.is_empty();
            sound.then_some(Smoothed { clock, seen, raw: raw[0] })
        };
        read().unwrap_or_else(Self::fresh)
    }

    fn write(&self, state: &Smoothed, out: &mut Vec<u8>) {
        self.head.write(&state.clock, out);
        out.extend_from_slice(&state.seen.to_le_bytes());
        put_f64s(&[state.raw], out);
    }

    fn row(&mut self, state: &mut Smoothed, time: i64, row: &[f64], contributions: &mut [f64]) -> (f64, u8) {
        match state.clock.step(time, self.gap) {
            Step::Continue => {}
            Step::Refuse => return (0.0, status::INVALID),
            Step::Reset => *state = Smoothed { clock: state.clock, ..Self::fresh() },
        }
        let mut present = 0;
        for (at, &value) in row.iter().enumerate() {
            self.absent[at] = value.is_nan();
            present += usize::from(!value.is_nan());
            let residual = (value - self.mean[at]) * self.inverse_deviation[at];
            self.residual[at] = if value.is_nan() { 0.0 } else { residual.clamp(-ROW_CAP, ROW_CAP) };
        }
        if present == 0 || present * 2 < self.width {
            return (0.0, status::INSUFFICIENT);
        }
        let pattern = (present < self.width).then(|| self.pattern(present));
        let (shapes, limit) = match pattern {
            None => (&self.whole, self.limit),
            Some(at) => (&self.reduced[at].shapes, self.reduced[at].limit),
        };
        let mut least = f64::INFINITY;
        for (shape, centre) in shapes.iter().zip(&self.centres) {
            for (at, offset) in self.offset.iter_mut().enumerate() {
                *offset = if self.absent[at] { 0.0 } else { self.residual[at] - centre[at] };
            }
            let mut squared = 0.0;
            let lines = shape.precision.chunks_exact(self.width);
            for ((share, &offset), line) in self.share.iter_mut().zip(&self.offset).zip(lines) {
                let dot: f64 = line.iter().zip(&self.offset).map(|(weight, other)| weight * other).sum();
                *share = (offset * dot).max(0.0);
                squared += offset * dot;
            }
            let energy = squared.max(0.0) + shape.height;
            if energy < least {
                least = energy;
                std::mem::swap(&mut self.best, &mut self.share);
            }
        }
        let raw = least.sqrt().min(MOST);
        state.raw = if state.seen == 0 { raw } else { state.raw + self.alpha * (raw - state.raw) };
        state.seen = state.seen.saturating_add(1);
        if state.seen < self.warm {
            return (0.0, status::WARMING);
        }
        let score = state.raw / limit;
        let total: f64 = self.best.iter().sum();
        for ((contribution, share), absent) in contributions.iter_mut().zip(&self.best).zip(&self.absent) {
            // A row at the very centre has no share to divide by; then no signal is to blame more than another.
            let share =
                if total > 0.0 { share / total } else { f64::from(u8::from(!absent)) / present as f64 };
            *contribution = score * share;
        }
        (score, status::OK)
    }
}
