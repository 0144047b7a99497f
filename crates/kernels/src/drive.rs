//! The loop that every kernel shares: rows in order, each device's state read once and written once a batch.

use wide::f64x8;

use crate::batch::{AnswerMut, Batch, BatchError, status};
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
    answer: AnswerMut<'_>,
) -> Result<(), BatchError> {
    batch.check(width)?;
    let AnswerMut { scores, status: statuses, contributions, state: blobs, state_ends: ends } = answer;
    // States of the devices that have rows. Where each device's is, one behind its place and 0 for none, stands until
    // the end where the end of its blob will.
    let mut states: Vec<K::State> = Vec::new();
    let mut row = Vec::new();
    let cells = batch.values.chunks_exact(width).zip(batch.mask.chunks_exact(width));
    let shares = contributions.chunks_exact_mut(width);
    let outputs = scores.iter_mut().zip(statuses).zip(shares);
    for (((&device, &time), (values, mask)), ((score, row_status), contributions)) in
        batch.device.iter().zip(batch.time).zip(cells).zip(outputs)
    {
        // Nearly all rows are whole, and need no copy.
        let whole = if !is_whole(values, mask) {
            row.resize(width, 0.0);
            for ((cell, &value), &masked) in row.iter_mut().zip(values).zip(mask) {
                *cell = if masked == 0 && value.is_finite() { value } else { f64::NAN };
            }
            row.as_slice()
        } else {
            values
        };
        let place = &mut ends[device as usize];
        if *place == 0 {
            states.push(kernel.read(batch.blob(device as usize)));
            *place = u32::try_from(states.len()).unwrap_or(0);
        }
        let state = &mut states[*place as usize - 1];
        let (raw, told) = kernel.row(state, time, whole, contributions);
        *score = if told == status::OK { raw } else { 0.0 };
        *row_status = told;
    }
    for (device, end) in ends.iter_mut().enumerate() {
        match end.checked_sub(1) {
            Some(place) => kernel.write(&states[place as usize], blobs),
            None => blobs.extend_from_slice(batch.blob(device)),
        }
        *end = u32::try_from(blobs.len())
            .map_err(|_| BatchError("the states exceed 4 GiB; send smaller batches".to_owned()))?;
    }
    Ok(())
}
