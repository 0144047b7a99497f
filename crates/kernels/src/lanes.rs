//! Signals by eights, for loops that the compiler writes out.
//!
//! In WebAssembly each turn of a loop asks whether the deadline has come, and no sum stays in a register across that
//! question: with a turn a signal `smoothed-mahalanobis` took twice its time. So numbers of signals lie in blocks of a fixed
//! size, with zeros behind the last signal, and only loops over blocks are left.

use std::array::from_fn;

use wide::f64x8;

/// Signals of a block.
pub(crate) const LANES: usize = 8;
/// One number a signal.
pub(crate) type Lanes = [f64; LANES];

/// Blocks that so many signals take.
pub(crate) fn blocks(signals: usize) -> usize {
    signals.div_ceil(LANES)
}

/// Numbers in blocks.
pub(crate) fn pad(numbers: &[f64]) -> Vec<Lanes> {
    let mut padded = vec![[0.0; LANES]; blocks(numbers.len())];
    padded.as_flattened_mut()[..numbers.len()].copy_from_slice(numbers);
    padded
}

/// Numbers in blocks, in place where there is nothing to pad; else in `scratch`, whose padding is never written.
#[inline]
pub(crate) fn padded<'a>(numbers: &'a [f64], scratch: &'a mut [Lanes]) -> &'a [Lanes] {
    match numbers.as_chunks() {
        (whole, []) => whole,
        _ => {
            scratch.as_flattened_mut()[..numbers.len()].copy_from_slice(numbers);
            scratch
        }
    }
}

/// The sum of a block, by halves.
#[inline]
pub(crate) fn sum(lanes: &Lanes) -> f64 {
    let quarters: [f64; 4] = from_fn(|lane| lanes[lane] + lanes[lane + 4]);
    (quarters[0] + quarters[2]) + (quarters[1] + quarters[3])
}

/// A square matrix in blocks, each column by column.
pub(crate) struct Matrix(Vec<[Lanes; LANES]>);

impl Matrix {
    /// From lines one behind the other.
    pub(crate) fn new(matrix: &[f64], width: usize) -> Self {
        let side = blocks(width);
        let number = |line, column| {
            if line < width && column < width { matrix[line * width + column] } else { 0.0 }
        };
        let block = |at: usize| {
            let (line, column) = (at / side * LANES, at % side * LANES);
            from_fn(|across| from_fn(|down| number(line + down, column + across)))
        };
        Self((0..side * side).map(block).collect())
    }

    /// The quadratic form of a vector and the sum of its positive shares, which are left in `shares`, zero for the others.
    ///
    /// A number's share is what it gives to the form: itself times its part of the product.
    // By itself the compiler keeps the sums in registers; within the caller it does not.
    #[inline(never)]
    pub(crate) fn form(&self, vector: &[Lanes], shares: &mut [Lanes]) -> (f64, f64) {
        let (mut form, mut positive) = (0.0, 0.0);
        let mut blocks = self.0.iter();
        for (own, shares) in vector.iter().zip(shares) {
            let mut product = f64x8::ZERO;
            for (numbers, block) in vector.iter().zip(&mut blocks) {
                for (column, number) in block.iter().zip(numbers) {
                    product += f64x8::new(*column) * *number;
                }
            }
            let share = product * f64x8::new(*own);
            form += sum(&share.to_array());
            *shares = share.fast_max(f64x8::ZERO).to_array();
            positive += sum(shares);
        }
        (form, positive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_form_is_that_of_the_numbers() {
        for width in [1, 7, 8, 9, 17] {
            let matrix: Vec<f64> = (0..width * width).map(|at| at as f64 * 0.5 - 3.0).collect();
            let vector: Vec<f64> = (0..width).map(|at| at as f64 - 2.0).collect();
            let mut shares = pad(&vec![9.0; width]);
            let (form, positive) = Matrix::new(&matrix, width).form(&pad(&vector), &mut shares);
            let product =
                |line: &[f64]| line.iter().zip(&vector).map(|(weight, number)| weight * number).sum();
            let expected: Vec<f64> = matrix
                .chunks_exact(width)
                .map(product)
                .zip(&vector)
                .map(|(product, own): (f64, _)| product * own)
                .collect();
            // All numbers are halves of whole ones, and exact.
            assert_eq!(form, expected.iter().sum::<f64>(), "width {width}");
            assert_eq!(positive, expected.iter().filter(|share| **share > 0.0).sum::<f64>());
            let (shares, padding) = shares.as_flattened().split_at(width);
            assert!(shares.iter().zip(&expected).all(|(share, expected)| *share == expected.max(0.0)));
            assert!(padding.iter().all(|share| *share == 0.0));
        }
    }

    #[test]
    fn the_sum_counts_each_lane_once() {
        assert_eq!(sum(&from_fn(|lane| f64::from(1 << lane))), 255.0);
    }
}
