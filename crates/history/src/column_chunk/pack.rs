//! Codes as bytes (Parquet format: RLE / bit-packing hybrid).

/// Bytes that are written at a time: two pieces of four codes each of the widest.
const SLACK: usize = 32;
/// Shortest run that is written as one.
const RUN: usize = 16;

pub(super) fn varint(mut value: u64, page: &mut Vec<u8>) {
    while value >= 0x80 {
        page.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    page.push(value as u8);
}

/// Codes as runs and bit-packed groups of eight. A run begins where a group does, so a run that is worth it has a group
/// of its own.
pub(super) fn pack(codes: &[u32], width: u8, page: &mut Vec<u8>) {
    let (mut at, mut literal) = (0, 0);
    while let Some(group) = codes[at..].first_chunk::<8>() {
        let code = group[0];
        if group.iter().fold(0, |differs, other| differs | (other ^ code)) != 0 {
            at += 8;
            continue;
        }
        let length = codes[at..].iter().take_while(|&&other| other == code).count();
        if length < RUN {
            at += 8;
            continue;
        }
        groups(&codes[literal..at], width, page);
        varint((length as u64) << 1, page);
        page.extend_from_slice(&code.to_le_bytes()[..usize::from(width).div_ceil(8)]);
        at += length;
        literal = at;
    }
    groups(&codes[literal..], width, page);
}

fn groups(codes: &[u32], width: u8, page: &mut Vec<u8>) {
    if codes.is_empty() {
        return;
    }
    varint(((codes.len().div_ceil(8) as u64) << 1) | 1, page);
    let width = usize::from(width);
    let (whole, rest) = codes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    // The last group is filled up with zeroes.
    let all = whole.iter().chain((!rest.is_empty()).then_some(&last));
    // Each group is written with bytes behind it that the next one overwrites: pieces of one size need no call.
    let start = page.len();
    let mut at = start;
    page.resize(start + codes.len().div_ceil(8) * width + SLACK, 0);
    for group in all {
        let (low, high) = group.split_at(4);
        if width <= 16 {
            let four =
                |codes: &[u32]| codes.iter().rev().fold(0, |bits, &code| (bits << width) | u64::from(code));
            let bits = u128::from(four(low)) | (u128::from(four(high)) << (4 * width));
            page[at..at + 16].copy_from_slice(&bits.to_le_bytes());
        } else {
            let four =
                |codes: &[u32]| codes.iter().rev().fold(0, |bits, &code| (bits << width) | u128::from(code));
            // Four codes of an odd width end within a byte: the second half begins there.
            let (low, high) = (four(low), four(high));
            let (bytes, odd) = (4 * width / 8, 4 * width % 8);
            let shared = if odd == 0 { high } else { (high << odd) | (low >> (8 * bytes)) };
            page[at..at + 16].copy_from_slice(&low.to_le_bytes());
            page[at + bytes..at + bytes + 16].copy_from_slice(&shared.to_le_bytes());
        }
        at += width;
    }
    page.truncate(at);
}

/// Reads so many codes; `None` where the bytes end before, or a code needs more than 31 bits.
pub(crate) fn unpack(mut bytes: &[u8], width: u8, count: usize, codes: &mut Vec<i32>) -> Option<()> {
    if width > 31 {
        return None;
    }
    let width = usize::from(width);
    let end = codes.len() + count;
    codes.reserve(count);
    while codes.len() < end {
        let header = take_varint(&mut bytes)?;
        let left = end - codes.len();
        if header & 1 == 0 {
            let (value, rest) = bytes.split_at_checked(width.div_ceil(8))?;
            let code = value.iter().rev().fold(0, |code, &byte| (code << 8) | i32::from(byte));
            codes.resize(codes.len() + left.min(usize::try_from(header >> 1).ok()?), code);
            bytes = rest;
        } else {
            let groups = usize::try_from(header >> 1).ok()?;
            let values = left.min(groups.checked_mul(8)?);
            // The last group of a page may be cut.
            let (packed, rest) = bytes.split_at(bytes.len().min(groups.checked_mul(width)?));
            if packed.len() * 8 < values * width {
                return None;
            }
            let (mut bits, mut known, mut packed) = (0_u64, 0, packed.iter());
            for _ in 0..values {
                while known < width {
                    bits |= u64::from(*packed.next()?) << known;
                    known += 8;
                }
                codes.push((bits & ((1 << width) - 1)) as i32);
                bits >>= width;
                known -= width;
            }
            bytes = rest;
        }
    }
    Some(())
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_come_back(runs in prop::collection::vec((0_u32..5_000, 1_usize..40), 0..40), more in 0_u8..4) {
            let codes: Vec<u32> = runs.iter().flat_map(|&(code, length)| vec![code; length]).collect();
            let width = 13 + more;
            let mut page = Vec::new();
            pack(&codes, width, &mut page);
            let mut back = Vec::new();
            prop_assert!(unpack(&page, width, codes.len(), &mut back).is_some());
            prop_assert!(back.iter().map(|&code| code as u32).eq(codes.iter().copied()));
            // Bytes that are cut off are missed, not invented; what fills the last group up may be cut.
            let mut cut = Vec::new();
            let found = unpack(&page[..page.len() / 2], width, codes.len(), &mut cut);
            prop_assert!(found.is_none() || cut == back);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60), width in 0_u8..40, count in 0_usize..5_000) {
            let mut codes = Vec::new();
            if unpack(&bytes, width, count, &mut codes).is_some() {
                prop_assert_eq!(codes.len(), count);
            }
            prop_assert!(codes.len() <= count);
        }
    }
}
