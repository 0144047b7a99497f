//! Large buffers that are used again. A batch needs a megabyte or two for some milliseconds; fresh from the system each
//! time, that is hundreds of pages to map and to clear.

use std::sync::{Mutex, PoisonError};

/// Buffers kept at the most.
const MOST: usize = 6;
/// Larger ones are rare and go back to the system, smaller ones are cheap.
const KEPT: std::ops::RangeInclusive<usize> = (64 << 10)..=(4 << 20);

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer, the largest at hand, with whatever it held before; empty when there is none.
pub(crate) fn take() -> Vec<u8> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let largest = (0..spare.len()).max_by_key(|&at| spare[at].capacity());
    largest.map_or_else(Vec::new, |at| spare.swap_remove(at))
}

/// Keeps a buffer that is not needed any more.
pub(crate) fn give(buffer: Vec<u8>) {
    if !KEPT.contains(&buffer.capacity()) {
        return;
    }
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if spare.len() < MOST {
        spare.push(buffer);
    }
}
