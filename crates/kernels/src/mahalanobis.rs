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

use crate::ROW_CAP;
use crate::baseline::{Baseline, BaselineError};
use crate::batch::{Answer, Batch, BatchError, Kernel, status};
use crate::blob::{Head, Tag, put_f64s};
use crate::clock::{Clock, Step, gap_micros};
use crate::drive::{RowKernel, drive};
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
    /// The same by columns, for the product with a whole row.
    columns: Vec<Vec<f64>>,
    cache: Vec<Pattern>,
    oldest: usize,
    /// One over each possible number of rows in the window: multiplying is much faster than dividing.
    inverse: Vec<f64>,
    // Scratch of one row.
    mean: Vec<f64>,
    absent: Vec<bool>,
    product: Vec<f64>,
    leaving: Vec<f64>,
    coming: Vec<f64>,
}

struct Pattern {
    regime: u8,
    absent: Vec<bool>,
    precision: Vec<f64>,
    limit: f64,
}

/// A device's window: the last rows as they came, so that a new baseline can be applied to them.
pub(crate) struct Window {
    clock: Clock,
    regime: u8,
    head: usize,
    filled: usize,
    rows: Vec<f64>,
    regimes: Vec<u8>,
    sums: Vec<f64>,
    counts: Vec<u16>,
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
            columns: baseline.regimes.iter().map(|regime| transposed(&regime.precision, width)).collect(),
            cache: Vec::new(),
            oldest: 0,
            inverse: (0..=baseline.window_rows).map(|rows| 1.0 / rows.max(1) as f64).collect(),
            mean: vec![0.0; width],
            absent: vec![false; width],
            product: vec![0.0; width],
            leaving: vec![0.0; width],
            coming: vec![0.0; width],
        })
    }

    fn score(&mut self, batch: &Batch<'_>) -> Result<Answer, BatchError> {
        drive(self, batch, self.width)
    }
}

impl SmoothedMahalanobis {
    fn fresh(&self) -> Window {
        Window {
            clock: Clock::default(),
            regime: self.regimes.usual,
            head: 0,
            filled: 0,
            rows: vec![f64::NAN; self.window * self.width],
            regimes: vec![0; self.window],
            sums: vec![0.0; self.width],
            counts: vec![0; self.width],
        }
    }

    /// Sums anew, in the order of the ring: called at fixed places of the ring, so that rounding does not depend
    /// on where batches were cut.
    fn refresh(&self, window: &mut Window) {
        window.sums.fill(0.0);
        window.counts.fill(0);
        for (row, &regime) in window.rows.chunks_exact(self.width).zip(&window.regimes).take(window.filled) {
            let scales = self.regimes.scales(regime);
            let totals = window.sums.iter_mut().zip(&mut window.counts);
            for (signal, ((sum, count), &value)) in totals.zip(row).enumerate() {
                if !value.is_nan() {
                    *sum += scales.residual(signal, value);
                    *count += 1;
                }
            }
        }
    }

    fn push(&mut self, window: &mut Window, row: &[f64], regime: u8) {
        let at = window.head * self.width;
        let slot = &mut window.rows[at..at + self.width];
        // This is most of the kernel's time, so each loop does one thing to all signals, without a branch: an absent
        // value's residual is 0.
        self.regimes.scales(window.regimes[window.head]).residuals(slot, &mut self.leaving);
        self.regimes.scales(regime).residuals(row, &mut self.coming);
        let is_whole = |row: &[f64]| row.iter().fold(true, |whole, value| whole & !value.is_nan());
        if !(is_whole(slot) && is_whole(row)) {
            for ((count, old), new) in window.counts.iter_mut().zip(&*slot).zip(row) {
                *count = *count + u16::from(!new.is_nan()) - u16::from(!old.is_nan());
            }
        }
        // The row is stored in the same loop: a copy of its own is a call out of WebAssembly.
        let residuals = self.leaving.iter().zip(&self.coming);
        for ((sum, (leaving, coming)), (old, new)) in
            window.sums.iter_mut().zip(residuals).zip(slot.iter_mut().zip(row))
        {
            *sum = *sum - leaving + coming;
            *old = *new;
        }
        window.regimes[window.head] = regime;
        window.filled = (window.filled + 1).min(self.window);
        window.head += 1;
        if window.head == self.window {
            window.head = 0;
            self.refresh(window);
        }
    }

    /// Squared distance of the mean, with each signal's share of it in `shares`, and the limit of so many signals.
    fn distance(&mut self, regime: u8, present: usize, shares: &mut [f64]) -> (f64, f64) {
        let mut limit = self.limit;
        if present == self.width {
            let mut columns = self.columns[usize::from(regime)].chunks_exact(self.width).zip(&self.mean);
            // The first column sets what the others add to: to fill with zeros is a call out of WebAssembly.
            if let Some((column, &mean)) = columns.next() {
                for (product, weight) in self.product.iter_mut().zip(column) {
                    *product = weight * mean;
                }
            }
            for (column, &mean) in columns {
                for (product, weight) in self.product.iter_mut().zip(column) {
                    *product += weight * mean;
                }
            }
        } else {
            let at = self.pattern(regime, present);
            limit = self.cache[at].limit;
            let lines = self.cache[at].precision.chunks_exact(self.width);
            for (product, line) in self.product.iter_mut().zip(lines) {
                *product = line.iter().zip(&self.mean).map(|(weight, mean)| weight * mean).sum();
            }
        }
        for ((share, mean), product) in shares.iter_mut().zip(&self.mean).zip(&self.product) {
            *share = mean * product;
        }
        (shares.iter().sum(), limit)
    }

    /// The means of the signals with half of their window; answers how many they are.
    fn means_of_the_present(&mut self, state: &Window) -> usize {
        let mut present = 0;
        let totals = state.sums.iter().zip(&state.counts);
        for ((mean, absent), (sum, &count)) in self.mean.iter_mut().zip(&mut self.absent).zip(totals) {
            let count = usize::from(count);
            let enough = count * 2 >= self.window;
            *absent = !enough;
            *mean = if enough { sum * self.inverse[count] } else { 0.0 };
            present += usize::from(enough);
        }
        present
    }

    /// The reduced precision and limit of the current `absent` pattern.
    fn pattern(&mut self, regime: u8, present: usize) -> usize {
        let known = |pattern: &Pattern| pattern.regime == regime && pattern.absent == self.absent;
        if let Some(at) = self.cache.iter().position(known) {
            return at;
        }
        let pattern = Pattern {
            regime,
            absent: self.absent.clone(),
            precision: marginal_precision(&self.precision[usize::from(regime)], &self.absent),
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
        read_window(self, blob).unwrap_or_else(|| self.fresh())
    }

    fn write(&self, state: &Window, out: &mut Vec<u8>) {
        self.head.write(&state.clock, out);
        out.extend_from_slice(&self.baseline.to_le_bytes());
        out.push(state.regime);
        // Both are at most the window, which validation keeps below 65,536.
        out.extend_from_slice(&(state.head as u16).to_le_bytes());
        out.extend_from_slice(&(state.filled as u16).to_le_bytes());
        out.extend_from_slice(&state.regimes[..state.filled]);
        put_f64s(&state.rows[..state.filled * self.width], out);
        put_f64s(&state.sums, out);
    }

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
        let full = self.window as u16;
        let present = if state.counts.iter().fold(true, |all, &count| all & (count == full)) {
            let inverse = self.inverse[self.window];
            for (mean, sum) in self.mean.iter_mut().zip(&state.sums) {
                *mean = sum * inverse;
            }
            self.width
        } else {
            self.means_of_the_present(state)
        };
        if present == 0 || present * 2 < self.width {
            return (0.0, status::INSUFFICIENT);
        }
        let (squared, limit) = self.distance(regime, present, contributions);
        contributions.iter_mut().for_each(|share| *share = if *share > 0.0 { *share } else { 0.0 });
        let positive: f64 = contributions.iter().sum();
        let score = squared.max(0.0).sqrt() / limit;
        let factor = if positive > 0.0 { score / positive } else { 0.0 };
        contributions.iter_mut().for_each(|contribution| *contribution *= factor);
        (score, status::OK)
    }
}

fn transposed(matrix: &[f64], width: usize) -> Vec<f64> {
    (0..width * width).map(|at| matrix[at % width * width + at / width]).collect()
}

fn read_window(kernel: &SmoothedMahalanobis, blob: &[u8]) -> Option<Window> {
    let (clock, mut reader) = kernel.head.read(blob)?;
    let mut window = kernel.fresh();
    window.clock = clock;
    let same_baseline = reader.u64()? == kernel.baseline;
    window.regime = reader.byte()?;
    window.head = usize::from(reader.u16()?);
    window.filled = usize::from(reader.u16()?);
    let consistent = if window.filled == kernel.window {
        window.head < kernel.window
    } else {
        window.filled < kernel.window && window.head == window.filled
    };
    if !consistent {
        return None;
    }
    for at in 0..window.filled {
        window.regimes[at] = reader.byte()?;
    }
    reader.f64s(&mut window.rows[..window.filled * kernel.width])?;
    reader.f64s(&mut window.sums)?;
    // Residuals are capped; twice that leaves room for what rounding adds until the sums are refreshed.
    let most = 2.0 * ROW_CAP * kernel.window as f64;
    let known = |regime: &u8| kernel.regimes.contains(*regime);
    if !reader.0.is_empty()
        || window.rows.iter().any(|value| value.is_infinite())
        || window.sums.iter().any(|sum| sum.is_nan() || sum.abs() > most)
        || (same_baseline && !(known(&window.regime) && window.regimes.iter().all(known)))
    {
        return None;
    }
    if same_baseline {
        for row in window.rows.chunks_exact(kernel.width).take(window.filled) {
            for (count, value) in window.counts.iter_mut().zip(row) {
                *count += u16::from(!value.is_nan());
            }
        }
    } else {
        let mut last = kernel.regimes.usual;
        for at in 0..window.filled {
            last = kernel.regimes.nearest(&window.rows[at * kernel.width..][..kernel.width], last);
            window.regimes[at] = last;
        }
        window.regime = last;
        kernel.refresh(&mut window);
    }
    Some(window)
}
