//! The random generator. It is ours, a page long, because the bytes of a seeded run are a contract: a crate's next
//! version might draw differently and every golden figure would move.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
    /// The second value of the last Box-Muller pair.
    spare: Option<f64>,
}

impl Random {
    /// A stream of its own for each (seed, name, purpose): what one stream draws never shifts another.
    pub(crate) fn stream(seed: u64, name: &str, purpose: u64) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut mixer = Self { state: seed ^ hash.rotate_left(17), spare: None };
        let start = mixer.next().wrapping_add(purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let mut stream = Self { state: start, spare: None };
        stream.next();
        stream
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0..1, 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        // 1 - unit is in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }
}

/// Coloured noise of the first order: standard deviation 1, correlation exp(-dt / lag).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise(pub(crate) f64);

impl Noise {
    /// Starts in its stationary distribution, so the first row is no special row.
    pub(crate) fn start(random: &mut Random) -> Self {
        Self(random.normal())
    }

    /// One step; `keep` = exp(-dt / lag), `fresh` = sqrt(1 - keep²).
    pub(crate) fn step(&mut self, random: &mut Random, keep: f64, fresh: f64) -> f64 {
        self.0 = keep * self.0 + fresh * random.normal();
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_a_contract() {
        let mut random = Random { state: 1_234_567, spare: None };
        // The published first outputs of SplitMix64 for this seed.
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn normal_has_mean_nought_and_spread_one() {
        let mut random = Random::stream(7, "x", 0);
        let rows = 200_000;
        let values: Vec<f64> = (0..rows).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / f64::from(rows);
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(rows);
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }
}
