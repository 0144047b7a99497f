//! A window as a blob, with the rows as they came.

use super::SmoothedMahalanobis;
use super::window::Window;
use crate::ROW_CAP;
use crate::blob::put_f64s;
use crate::lanes::{LANES, blocks, pad};

pub(super) fn write(kernel: &SmoothedMahalanobis, state: &Window, out: &mut Vec<u8>) {
    kernel.head.write(&state.clock, out);
    out.extend_from_slice(&kernel.baseline.to_le_bytes());
    out.push(state.regime);
    // Both are at most the window, which validation keeps below 65,536.
    out.extend_from_slice(&(state.head as u16).to_le_bytes());
    out.extend_from_slice(&(state.filled as u16).to_le_bytes());
    out.extend_from_slice(&state.regimes[..state.filled]);
    let rows = &state.rows[..state.filled * blocks(kernel.width)];
    if kernel.width.is_multiple_of(LANES) {
        put_f64s(rows.as_flattened(), out);
    } else {
        for row in rows.chunks_exact(blocks(kernel.width)) {
            put_f64s(&row.as_flattened()[..kernel.width], out);
        }
    }
    let mut rest = kernel.width;
    for totals in &state.totals {
        put_f64s(&totals.sums[..rest.min(LANES)], out);
        rest = rest.saturating_sub(LANES);
    }
}

/// `None` for what no kernel of this layout has written.
pub(super) fn read(kernel: &SmoothedMahalanobis, blob: &[u8]) -> Option<Window> {
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
    let side = blocks(kernel.width);
    let rows = &mut window.rows[..window.filled * side];
    if kernel.width.is_multiple_of(LANES) {
        reader.f64s(rows.as_flattened_mut())?;
    } else {
        for row in rows.chunks_exact_mut(side) {
            let (signals, padding) = row.as_flattened_mut().split_at_mut(kernel.width);
            reader.f64s(signals)?;
            padding.fill(0.0);
        }
    }
    let mut sums = vec![0.0; kernel.width];
    reader.f64s(&mut sums)?;
    // Residuals are capped; twice that leaves room for what rounding adds until the sums are refreshed.
    let most = 2.0 * ROW_CAP * kernel.window as f64;
    let known = |regime: &u8| kernel.regimes.contains(*regime);
    if !reader.0.is_empty()
        || window.rows.iter().any(|row| row.iter().fold(false, |any, value| any | value.is_infinite()))
        || sums.iter().any(|sum| sum.is_nan() || sum.abs() > most)
        || (same_baseline && !(known(&window.regime) && window.regimes.iter().all(known)))
    {
        return None;
    }
    if !same_baseline {
        let mut last = kernel.regimes.usual;
        for at in 0..window.filled {
            last = kernel.regimes.nearest(window.rows[at * side..][..side].as_flattened(), last);
            window.regimes[at] = last;
        }
        window.regime = last;
    }
    // Under the same baseline rounded as they were, not as adding up anew would.
    let sums = if same_baseline { pad(&sums) } else { kernel.sums(&window, window.filled) };
    let fresh = kernel.sums(&window, window.head);
    for (totals, (sums, fresh)) in window.totals.iter_mut().zip(sums.into_iter().zip(fresh)) {
        (totals.sums, totals.fresh) = (sums, fresh);
    }
    for row in window.rows.chunks_exact(side).take(window.filled) {
        for (totals, row) in window.totals.iter_mut().zip(row) {
            totals.change(row, &[f64::NAN; LANES]);
        }
    }
    Some(window)
}
