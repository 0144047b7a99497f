//! A device's charts: the exponentially weighted means that `ewma-chart` and `pca-t2q` keep, one a signal.

use crate::ROW_CAP;
use crate::blob::{Head, put_f64s};
use crate::clock::Clock;
use crate::regime::Regimes;

/// No mean of capped residuals comes near to this, nor does the difference of two; a garbled state may.
const MOST: f64 = 4.0 * ROW_CAP;

/// A device's charts.
#[derive(Clone)]
pub(crate) struct Charts {
    pub(crate) clock: Clock,
    pub(crate) regime: u8,
    /// Rows that each chart has taken in.
    pub(crate) seen: Vec<u16>,
    pub(crate) mean: Vec<f64>,
    /// Slow means of the residuals; empty where no signal wanders.
    pub(crate) slow: Vec<f64>,
}

impl Charts {
    pub(crate) fn new(regime: u8, width: usize, slow: usize) -> Self {
        Self {
            clock: Clock::default(),
            regime,
            seen: vec![0; width],
            mean: vec![0.0; width],
            slow: vec![0.0; slow],
        }
    }

    /// Fills `self`, which is new, from a blob; `None` where the blob is not sound.
    pub(crate) fn read(mut self, head: Head, regimes: &Regimes, blob: &[u8]) -> Option<Self> {
        let (clock, mut reader) = head.read(blob)?;
        self.clock = clock;
        self.regime = reader.byte()?;
        for seen in &mut self.seen {
            *seen = reader.u16()?;
        }
        reader.f64s(&mut self.mean)?;
        reader.f64s(&mut self.slow)?;
        let sound = regimes.contains(self.regime)
            && self.mean.iter().chain(&self.slow).all(|mean| mean.abs() <= MOST)
            && reader.0.is_empty();
        sound.then_some(self)
    }

    pub(crate) fn write(&self, head: Head, out: &mut Vec<u8>) {
        head.write(&self.clock, out);
        out.push(self.regime);
        for seen in &self.seen {
            out.extend_from_slice(&seen.to_le_bytes());
        }
        put_f64s(&self.mean, out);
        put_f64s(&self.slow, out);
    }
}
