//! Intervals by resampling recordings: rows of one recording are alike, so it is recordings that are drawn.

/// The 95 % interval of a statistic of `count` recordings. `statistic` gets the numbers of the drawn recordings, with
/// repetition. Seeded, hence the same for the same data.
pub fn interval(count: usize, samples: usize, seed: u64, statistic: impl Fn(&[usize]) -> f64) -> (f64, f64) {
    let mut draw = Draw(seed ^ 0x9e37_79b9_7f4a_7c15);
    let mut values: Vec<f64> = (0..samples.max(1))
        .map(|_| {
            let drawn: Vec<usize> = (0..count).map(|_| draw.below(count)).collect();
            statistic(&drawn)
        })
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = values.len().saturating_sub(1) as f64;
        values.get((share * last).round() as usize).copied().unwrap_or(f64::NAN)
    };
    (at(0.025), at(0.975))
}

/// A small generator of our own (SplitMix64): its numbers never change with a library's version.
#[derive(Clone, Debug)]
pub struct Draw(pub u64);

impl Draw {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `count`; 0 for an empty range.
    pub fn below(&mut self, count: usize) -> usize {
        // The bias of the remainder is below 2^-40 for any count that fits here.
        (self.bits() % (count.max(1) as u64)) as usize
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_holds_the_mean_and_repeats() {
        let values: Vec<f64> = (0..40).map(f64::from).collect();
        let mean = |drawn: &[usize]| drawn.iter().map(|at| values[*at]).sum::<f64>() / drawn.len() as f64;
        let (low, high) = interval(40, 1_000, 1, mean);
        assert!(low < 19.5 && high > 19.5 && low > 14.0 && high < 25.0, "{low} {high}");
        assert_eq!(interval(40, 1_000, 1, mean), (low, high));
    }
}
