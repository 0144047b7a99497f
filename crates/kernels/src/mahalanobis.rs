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
use crate::regime::{Regimes, Scales, capped};

/// Signals that are taken at a time.
pub(crate) const LANES: usize = 4;
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
    /// The same for the product with a whole row: four lines at a time, column by column.
    blocks: Vec<Vec<[f64; LANES]>>,
    cache: Vec<Pattern>,
    oldest: usize,
    /// One over each possible number of rows in the window: multiplying is much faster than dividing.
    inverse: Vec<f64>,
    // Scratch of one row.
    mean: Vec<f64>,
    absent: Vec<bool>,
    product: Vec<f64>,
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
            blocks: baseline.regimes.iter().map(|regime| blocks(&regime.precision, width)).collect(),
            cache: Vec::new(),
            oldest: 0,
            inverse: (0..=baseline.window_rows).map(|rows| 1.0 / rows.max(1) as f64).collect(),
            mean: vec![0.0; width],
            absent: vec![false; width],
            product: vec![0.0; width],
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
        let leaving = self.regimes.scales(window.regimes[window.head]);
        let coming = self.regimes.scales(regime);
        exchange(slot, row, &mut window.sums, &mut window.counts, leaving, coming);
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
            let blocks = self.blocks[usize::from(regime)].chunks_exact(self.width);
            for (block, product) in blocks.zip(self.product.chunks_mut(LANES)) {
                let mut sums = [0.0; LANES];
                for (weights, &mean) in block.iter().zip(&self.mean) {
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum += weight * mean;
                    }
                }
                for (product, sum) in product.iter_mut().zip(sums) {
                    *product = sum;
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
        let mut squared = 0.0;
        for ((share, mean), product) in shares.iter_mut().zip(&self.mean).zip(&self.product) {
            *share = mean * product;
            squared += *share;
        }
        (squared, limit)
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
        let mut positive = 0.0;
        for share in contributions.iter_mut() {
            *share = if *share > 0.0 { *share } else { 0.0 };
            positive += *share;
        }
        let score = squared.max(0.0).sqrt() / limit;
        let factor = if positive > 0.0 { score / positive } else { 0.0 };
        contributions.iter_mut().for_each(|contribution| *contribution *= factor);
        (score, status::OK)
    }
}

/// Lines of a matrix, so many at a time, each column's numbers side by side; lines beyond the last are zeros.
fn blocks(matrix: &[f64], width: usize) -> Vec<[f64; LANES]> {
    let weight = |line: usize, column: usize| if line < width { matrix[line * width + column] } else { 0.0 };
    let block =
        |first: usize| (0..width).map(move |column| std::array::from_fn(|lane| weight(first + lane, column)));
    (0..width).step_by(LANES).flat_map(block).collect()
}

/// A row takes the place of the oldest one: the sums of residuals and the counts of values follow, and `slot` is the row.
///
/// This is most of the kernel's time. Signals go by fours, whose numbers the compiler keeps in registers; a loop of its own
/// for each step costs several times as much in WebAssembly, and a copy of the row would be a call out of it.
fn exchange(
    slot: &mut [f64],
    row: &[f64],
    sums: &mut [f64],
    counts: &mut [u16],
    leaving: &Scales,
    coming: &Scales,
) {
    let (slots, slot_rest) = slot.as_chunks_mut::<LANES>();
    let (rows, row_rest) = row.as_chunks::<LANES>();
    let (totals, sum_rest) = sums.as_chunks_mut::<LANES>();
    let (seen, count_rest) = counts.as_chunks_mut::<LANES>();
    let done = slots.len() * LANES;
    let scales = leaving.by_fours().zip(coming.by_fours());
    for ((((old, new), sum), count), (leaving, coming)) in
        slots.iter_mut().zip(rows).zip(totals).zip(seen).zip(scales)
    {
        let mut is_whole = true;
        for lane in 0..LANES {
            sum[lane] = sum[lane] - capped((old[lane] - leaving.0[lane]) * leaving.1[lane])
                + capped((new[lane] - coming.0[lane]) * coming.1[lane]);
            is_whole &= !old[lane].is_nan() & !new[lane].is_nan();
        }
        if !is_whole {
            for lane in 0..LANES {
                count[lane] = count[lane] + u16::from(!new[lane].is_nan()) - u16::from(!old[lane].is_nan());
            }
        }
        *old = *new;
    }
    let rest = slot_rest.iter_mut().zip(row_rest).zip(sum_rest).zip(count_rest);
    for (signal, (((old, &new), sum), count)) in (done..).zip(rest) {
        let residual =
            |scales: &Scales, value: f64| if value.is_nan() { 0.0 } else { scales.residual(signal, value) };
        *sum = *sum - residual(leaving, *old) + residual(coming, new);
        *count = *count + u16::from(!new.is_nan()) - u16::from(!old.is_nan());
        *old = new;
    }
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
