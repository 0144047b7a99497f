//! What a scorer is to the domain: rows of one equipment model in, scores and contributions out, state explicit.
//!
//! The same contract crosses the WebAssembly border as packed little-endian buffers (`wasm-modules/wit`).

/// Status of a scored row, the byte of the contract.
pub mod status {
    /// The score counts.
    pub const OK: u8 = 0;
    /// Too few rows of this device yet.
    pub const WARMING: u8 = 1;
    /// Too many signals masked to say anything.
    pub const INSUFFICIENT: u8 = 2;
    /// The scorer found its input invalid.
    pub const INVALID: u8 = 3;
}

/// Opaque state of each device, one blob each; an empty blob is "no state yet".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateBlobs {
    /// All blobs, one behind the other.
    pub bytes: Vec<u8>,
    /// Where each blob ends in `bytes`; one entry a device.
    pub ends: Vec<u32>,
}

impl StateBlobs {
    /// Adds a device's blob.
    pub fn push(&mut self, blob: &[u8]) {
        self.bytes.extend_from_slice(blob);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// The blob of a device; `None` when the index or the borders are out of bounds.
    pub fn get(&self, device: usize) -> Option<&[u8]> {
        let start = if device == 0 { 0 } else { *self.ends.get(device - 1)? as usize };
        self.bytes.get(start..*self.ends.get(device)? as usize)
    }
}

/// Rows of devices of one equipment model, in the order of the partition.
#[derive(Clone, Copy, Debug)]
pub struct ScoreBatch<'a> {
    /// Number of signals S: the baseline's, in its order.
    pub signals: usize,
    /// Device index a row (R entries), into the state blobs.
    pub device: &'a [u32],
    /// Event time a row, µs UTC.
    pub time: &'a [i64],
    /// Values, row-major, R × S; what stands under a mask of 1 is ignored.
    pub values: &'a [f64],
    /// 1 where the value is absent or masked, else 0; R × S.
    pub mask: &'a [u8],
    /// State of each device before the batch.
    pub state: &'a StateBlobs,
}

/// A scorer's answer to a [`ScoreBatch`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// One score a row: 1.0 is the alarm limit that the baseline was calibrated for.
    pub scores: Vec<f64>,
    /// One of [`status`] a row.
    pub status: Vec<u8>,
    /// Contribution of each signal, row-major, R × S; they add up to the row's score.
    pub contributions: Vec<f64>,
    /// State of each device after the batch.
    pub state: StateBlobs,
}

/// Why a scorer gave no answer. The batch is then scored by the stand-in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScorerError {
    /// It ran past its deadline and was stopped.
    #[error("scorer {scorer} ran past its deadline of {deadline_ms} ms and was stopped")]
    Deadline {
        /// Name and version.
        scorer: String,
        /// The deadline.
        deadline_ms: u64,
    },
    /// It trapped (panic, out-of-bounds access, stack overflow, memory limit).
    #[error("scorer {scorer} trapped: {cause}")]
    Trapped {
        /// Name and version.
        scorer: String,
        /// What the engine said, shortened.
        cause: String,
    },
    /// It answered by an error of its own.
    #[error("scorer {scorer} refused: {cause}")]
    Refused {
        /// Name and version.
        scorer: String,
        /// Its message, shortened.
        cause: String,
    },
    /// Its answer breaks the contract.
    #[error("scorer {scorer} broke its contract: {cause}")]
    Contract {
        /// Name and version.
        scorer: String,
        /// Which rule.
        cause: String,
    },
}

/// Anything that scores: a WebAssembly component, or the built-in stand-in.
pub trait Scorer: Send {
    /// Name and version, e.g. `ewma-chart@1.0.0`.
    fn id(&self) -> &str;

    /// Scores a batch with the baseline it was prepared with.
    ///
    /// # Errors
    /// [`ScorerError`]; no state is changed then.
    fn score(&mut self, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError>;
}

/// Checks an answer against the contract: shapes, finite numbers, known statuses. Hostile answers end here.
///
/// # Errors
/// The rule that is broken, in words.
pub fn check_answer(batch: &ScoreBatch<'_>, answer: &Scored, max_state: usize) -> Result<(), String> {
    let rows = batch.device.len();
    if answer.scores.len() != rows || answer.status.len() != rows {
        return Err(format!(
            "{} scores and {} statuses for {rows} rows",
            answer.scores.len(),
            answer.status.len()
        ));
    }
    if answer.contributions.len() != rows * batch.signals {
        return Err(format!(
            "{} contributions for {rows} rows × {} signals",
            answer.contributions.len(),
            batch.signals
        ));
    }
    if answer.state.ends.len() != batch.state.ends.len() {
        return Err(format!("{} states for {} devices", answer.state.ends.len(), batch.state.ends.len()));
    }
    let mut start = 0;
    for &end in &answer.state.ends {
        if end < start || end as usize > answer.state.bytes.len() || (end - start) as usize > max_state {
            return Err(format!("a state's border is out of bounds or above {max_state} bytes"));
        }
        start = end;
    }
    for (row, (&score, &status)) in answer.scores.iter().zip(&answer.status).enumerate() {
        if status > status::INVALID {
            return Err(format!("unknown status {status} in row {row}"));
        }
        if status == status::OK && !(score.is_finite() && score >= 0.0) {
            return Err(format!("score of row {row} is not a finite number of at least 0"));
        }
    }
    // A chunk at a time without leaving early, which the compiler takes several numbers at once for.
    let finite = |chunk: &[f64]| chunk.iter().fold(true, |all, value| all & value.is_finite());
    if !answer.contributions.chunks(64).all(finite) {
        return Err("a contribution is not a finite number".to_owned());
    }
    Ok(())
}
