//! Features as bytes: quantile bins, the form in which trees are grown.

use rayon::prelude::*;

use super::Table;

/// Bins of present values at the most.
pub(crate) const BINS: usize = 255;
/// The bin of absent values.
pub(crate) const ABSENT: u8 = 255;
/// Values that the bin borders are chosen from.
const SAMPLE: usize = 200_000;

/// A binned table.
pub(crate) struct Binned {
    /// Bin of each value, a column a feature.
    pub(crate) columns: Vec<Vec<u8>>,
    /// Upper border of each bin but the last: a value up to `borders[f][b]` is in bin `b` or below.
    pub(crate) borders: Vec<Vec<f64>>,
}

impl Binned {
    pub(crate) fn of(table: &Table) -> Self {
        let both: Vec<(Vec<u8>, Vec<f64>)> =
            (0..table.features()).into_par_iter().map(|feature| bin(table.column(feature))).collect();
        let (columns, borders) = both.into_iter().unzip();
        Self { columns, borders }
    }
}

fn bin(values: &[f64]) -> (Vec<u8>, Vec<f64>) {
    let step = values.len().div_ceil(SAMPLE).max(1);
    let mut sorted: Vec<f64> = values.iter().step_by(step).copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let borders = borders(&sorted);
    let place = |value: &f64| {
        if value.is_nan() { ABSENT } else { borders.partition_point(|border| *border < *value) as u8 }
    };
    let bins = values.iter().map(place).collect();
    (bins, borders)
}

/// Midpoints between neighbours of different value, at even shares of the rows.
fn borders(sorted: &[f64]) -> Vec<f64> {
    let middle = |left: f64, right: f64| {
        let middle = left + (right - left) / 2.0;
        // Rounding may reach the right neighbour, which must stay on its side.
        if middle < right { middle } else { left }
    };
    let mut borders: Vec<f64> = Vec::new();
    let distinct = sorted.windows(2).filter(|pair| pair[0] < pair[1]).count() + 1;
    if distinct <= BINS {
        borders
            .extend(sorted.windows(2).filter(|pair| pair[0] < pair[1]).map(|pair| middle(pair[0], pair[1])));
        return borders;
    }
    for share in 1..BINS {
        let at = share * sorted.len() / BINS;
        if at == 0 || at >= sorted.len() || sorted[at - 1] >= sorted[at] {
            // In a run of equal values: the next different one ends the bin.
            let Some(next) =
                sorted.iter().skip(at).position(|value| *value > sorted[at.min(sorted.len() - 1)])
            else {
                break;
            };
            let border = middle(sorted[at + next - 1], sorted[at + next]);
            if borders.last().is_none_or(|last| *last < border) {
                borders.push(border);
            }
            continue;
        }
        let border = middle(sorted[at - 1], sorted[at]);
        if borders.last().is_none_or(|last| *last < border) {
            borders.push(border);
        }
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_borders_agree() {
        let mut values: Vec<f64> = (0..5_000).map(|at| f64::from((at * 7_919) % 4_001)).collect();
        values.extend([f64::NAN; 3]);
        values.extend([17.0; 4_000]);
        let (bins, borders) = bin(&values);
        assert!(borders.len() < BINS && borders.windows(2).all(|pair| pair[0] < pair[1]));
        for (value, bin) in values.iter().zip(&bins) {
            if value.is_nan() {
                assert_eq!(*bin, ABSENT);
                continue;
            }
            let at = usize::from(*bin);
            assert!(borders.get(at).is_none_or(|border| value <= border));
            assert!(at == 0 || borders[at - 1] < *value);
        }
    }
}
