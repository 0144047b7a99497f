//! The last rows of a device, and what they add up to.

use wide::f64x8;

use super::SmoothedMahalanobis;
use crate::clock::Clock;
use crate::lanes::{LANES, Lanes, blocks, padded, sum};
use crate::regime::LaneScales;

/// A device's window: the last rows as they came, so that a new baseline can be applied to them.
pub(crate) struct Window {
    pub(super) clock: Clock,
    pub(super) regime: u8,
    pub(super) head: usize,
    pub(super) filled: usize,
    pub(super) rows: Vec<Lanes>,
    pub(super) regimes: Vec<u8>,
    pub(super) totals: Vec<Totals>,
}

/// What a window adds up to, of a block of signals.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    /// Of the residuals.
    pub(super) sums: Lanes,
    /// The same of the rows since the ring began anew.
    pub(super) fresh: Lanes,
    /// Values that are there.
    pub(super) counts: [u16; LANES],
}

impl Totals {
    /// Values come and go: those that are there are counted.
    pub(super) fn change(&mut self, come: &Lanes, go: &Lanes) {
        for (count, (come, go)) in self.counts.iter_mut().zip(come.iter().zip(go)) {
            *count = *count + u16::from(!come.is_nan()) - u16::from(!go.is_nan());
        }
    }
}

impl SmoothedMahalanobis {
    #[inline(never)]
    pub(super) fn fresh(&self) -> Window {
        Window {
            clock: Clock::default(),
            regime: self.regimes.usual,
            head: 0,
            filled: 0,
            rows: vec![[f64::NAN; LANES]; self.window * blocks(self.width)],
            regimes: vec![0; self.window],
            totals: vec![Totals::default(); blocks(self.width)],
        }
    }

    /// The residuals of the ring's first rows, added up in its order.
    pub(super) fn sums(&self, window: &Window, rows: usize) -> Vec<Lanes> {
        let mut sums = vec![[0.0; LANES]; blocks(self.width)];
        let all = window.rows.chunks_exact(blocks(self.width)).zip(&window.regimes);
        for (row, &regime) in all.take(rows) {
            for ((sums, row), scales) in sums.iter_mut().zip(row).zip(&self.regimes.scales(regime).lanes) {
                *sums = (f64x8::new(*sums) + scales.residuals(f64x8::new(*row))).to_array();
            }
        }
        sums
    }

    pub(super) fn push(&mut self, window: &mut Window, row: &[f64], regime: u8) {
        let side = blocks(self.width);
        let slot = &mut window.rows[window.head * side..][..side];
        let leaving = &self.regimes.scales(window.regimes[window.head]).lanes;
        let coming = &self.regimes.scales(regime).lanes;
        let row = padded(row, &mut self.row);
        exchange(slot, row, &mut window.totals, leaving, coming);
        window.regimes[window.head] = regime;
        window.filled = (window.filled + 1).min(self.window);
        window.head += 1;
        if window.head == self.window {
            window.head = 0;
            // Rounding starts anew at fixed places of the ring, so that it does not depend on where batches were cut.
            for totals in &mut window.totals {
                totals.sums = totals.fresh;
                totals.fresh = [0.0; LANES];
            }
        }
    }
}

/// A row takes the place of the oldest one: the sums of residuals and the counts of values follow, and `slot` is the row.
// By itself: within the caller the compiler runs out of registers.
#[inline(never)]
fn exchange(
    slot: &mut [Lanes],
    row: &[Lanes],
    totals: &mut [Totals],
    leaving: &[LaneScales],
    coming: &[LaneScales],
) {
    let scales = leaving.iter().zip(coming);
    for (((old, new), totals), (leaving, coming)) in slot.iter_mut().zip(row).zip(totals).zip(scales) {
        let (left, came) = (f64x8::new(*old), f64x8::new(*new));
        let residuals = coming.residuals(came);
        totals.sums = (f64x8::new(totals.sums) - leaving.residuals(left) + residuals).to_array();
        totals.fresh = (f64x8::new(totals.fresh) + residuals).to_array();
        // Nearly always both rows are whole. A sum that overflows is looked at closer, and changes nothing.
        if sum(&(left + came).to_array()).is_nan() {
            totals.change(new, old);
        }
        *old = *new;
    }
}
