//! The loop that every kernel shares: rows in order, each device's state read once and written once a batch.

use crate::batch::{Answer, Batch, BatchError, status};

/// The part of a kernel that differs.
pub(crate) trait RowKernel {
    /// A device's state, decoded.
    type State;

    /// A fresh state when the blob is empty, garbled, or of another layout.
    fn read(&self, blob: &[u8]) -> Self::State;
    fn write(&self, state: &Self::State, out: &mut Vec<u8>);

    /// Scores one row; `row` has NaN where a value is absent. Fills `contributions` (zero before) when it scores.
    fn row(
        &mut self,
        state: &mut Self::State,
        time: i64,
        row: &[f64],
        contributions: &mut [f64],
    ) -> (f64, u8);
}

pub(crate) fn drive<K: RowKernel>(
    kernel: &mut K,
    batch: &Batch<'_>,
    width: usize,
) -> Result<Answer, BatchError> {
    batch.check(width)?;
    let rows = batch.device.len();
    let mut states: Vec<Option<K::State>> = Vec::new();
    states.resize_with(batch.state_ends.len(), || None);
    let mut answer = Answer {
        scores: Vec::with_capacity(rows),
        status: Vec::with_capacity(rows),
        contributions: vec![0.0; rows * width],
        state: Vec::with_capacity(batch.state.len()),
        state_ends: Vec::with_capacity(batch.state_ends.len()),
    };
    let mut row = vec![0.0; width];
    let cells = batch.values.chunks_exact(width).zip(batch.mask.chunks_exact(width));
    let outputs = answer.contributions.chunks_exact_mut(width);
    for (((&device, &time), (values, mask)), contributions) in
        batch.device.iter().zip(batch.time).zip(cells).zip(outputs)
    {
        // Nearly all rows are whole, and need no copy.
        let is_masked = mask.iter().fold(0, |any, masked| any | masked) != 0;
        let is_finite = values.iter().fold(true, |all, value| all & value.is_finite());
        let whole = if is_masked || !is_finite {
            for ((cell, &value), &masked) in row.iter_mut().zip(values).zip(mask) {
                *cell = if masked == 0 && value.is_finite() { value } else { f64::NAN };
            }
            row.as_slice()
        } else {
            values
        };
        let device = device as usize;
        let state = states[device].get_or_insert_with(|| kernel.read(batch.blob(device)));
        let (score, row_status) = kernel.row(state, time, whole, contributions);
        answer.scores.push(if row_status == status::OK { score } else { 0.0 });
        answer.status.push(row_status);
    }
    for (device, state) in states.iter().enumerate() {
        match state {
            Some(state) => kernel.write(state, &mut answer.state),
            None => answer.state.extend_from_slice(batch.blob(device)),
        }
        let end = u32::try_from(answer.state.len())
            .map_err(|_| BatchError("the states exceed 4 GiB; send smaller batches".to_owned()))?;
        answer.state_ends.push(end);
    }
    Ok(answer)
}
