//! How far two sets of scores are apart.

/// Borders of the bins: scores are calibrated (1.0 is the alarm limit), so one set of borders fits every scorer.
const BORDERS: [f64; 15] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0];
/// One more than borders.
const BINS: usize = BORDERS.len() + 1;

/// Counts of scores by bin; bounded however many rows come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BINS],
}

impl Histogram {
    /// Counts a score.
    pub fn add(&mut self, score: f64) {
        let bin = BORDERS.iter().take_while(|border| score >= **border).count();
        self.counts[bin] += 1;
    }

    /// Scores counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Where each bin begins, and the part of all scores in it.
    pub fn shares(&self) -> impl Iterator<Item = (f64, f64)> {
        let total = self.total().max(1) as f64;
        let from = std::iter::once(0.0).chain(BORDERS);
        from.zip(self.counts).map(move |(from, count)| (from, count as f64 / total))
    }

    fn smoothed_shares(&self) -> [f64; BINS] {
        // Half a row in every bin, so that an empty one has a logarithm.
        let total = self.total() as f64 + 0.5 * BINS as f64;
        self.counts.map(|count| (count as f64 + 0.5) / total)
    }
}

/// Population stability index of two histograms: 0 for equal ones; above 0.25 is customarily called a major shift.
///
/// Small samples differ by chance alone, by about (bins in use - 1) × (1/n + 1/m); that much is taken off.
pub fn population_stability(left: &Histogram, right: &Histogram) -> f64 {
    let (n, m) = (left.total() as f64, right.total() as f64);
    if n == 0.0 || m == 0.0 {
        return 0.0;
    }
    let index: f64 =
        left.smoothed_shares().iter().zip(right.smoothed_shares()).map(|(l, r)| (l - r) * (l / r).ln()).sum();
    let used = left.counts.iter().zip(right.counts).filter(|(l, r)| **l + r > 0).count();
    (index - used.saturating_sub(1) as f64 * (1.0 / n + 1.0 / m)).max(0.0)
}

/// Kolmogorov–Smirnov: the largest distance of the cumulated shares, and the distance that chance exceeds once in a
/// thousand times for samples of these sizes.
pub fn kolmogorov_smirnov(left: &Histogram, right: &Histogram) -> (f64, f64) {
    let (n, m) = (left.total() as f64, right.total() as f64);
    if n == 0.0 || m == 0.0 {
        return (0.0, f64::INFINITY);
    }
    let (mut below_left, mut below_right, mut largest) = (0.0, 0.0, 0.0_f64);
    for (l, r) in left.counts.iter().zip(right.counts) {
        below_left += *l as f64 / n;
        below_right += r as f64 / m;
        largest = largest.max((below_left - below_right).abs());
    }
    (largest, 1.949 * ((n + m) / (n * m)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: impl Iterator<Item = f64>) -> Histogram {
        let mut histogram = Histogram::default();
        scores.for_each(|score| histogram.add(score));
        histogram
    }

    #[test]
    fn equal_sets_are_near_and_shifted_ones_far() {
        let noise = |seed: u64| (0..500_u64).map(move |at| (at * 7_919 + seed * 104_729) % 997);
        let calm = of(noise(1).map(|n| n as f64 / 997.0 * 0.8));
        let also = of(noise(2).map(|n| n as f64 / 997.0 * 0.8));
        let drifted = of(noise(1).map(|n| n as f64 / 997.0 * 0.8 * 1.6));
        assert!(population_stability(&calm, &also) < 0.05);
        assert!(population_stability(&calm, &drifted) > 0.25, "{}", population_stability(&calm, &drifted));
        let (distance, chance) = kolmogorov_smirnov(&calm, &also);
        assert!(distance < chance);
        let (distance, chance) = kolmogorov_smirnov(&calm, &drifted);
        assert!(distance > chance && distance > 0.2, "{distance} {chance}");
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let empty = Histogram::default();
        assert_eq!(population_stability(&empty, &of([0.5].into_iter())), 0.0);
        assert_eq!(kolmogorov_smirnov(&empty, &empty), (0.0, f64::INFINITY));
        let extremes = of([f64::MAX, 0.0, -0.0, f64::MIN_POSITIVE].into_iter());
        assert_eq!(extremes.total(), 4);
    }
}
