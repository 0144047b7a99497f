//! Clusters, mixtures and covariances of more rows than memory holds.
//!
//! The rows come chunk by chunk from a [`RowSource`], as often as needed. linfa finds clusters and mixtures on an even
//! sample, where its quality of initialisation counts; then full passes of ours over all rows refine them, since a whole fit
//! by linfa needs all rows in memory at once. A pass turns 64 rows at a time into columns, so that every inner loop runs
//! over rows side by side, and shares the blocks among the cores; sums are added in the order of the rows, so the number
//! of cores changes no bit.

mod covariance;
mod kmeans;
mod mixture;

use rayon::prelude::*;

use super::Random;
use crate::TrainError;

pub use covariance::{Covariance, covariance};
pub use kmeans::{Clusters, kmeans};
pub use mixture::{Mixture, mixture};

/// Rows side by side in a block.
pub(crate) const LANES: usize = 64;
/// Rows of a part of the work.
const PART: usize = 8_192;
/// Rows that linfa sees.
const SAMPLE: usize = 20_000;

/// Rows that can be walked through again and again; the same each time.
pub trait RowSource {
    /// Numbers a row.
    fn width(&self) -> usize;

    /// Hands over all rows, row-major, chunk by chunk; values are finite.
    ///
    /// # Errors
    /// Whatever the source cannot do.
    fn pass(&self, take: &mut dyn FnMut(&[f64])) -> Result<(), TrainError>;
}

/// Rows in memory.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Row-major.
    pub rows: &'a [f64],
    /// Numbers a row.
    pub width: usize,
}

impl RowSource for Slice<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn pass(&self, take: &mut dyn FnMut(&[f64])) -> Result<(), TrainError> {
        self.rows.chunks(64 * PART * self.width).for_each(take);
        Ok(())
    }
}

/// A block of up to [`LANES`] rows as columns; lanes that are not filled are 0.
pub(crate) struct Block {
    /// One array a signal.
    pub(crate) columns: Vec<[f64; LANES]>,
    /// Rows in it.
    pub(crate) rows: usize,
}

/// Sums over all rows: `zero` makes empty sums, `visit` adds a block, `merge` adds sums. Parts are worked on side by
/// side and merged in order.
pub(crate) fn reduce<T: Send>(
    source: &dyn RowSource,
    zero: impl Fn() -> T + Sync,
    visit: impl Fn(&mut T, &Block) + Sync,
    merge: impl Fn(&mut T, T),
) -> Result<T, TrainError> {
    let width = source.width();
    let mut total = zero();
    source.pass(&mut |chunk| {
        let parts: Vec<T> = chunk
            .par_chunks(PART * width)
            .map(|part| {
                let mut sums = zero();
                let mut block = Block { columns: vec![[0.0; LANES]; width], rows: 0 };
                for rows in part.chunks(LANES * width) {
                    block.rows = rows.len() / width;
                    if block.rows < LANES {
                        block.columns.iter_mut().for_each(|column| column.fill(0.0));
                    }
                    for (lane, row) in rows.chunks_exact(width).enumerate() {
                        row.iter().zip(&mut block.columns).for_each(|(value, column)| column[lane] = *value);
                    }
                    visit(&mut sums, &block);
                }
                sums
            })
            .collect();
        parts.into_iter().for_each(|part| merge(&mut total, part));
    })?;
    Ok(total)
}

/// An even, seeded sample of the rows (Vitter's reservoir), row-major, and the number of all rows.
pub(crate) fn sample(source: &dyn RowSource, seed: u64) -> Result<(Vec<f64>, usize), TrainError> {
    let width = source.width();
    if width == 0 || width > 256 {
        return Err(TrainError::Shape { cause: format!("{width} numbers a row; there must be 1 to 256") });
    }
    let (mut kept, mut seen, mut random) = (Vec::new(), 0_usize, Random(seed));
    let mut finite = true;
    // The row that comes next into the reservoir: skipping is quicker than drawing for each row.
    let (mut weight, mut next) = (1.0_f64, 0_usize);
    source.pass(&mut |chunk| {
        let rows = chunk.len() / width;
        finite &= chunk.iter().all(|value| value.is_finite());
        while seen + rows > next {
            let row = &chunk[(next - seen) * width..(next - seen + 1) * width];
            if next < SAMPLE {
                kept.extend_from_slice(row);
                next += 1;
                if next < SAMPLE {
                    continue;
                }
            } else {
                let place = random.below(SAMPLE);
                kept[place * width..(place + 1) * width].copy_from_slice(row);
                next += 1;
            }
            weight *= (random.unit().max(1e-300).ln() / SAMPLE as f64).exp();
            let skip = random.unit().max(1e-300).ln() / (-weight).ln_1p();
            next = next.saturating_add(skip.min(1e15) as usize);
        }
        seen += rows;
    })?;
    if !finite {
        return Err(TrainError::Shape { cause: "a value is not finite; leave such rows out".to_owned() });
    }
    Ok((kept, seen))
}
