//! Rows to train on.

use sha2::{Digest, Sha256};

use crate::TrainError;

/// Telemetry of one or more devices of one equipment model, R rows × S signals. Rows may come in any order;
/// equal times of a device keep theirs.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Device index a row (R); which number stands for which device does not matter.
    pub device: &'a [u32],
    /// Event time a row, µs UTC (R).
    pub time: &'a [i64],
    /// Values, row-major (R × S), NaN where there is none or it is not to be trusted.
    pub values: &'a [f64],
}

/// A matrix of our own, ordered by time, with devices numbered 0, 1, 2…
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) width: usize,
    pub(crate) devices: usize,
    pub(crate) device: Vec<u32>,
    pub(crate) time: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

impl Matrix<'_> {
    pub(crate) fn ordered(&self, width: usize) -> Result<Ordered, TrainError> {
        let rows = self.time.len();
        let shape = |cause: String| Err(TrainError::Shape { cause });
        if width == 0 {
            return shape("there are no signals".to_owned());
        }
        if self.device.len() != rows || rows.checked_mul(width) != Some(self.values.len()) {
            return shape(format!(
                "{} devices, {rows} times and {} values for {width} signals",
                self.device.len(),
                self.values.len()
            ));
        }
        let mut known: Vec<u32> = self.device.to_vec();
        known.sort_unstable();
        known.dedup();
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by_key(|&row| (self.time[row], self.device[row]));
        let number = |row: usize| {
            known.binary_search(&self.device[row]).ok().and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
        };
        let row_values = |&row: &usize| self.values[row * width..(row + 1) * width].iter();
        let finite = |value: &f64| if value.is_finite() { *value } else { f64::NAN };
        Ok(Ordered {
            width,
            devices: known.len(),
            device: order.iter().map(|&row| number(row)).collect(),
            time: order.iter().map(|&row| self.time[row]).collect(),
            values: order.iter().flat_map(row_values).map(finite).collect(),
        })
    }
}

impl Ordered {
    pub(crate) fn rows(&self) -> usize {
        self.time.len()
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    pub(crate) fn column(&self, signal: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().copied().skip(signal).step_by(self.width)
    }

    /// Rows before and from an index, which is an index of time.
    pub(crate) fn split(&self, at: usize) -> (Self, Self) {
        let part = |range: std::ops::Range<usize>| Self {
            width: self.width,
            devices: self.devices,
            device: self.device[range.clone()].to_vec(),
            time: self.time[range.clone()].to_vec(),
            values: self.values[range.start * self.width..range.end * self.width].to_vec(),
        };
        (part(0..at), part(at..self.rows()))
    }

    /// SHA-256 over names and rows, hexadecimal. Absent values count alike, whatever their NaN's bits.
    pub(crate) fn hash(&self, signals: &[String]) -> String {
        let mut hash = Sha256::new();
        for signal in signals {
            hash.update(signal.as_bytes());
            hash.update([0xff]);
        }
        for row in 0..self.rows() {
            hash.update(self.device[row].to_le_bytes());
            hash.update(self.time[row].to_le_bytes());
            for value in self.row(row) {
                let value = if value.is_nan() { f64::NAN } else { *value };
                hash.update(value.to_bits().to_le_bytes());
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Median seconds between rows of the same device; 1 where no device has two.
    pub(crate) fn interval_seconds(&self) -> f64 {
        let mut last: Vec<Option<i64>> = vec![None; self.devices];
        let mut steps = Vec::new();
        for (&device, &time) in self.device.iter().zip(&self.time) {
            if let Some(before) = last[device as usize].replace(time) {
                steps.push(time.saturating_sub(before) as f64 / 1e6);
            }
        }
        crate::statistics::median(&mut steps).unwrap_or(1.0)
    }
}
