//! The scorer `smoothed-mahalanobis` as an extism plugin: the kernel that the project's own scorer runs, behind the
//! calls that extism offers. A plugin takes one byte string and gives one back, so a batch and its answer are packed.
//!
//! A batch: eight little-endian u32 (the number of signals; the lengths in bytes of time, values, device, state-ends,
//! mask and state; a zero), then those six buffers in that order. An answer: eight u32 (the lengths of scores,
//! contributions, state-ends, status and state; three zeros), then those five buffers. Buffers of eight-byte numbers
//! come first, so that every number lies where it can be read in place.

use std::cell::RefCell;

use extism_pdk::memory::internal::{memory_alloc, store};
use extism_pdk::{Error, FnResult, Memory, MemoryHandle, input_bytes, plugin_fn};
use twinwright_kernels::wire::{PackedBatch, score_packed};
use twinwright_kernels::{ScorerKernel, SmoothedMahalanobis};

const FIELDS: usize = 8;
const HEADER: usize = FIELDS * size_of::<u32>();

thread_local! {
    /// What `prepare` built. Nothing of a device is kept here: state goes in and out with each batch.
    static PREPARED: RefCell<Option<SmoothedMahalanobis>> = const { RefCell::new(None) };
}

/// Takes a baseline, as JSON.
#[plugin_fn]
pub fn prepare() -> FnResult<()> {
    // `input_bytes` rather than an argument: an argument would be copied once more.
    let kernel = <SmoothedMahalanobis as ScorerKernel>::prepare(&input_bytes());
    PREPARED.set(Some(kernel.map_err(|error| Error::msg(error.to_string()))?));
    Ok(())
}

/// Takes a packed batch and gives its packed answer.
#[plugin_fn]
pub fn score() -> FnResult<Memory> {
    let input = input_bytes();
    let batch = unpack(&input).ok_or_else(|| Error::msg("the batch is cut short"))?;
    let scored = PREPARED.with_borrow_mut(|prepared| {
        let kernel = prepared.as_mut().ok_or("score was called before prepare")?;
        score_packed(kernel, &batch)
    });
    let scored = scored.map_err(Error::msg)?;
    let buffers = [&scored.scores, &scored.contributions, &scored.state_ends, &scored.status, &scored.state];
    let mut header = [0; HEADER];
    for (field, buffer) in header.chunks_exact_mut(size_of::<u32>()).zip(buffers) {
        field.copy_from_slice(&u32::try_from(buffer.len())?.to_le_bytes());
    }
    // Each buffer goes into extism's memory once, without a stop in a packed copy here.
    let answer = memory_alloc((HEADER + buffers.iter().map(|buffer| buffer.len()).sum::<usize>()) as u64);
    let mut offset = answer.offset;
    for buffer in [&header[..]].into_iter().chain(buffers.map(Vec::as_slice)) {
        let length = buffer.len() as u64;
        store(MemoryHandle { offset, length }, buffer);
        offset += length;
    }
    Ok(Memory(answer))
}

fn unpack(input: &[u8]) -> Option<PackedBatch<'_>> {
    let (header, mut rest) = input.split_at_checked(HEADER)?;
    let (fields, _) = header.as_chunks();
    let [signals, lengths @ ..] = [0, 1, 2, 3, 4, 5, 6].map(|at| u32::from_le_bytes(fields[at]));
    let mut take = |at: usize| {
        let (buffer, behind) = rest.split_at_checked(lengths[at] as usize)?;
        rest = behind;
        Some(buffer)
    };
    let (time, values, device) = (take(0)?, take(1)?, take(2)?);
    let (state_ends, mask, state) = (take(3)?, take(4)?, take(5)?);
    Some(PackedBatch { signals, device, time, values, mask, state, state_ends })
}
