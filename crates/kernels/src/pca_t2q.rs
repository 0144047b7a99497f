//! `pca-t2q`: Hotelling's T² within the leading directions of the smoothed signals, and the rest (Q) beside it.
//!
//! Dozens of signals move together in few directions. Each signal's residual is smoothed by an EWMA; the vector of
//! the charts is laid along the principal directions that training found, each scaled to its own spread. T² is the
//! squared length within the leading ones, which hold most of the spread; Q that of all others. A fault either moves
//! the plant along directions that it knows, only further (T²), or breaks a relation between signals (Q), and with
//! closed loops often nothing but a relation that hardly spreads at all: so the rest is scaled by its (shrunken)
//! spread too, and not summed up plainly as in the textbooks, where it drowns in the noise of the larger ones.
//!
//! The raw score is the root of T² + Q. Contributions are those of `smoothed-mahalanobis`; masked signals are
//! marginalised in the same way.

use crate::baseline::{Baseline, BaselineError};
use crate::batch::{AnswerMut, Batch, BatchError, Kernel, status};
use crate::blob::{Head, Tag};
use crate::charts::Charts;
use crate::clock::{Step, gap_micros};
use crate::drive::{RowKernel, drive};
use crate::linear::{marginal_precision, reduced_limit};
use crate::regime::Regimes;

/// Reduced matrices kept, as devices with a failed sensor alternate within a batch.
const CACHED_PATTERNS: usize = 8;

/// The kernel, prepared.
pub struct PcaT2Q {
    width: usize,
    alpha: f64,
    warm: u16,
    gap: i64,
    limit: f64,
    head: Head,
    regimes: Regimes,
    /// Precision of the charts, a regime at a time: the scaled directions times themselves.
    precision: Vec<Vec<f64>>,
    cache: Vec<(u8, Vec<bool>, Vec<f64>)>,
    oldest: usize,
    absent: Vec<bool>,
    chart: Vec<f64>,
}

impl Kernel for PcaT2Q {
    const NAME: &'static str = "pca-t2q";

    fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        baseline.validate()?;
        let width = baseline.width();
        let principal = baseline.principal.ok_or_else(|| BaselineError::NoLimit(Self::NAME.to_owned()))?;
        let tag = Tag::new().text(&baseline.id).text(&baseline.data_hash).number(principal.alpha);
        let layout = baseline.signals.iter().fold(tag, |tag, name| tag.text(name)).0;
        Ok(Self {
            width,
            alpha: principal.alpha,
            warm: (3.0 / principal.alpha).ceil().min(10_000.0) as u16,
            gap: gap_micros(baseline.gap_reset_seconds),
            limit: baseline.limit(Self::NAME)?,
            head: Head { kernel: b'p', layout },
            regimes: Regimes::new(baseline)?,
            precision: baseline.regimes.iter().map(|regime| squared(&regime.components, width)).collect(),
            cache: Vec::new(),
            oldest: 0,
            absent: vec![false; width],
            chart: vec![0.0; width],
        })
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        drive(self, batch, self.width, answer)
    }
}

/// Transposed times itself.
fn squared(components: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; width * width];
    for direction in components.chunks_exact(width) {
        for (row, &left) in direction.iter().enumerate() {
            for (cell, right) in product[row * width..(row + 1) * width].iter_mut().zip(direction) {
                *cell += left * right;
            }
        }
    }
    product
}

impl PcaT2Q {
    fn fresh(&self) -> Charts {
        Charts::new(self.regimes.usual, self.width, 0)
    }

    /// Where the reduced precision of the current `absent` pattern stands in the cache.
    fn pattern(&mut self, regime: u8) -> usize {
        let known = |(of, absent, _): &(u8, Vec<bool>, Vec<f64>)| *of == regime && *absent == self.absent;
        if let Some(at) = self.cache.iter().position(known) {
            return at;
        }
        let reduced = marginal_precision(&self.precision[usize::from(regime)], &self.absent);
        let entry = (regime, self.absent.clone(), reduced);
        if self.cache.len() < CACHED_PATTERNS {
            self.cache.push(entry);
            return self.cache.len() - 1;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % CACHED_PATTERNS;
        self.cache[at] = entry;
        at
    }
}

impl RowKernel for PcaT2Q {
    type State = Charts;

    fn read(&self, blob: &[u8]) -> Charts {
        self.fresh().read(self.head, &self.regimes, blob).unwrap_or_else(|| self.fresh())
    }

    fn write(&self, state: &Charts, out: &mut Vec<u8>) {
        state.write(self.head, out);
    }

    fn row(&mut self, state: &mut Charts, time: i64, row: &[f64], contributions: &mut [f64]) -> (f64, u8) {
        match state.clock.step(time, self.gap) {
            Step::Continue => {}
            Step::Refuse => return (0.0, status::INVALID),
            Step::Reset => {
                let clock = state.clock;
                *state = self.fresh();
                state.clock = clock;
            }
        }
        state.regime = self.regimes.nearest(row, state.regime);
        let scales = self.regimes.scales(state.regime);
        let (mut present, mut warm) = (0, 0);
        for (signal, &value) in row.iter().enumerate() {
            self.absent[signal] = true;
            self.chart[signal] = 0.0;
            if value.is_nan() {
                continue;
            }
            present += 1;
            let mean = &mut state.mean[signal];
            *mean += self.alpha * (scales.residual(signal, value) - *mean);
            state.seen[signal] = state.seen[signal].saturating_add(1);
            if state.seen[signal] >= self.warm {
                warm += 1;
                self.absent[signal] = false;
                self.chart[signal] = *mean;
            }
        }
        if present * 2 < self.width {
            return (0.0, status::INSUFFICIENT);
        }
        if warm * 2 < self.width {
            return (0.0, status::WARMING);
        }
        let (limit, cached) = if warm == self.width {
            (self.limit, None)
        } else {
            (reduced_limit(self.limit, self.width, warm), Some(self.pattern(state.regime)))
        };
        let precision = match cached {
            Some(at) => &self.cache[at].2,
            None => &self.precision[usize::from(state.regime)],
        };
        let (mut squared, mut positive) = (0.0, 0.0);
        for ((contribution, &chart), line) in
            contributions.iter_mut().zip(&self.chart).zip(precision.chunks_exact(self.width))
        {
            let dot: f64 = line.iter().zip(&self.chart).map(|(weight, other)| weight * other).sum();
            let share = chart * dot;
            squared += share;
            *contribution = share.max(0.0);
            positive += *contribution;
        }
        let score = squared.max(0.0).sqrt() / limit;
        let factor = if positive > 0.0 { score / positive } else { 0.0 };
        contributions.iter_mut().for_each(|contribution| *contribution *= factor);
        (score, status::OK)
    }
}
