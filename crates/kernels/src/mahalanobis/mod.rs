//! `smoothed-mahalanobis`: how far the mean of the last rows lies from normal, all signals together.
//!
//! The window mean `z` of the residuals has the squared distance `d² = zᵀ P z` with the regime's precision `P`
//! (of window means, not of single rows). The raw score is `d`, not `d²`: a score of 2 then means twice the
//! deviation of the limit, which is how people read a margin.
//!
//! **Contributions.** Signal i's share of `d²` is `zᵢ (P z)ᵢ`. It can be negative where a signal explains others
//! away; such shares are set to zero and the rest scaled, so that contributions are never negative and add up
//! to the score.
//!
//! **Masked values** are left out, not imputed: a signal counts when at least half of its window is present;
//! the others are marginalised (the inverse of the remaining sub-covariance) and the limit is scaled to the
//! smaller number of dimensions at equal probability by the Wilson-Hilferty approximation of chi-square.
//! With fewer than half of the signals the row has status INSUFFICIENT.

mod state;
mod window;

use wide::f64x8;

use self::window::Window;
use crate::baseline::{Baseline, BaselineError};
use crate::batch::{AnswerMut, Batch, BatchError, Kernel, status};
use crate::blob::{Head, Tag};
use crate::clock::{Step, gap_micros};
use crate::drive::{RowKernel, drive};
use crate::lanes::{LANES, Lanes, Matrix, blocks};
use crate::linear::{marginal_precision, reduced_limit};
use crate::regime::Regimes;

/// Reduced matrices kept: devices with a failed sensor each need their own, and they alternate within a batch.
const CACHED_PATTERNS: usize = 8;

/// The kernel, prepared.
pub struct SmoothedMahalanobis {
    width: usize,
    window: usize,
    gap: i64,
    limit: f64,
    head: Head,
    baseline: u64,
    regimes: Regimes,
    precision: Vec<Vec<f64>>,
    /// The same for the product with a whole row.
    matrices: Vec<Matrix>,
    cache: Vec<Pattern>,
    oldest: usize,
    /// One over each possible number of rows in the window: multiplying is much faster than dividing.
    inverse: Vec<f64>,
    /// The counts of a window without absent values.
    full: [u16; LANES],
    // Scratch of one row.
    row: Vec<Lanes>,
    mean: Vec<Lanes>,
    shares: Vec<Lanes>,
    absent: Vec<bool>,
}

struct Pattern {
    regime: u8,
    absent: Vec<bool>,
    matrix: Matrix,
    limit: f64,
}

impl Kernel for SmoothedMahalanobis {
    const NAME: &'static str = "smoothed-mahalanobis";

    fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        baseline.validate()?;
        let width = baseline.width();
        let layout = baseline
            .signals
            .iter()
            .fold(Tag::new().number(baseline.window_rows as f64), |tag, name| tag.text(name));
        Ok(Self {
            width,
            window: baseline.window_rows,
            gap: gap_micros(baseline.gap_reset_seconds),
            limit: baseline.limit(Self::NAME)?,
            // The baseline is no part of it: a window of raw rows goes on under another one.
            head: Head { kernel: b'w', layout: layout.0 },
            baseline: Tag::new().text(&baseline.id).text(&baseline.data_hash).0,
            regimes: Regimes::new(baseline)?,
            precision: baseline.regimes.iter().map(|regime| regime.precision.clone()).collect(),
            matrices: baseline.regimes.iter().map(|regime| Matrix::new(&regime.precision, width)).collect(),
            cache: Vec::new(),
            oldest: 0,
            inverse: (0..=baseline.window_rows).map(|rows| 1.0 / rows.max(1) as f64).collect(),
            full: [baseline.window_rows as u16; LANES],
            row: vec![[0.0; LANES]; blocks(width)],
            mean: vec![[0.0; LANES]; blocks(width)],
            shares: vec![[0.0; LANES]; blocks(width)],
            absent: vec![false; width],
        })
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        drive(self, batch, self.width, answer)
    }
}

impl SmoothedMahalanobis {
    /// Squared distance of the mean and the sum of its positive shares, with the limit of so many signals.
    fn distance(&mut self, regime: u8, present: usize) -> (f64, f64, f64) {
        let (matrix, limit) = if present == self.width {
            (&self.matrices[usize::from(regime)], self.limit)
        } else {
            let at = self.pattern(regime, present);
            (&self.cache[at].matrix, self.cache[at].limit)
        };
        let (squared, positive) = matrix.form(&self.mean, &mut self.shares);
        (squared, positive, limit)
    }

    /// The means of the signals with half of their window; answers how many they are.
    fn means(&mut self, state: &Window) -> usize {
        let inverse = self.inverse[self.window];
        let mut is_full = true;
        for (mean, totals) in self.mean.iter_mut().zip(&state.totals) {
            *mean = (f64x8::new(totals.sums) * inverse).to_array();
            is_full &= totals.counts == self.full;
        }
        if is_full { self.width } else { self.means_of_the_present(state) }
    }

    #[inline(never)]
    fn means_of_the_present(&mut self, state: &Window) -> usize {
        let mut present = 0;
        let totals = state.totals.iter().flat_map(|totals| totals.sums.iter().zip(&totals.counts));
        let means = self.mean.as_flattened_mut().iter_mut().zip(&mut self.absent);
        for ((mean, absent), (sum, &count)) in means.zip(totals) {
            let count = usize::from(count);
            let enough = count * 2 >= self.window;
            *absent = !enough;
            *mean = if enough { sum * self.inverse[count] } else { 0.0 };
            present += usize::from(enough);
        }
        present
    }

    /// The reduced precision and limit of the current `absent` pattern.
    #[inline(never)]
    fn pattern(&mut self, regime: u8, present: usize) -> usize {
        let known = |pattern: &Pattern| pattern.regime == regime && pattern.absent == self.absent;
        if let Some(at) = self.cache.iter().position(known) {
            return at;
        }
        let pattern = Pattern {
            regime,
            absent: self.absent.clone(),
            matrix: Matrix::new(
                &marginal_precision(&self.precision[usize::from(regime)], &self.absent),
                self.width,
            ),
            limit: reduced_limit(self.limit, self.width, present),
        };
        if self.cache.len() < CACHED_PATTERNS {
            self.cache.push(pattern);
            return self.cache.len() - 1;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % CACHED_PATTERNS;
        self.cache[at] = pattern;
        at
    }
}

impl RowKernel for SmoothedMahalanobis {
    type State = Window;

    fn read(&self, blob: &[u8]) -> Window {
        state::read(self, blob).unwrap_or_else(|| self.fresh())
    }

    fn write(&self, state: &Window, out: &mut Vec<u8>) {
        state::write(self, state, out);
    }

    #[inline(never)]
    fn row(&mut self, state: &mut Window, time: i64, row: &[f64], contributions: &mut [f64]) -> (f64, u8) {
        match state.clock.step(time, self.gap) {
            Step::Continue => {}
            Step::Refuse => return (0.0, status::INVALID),
            Step::Reset => {
                let clock = state.clock;
                *state = self.fresh();
                state.clock = clock;
            }
        }
        let regime = self.regimes.nearest(row, state.regime);
        state.regime = regime;
        self.push(state, row, regime);
        if state.filled < self.window {
            return (0.0, status::WARMING);
        }
        let present = self.means(state);
        if present == 0 || present * 2 < self.width {
            return (0.0, status::INSUFFICIENT);
        }
        let (squared, positive, limit) = self.distance(regime, present);
        // Not `max`, which is a call in WebAssembly.
        let score = if squared > 0.0 { squared.sqrt() } else { 0.0 } / limit;
        let factor = if positive > 0.0 { score / positive } else { 0.0 };
        let (whole, rest) = contributions.as_chunks_mut::<LANES>();
        for (contributions, shares) in whole.iter_mut().zip(&self.shares) {
            *contributions = (f64x8::new(*shares) * factor).to_array();
        }
        let shares = &self.shares.as_flattened()[self.width - rest.len()..];
        for (contribution, share) in rest.iter_mut().zip(shares) {
            *contribution = share * factor;
        }
        (score, status::OK)
    }
}
