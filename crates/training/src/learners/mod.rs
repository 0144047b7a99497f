//! Learners that are deterministic from rows and seed, and whose result is a document.
//!
//! [`boost()`] grows boosted regression trees on histograms, [`woods()`] the mean of randomised ones, [`ridge()`] and [`logistic()`] fit linear models. All
//! read a [`Table`] (a column a feature, NaN where absent) and give the predictors of `twinwright_kernels::forest`,
//! which the WebAssembly scorers read. The trees are ours because the kept crates do not fit: linfa's trees only
//! classify, and the boosters at hand bring a model format, a random number generator or a C++ library of their own,
//! while what is needed is small: bit-equal results from a seed, absent values, and a table that a scorer can read.
//! [`leakage`] holds the rule that no input may tell the target at the same moment.

mod bins;
mod boost;
mod grow;
pub mod leakage;
mod linear;
mod metrics;
pub mod stream;
mod table;
mod woods;

pub(crate) use boost::sigmoid;
pub use boost::{BoostSettings, Loss, boost};
pub use linear::{logistic, ridge};
pub use metrics::{auc, average_precision, brier, precision_at, rmse};
pub use table::Table;
pub use woods::{WoodsSettings, woods};

/// A small random generator (splitmix64): the same numbers on every machine and in every version.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `count` different numbers below `bound`, ascending.
    pub(crate) fn choose(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..bound).collect();
        let count = count.min(bound);
        for at in 0..count {
            let other = at + self.below(bound - at);
            all.swap(at, other);
        }
        all.truncate(count);
        all.sort_unstable();
        all
    }
}
