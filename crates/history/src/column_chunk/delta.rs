//! Integers as differences (Parquet format: `DELTA_BINARY_PACKED`). Times and numbers of a day are a third of its bytes and
//! come in steps that nearly repeat; the general encoder took four times as long as the dictionaries of as many doubles.

use super::pack::varint;

/// Differences of a block, which share their least.
const BLOCK: usize = 256;
/// Differences of a miniblock, which share their width.
const MINI: usize = 64;

/// Appends the values as one run of blocks.
pub(super) fn delta(values: &[i64], page: &mut Vec<u8>) {
    varint(BLOCK as u64, page);
    varint((BLOCK / MINI) as u64, page);
    varint(values.len() as u64, page);
    let Some(&first) = values.first() else {
        varint(0, page);
        return;
    };
    varint(zigzag(first), page);
    let mut differences = [0_i64; BLOCK];
    // Each block begins with the value before it.
    for start in (0..values.len() - 1).step_by(BLOCK) {
        let values = &values[start..values.len().min(start + BLOCK + 1)];
        let differences = &mut differences[..values.len() - 1];
        for (difference, pair) in differences.iter_mut().zip(values.windows(2)) {
            *difference = pair[1].wrapping_sub(pair[0]);
        }
        block(differences, page);
    }
}

fn block(differences: &[i64], page: &mut Vec<u8>) {
    let least = differences.iter().copied().min().unwrap_or(0);
    varint(zigzag(least), page);
    let widths = page.len();
    page.extend_from_slice(&[0; BLOCK / MINI]);
    let mut beyond = [0_u64; MINI];
    for (at, mini) in differences.chunks(MINI).enumerate() {
        // The last miniblock is filled up with zeroes.
        beyond[mini.len()..].fill(0);
        let mut all = 0;
        for (beyond, difference) in beyond.iter_mut().zip(mini) {
            *beyond = difference.wrapping_sub(least).cast_unsigned();
            all |= *beyond;
        }
        let width = u64::BITS - all.leading_zeros();
        page[widths + at] = width as u8;
        if width > 0 {
            pack(&beyond, width, page);
        }
    }
}

/// Numbers of so many bits each, the lowest bits first; 64 of them fill whole words.
fn pack(numbers: &[u64; MINI], width: u32, page: &mut Vec<u8>) {
    let (mut word, mut filled) = (0_u64, 0);
    for &number in numbers {
        word |= number << filled;
        filled += width;
        if filled >= u64::BITS {
            page.extend_from_slice(&word.to_le_bytes());
            filled -= u64::BITS;
            // What did not fit; nothing, where the number ended with the word.
            word = if filled == 0 { 0 } else { number >> (width - filled) };
        }
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
