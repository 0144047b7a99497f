//! Codes as bytes (Parquet format: RLE / bit-packing hybrid).

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
    for group in whole.iter().chain((!rest.is_empty()).then_some(&last)) {
        let (low, high) = group.split_at(4);
        if width <= 16 {
            let four =
                |codes: &[u32]| codes.iter().rev().fold(0, |bits, &code| (bits << width) | u64::from(code));
            let bits = u128::from(four(low)) | (u128::from(four(high)) << (4 * width));
            page.extend_from_slice(&bits.to_le_bytes()[..width]);
        } else {
            let four =
                |codes: &[u32]| codes.iter().rev().fold(0, |bits, &code| (bits << width) | u128::from(code));
            // Four codes of an odd width end within a byte: the second half begins there.
            let (low, high) = (four(low), four(high));
            let (bytes, odd) = (4 * width / 8, 4 * width % 8);
            page.extend_from_slice(&low.to_le_bytes()[..bytes]);
            let shared = if odd == 0 { high } else { (high << odd) | (low >> (8 * bytes)) };
            page.extend_from_slice(&shared.to_le_bytes()[..width - bytes]);
        }
    }
}
