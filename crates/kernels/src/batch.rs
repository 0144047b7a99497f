//! What goes into a kernel and what comes out: plain slices, the shapes of the scorer contract.

use std::fmt;

use crate::baseline::{Baseline, BaselineError};

/// Status of a scored row, the byte of the contract.
pub mod status {
    /// The score counts.
    pub const OK: u8 = 0;
    /// Too few rows of this device yet.
    pub const WARMING: u8 = 1;
    /// Too many signals masked to say anything.
    pub const INSUFFICIENT: u8 = 2;
    /// The row cannot be placed in time.
    pub const INVALID: u8 = 3;
}

/// Rows of devices, in the order of the partition: R rows, S signals, D devices.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Number of signals S.
    pub signals: usize,
    /// Device index a row (R).
    pub device: &'a [u32],
    /// Event time a row, µs UTC (R).
    pub time: &'a [i64],
    /// Values, row-major (R × S).
    pub values: &'a [f64],
    /// 1 where the value is absent or masked, else 0 (R × S).
    pub mask: &'a [u8],
    /// State blobs of all devices, one behind the other.
    pub state: &'a [u8],
    /// Where each device's blob ends (D).
    pub state_ends: &'a [u32],
}

/// A kernel's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Calibrated score a row; 0 where the status is not [`status::OK`].
    pub scores: Vec<f64>,
    /// One of [`status`] a row.
    pub status: Vec<u8>,
    /// Row-major (R × S); a row's contributions are at least 0 and add up to its score.
    pub contributions: Vec<f64>,
    /// State blobs after the batch.
    pub state: Vec<u8>,
    /// Where each device's blob ends (D).
    pub state_ends: Vec<u32>,
}

/// Where an answer is written: the caller's memory, zeroes before.
#[derive(Debug)]
pub struct AnswerMut<'a> {
    /// As [`Answer::scores`] (R).
    pub scores: &'a mut [f64],
    /// As [`Answer::status`] (R).
    pub status: &'a mut [u8],
    /// As [`Answer::contributions`] (R × S).
    pub contributions: &'a mut [f64],
    /// As [`Answer::state`]; empty before.
    pub state: &'a mut Vec<u8>,
    /// As [`Answer::state_ends`] (D).
    pub state_ends: &'a mut [u32],
}

impl Answer {
    /// Room for the answer of a batch, whose shapes need not fit together yet.
    pub(crate) fn room(batch: &Batch<'_>) -> Self {
        let rows = batch.device.len();
        Self {
            scores: vec![0.0; rows],
            status: vec![0; rows],
            contributions: vec![0.0; batch.values.len()],
            state: Vec::with_capacity(batch.state.len()),
            state_ends: vec![0; batch.state_ends.len()],
        }
    }

    pub(crate) fn lend(&mut self) -> AnswerMut<'_> {
        AnswerMut {
            scores: &mut self.scores,
            status: &mut self.status,
            contributions: &mut self.contributions,
            state: &mut self.state,
            state_ends: &mut self.state_ends,
        }
    }
}

/// Why a batch cannot be scored at all; single bad rows get a status instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError(pub String);

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BatchError {}

/// A scoring algorithm prepared with a baseline.
pub trait Kernel: Sized {
    /// The scorer's name, the key of the baseline's `limits`.
    const NAME: &'static str;

    /// Prepares from a valid baseline that has a limit for [`Self::NAME`].
    ///
    /// # Errors
    /// [`BaselineError`].
    fn new(baseline: &Baseline) -> Result<Self, BaselineError>;

    /// Scores a batch. The answer depends on the rows and the state alone, never on where batches were cut.
    ///
    /// # Errors
    /// [`BatchError`] where the shapes do not fit together.
    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError>;

    /// [`Kernel::score_into`] memory of its own.
    ///
    /// # Errors
    /// As there.
    fn score(&mut self, batch: &Batch<'_>) -> Result<Answer, BatchError> {
        let mut answer = Answer::room(batch);
        self.score_into(batch, answer.lend())?;
        Ok(answer)
    }
}

impl Batch<'_> {
    /// Checks that the shapes fit together and the device indices exist.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self, width: usize) -> Result<(), BatchError> {
        let rows = self.device.len();
        let fail = |text: String| Err(BatchError(text));
        if self.signals != width {
            return fail(format!("the batch has {} signals, the baseline {width}", self.signals));
        }
        if self.time.len() != rows {
            return fail(format!("{} times for {rows} rows", self.time.len()));
        }
        let cells = rows.saturating_mul(width);
        if self.values.len() != cells || self.mask.len() != cells {
            return fail(format!(
                "{} values and {} mask bytes for {rows} rows × {width} signals",
                self.values.len(),
                self.mask.len()
            ));
        }
        if let Some(device) = self.device.iter().find(|device| **device as usize >= self.state_ends.len()) {
            return fail(format!("device index {device}, but {} states", self.state_ends.len()));
        }
        Ok(())
    }

    /// A device's blob; garbled borders count as no state.
    pub(crate) fn blob(&self, device: usize) -> &[u8] {
        let start = if device == 0 { 0 } else { self.state_ends[device - 1] as usize };
        self.state.get(start..self.state_ends[device] as usize).unwrap_or_default()
    }
}
