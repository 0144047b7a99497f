//! The loop that every kernel shares: rows in order, each device's state read once and written once a batch.

use wide::f64x8;

use crate::batch::{Answer, Batch, BatchError, status};
use crate::lanes::{LANES, sum};

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

/// Whether every value of a row is there and finite.
#[inline]
fn is_whole(values: &[f64], mask: &[u8]) -> bool {
    let (blocks, values) = values.as_chunks::<LANES>();
    let (masks, mask) = mask.as_chunks::<LANES>();
    let mut whole = true;
    for (values, mask) in blocks.iter().zip(masks) {
        // What is not finite is NaN times zero, and so is any sum with it.
        let zeros = f64x8::new(*values) * 0.0;
        whole &= (sum(&zeros.to_array()) == 0.0) & (u64::from_le_bytes(*mask) == 0);
    }
    for (value, masked) in values.iter().zip(mask) {
        whole &= value.is_finite() & (*masked == 0);
    }
    whole
}

pub(crate) fn drive<K: RowKernel>(
    kernel: &mut K,
    batch: &Batch<'_>,
    width: usize,
) -> Result<Answer, BatchError> {
    batch.check(width)?;
    let rows = batch.device.len();
    // States of the devices that have rows, and where each device's is: one behind its place, 0 for none.
    let mut states: Vec<K::State> = Vec::new();
    let mut places = vec![0; batch.state_ends.len()];
    let mut answer = Answer {
        scores: vec![0.0; rows],
        status: vec![0; rows],
        contributions: vec![0.0; rows * width],
        state: Vec::with_capacity(batch.state.len()),
        state_ends: Vec::with_capacity(batch.state_ends.len()),
    };
    let mut row = vec![0.0; width];
    let cells = batch.values.chunks_exact(width).zip(batch.mask.chunks_exact(width));
    let shares = answer.contributions.chunks_exact_mut(width);
    let outputs = answer.scores.iter_mut().zip(&mut answer.status).zip(shares);
    for (((&device, &time), (values, mask)), ((score, row_status), contributions)) in
        batch.device.iter().zip(batch.time).zip(cells).zip(outputs)
    {
        // Nearly all rows are whole, and need no copy.
        let whole = if !is_whole(values, mask) {
            for ((cell, &value), &masked) in row.iter_mut().zip(values).zip(mask) {
                *cell = if masked == 0 && value.is_finite() { value } else { f64::NAN };
            }
            row.as_slice()
        } else {
            values
        };
        let device = device as usize;
        if places[device] == 0 {
            states.push(kernel.read(batch.blob(device)));
            places[device] = states.len();
        }
        let state = &mut states[places[device] - 1];
        let (raw, told) = kernel.row(state, time, whole, contributions);
        *score = if told == status::OK { raw } else { 0.0 };
        *row_status = told;
    }
    for (device, place) in places.iter().enumerate() {
        match place.checked_sub(1) {
            Some(place) => kernel.write(&states[place], &mut answer.state),
            None => answer.state.extend_from_slice(batch.blob(device)),
        }
        let end = u32::try_from(answer.state.len())
            .map_err(|_| BatchError("the states exceed 4 GiB; send smaller batches".to_owned()))?;
        answer.state_ends.push(end);
    }
    Ok(answer)
}
