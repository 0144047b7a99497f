//! Escapes of JSON strings: finding them eight bytes at a time, and resolving them.

use super::Scan;
use crate::error::{Fault, Problem};

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

#[inline]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ (LOW_BITS * u64::from(byte));
    difference.wrapping_sub(LOW_BITS) & !difference & HIGH_BITS
}

/// The lowest set bit is exact; bits above it may be false, which is why only the lowest is used.
#[inline]
fn special(word: u64) -> Option<usize> {
    let hits = bytes_equal(word, b'"') | bytes_equal(word, b'\\');
    if hits == 0 { None } else { Some((hits.trailing_zeros() / 8) as usize) }
}

#[inline]
pub(super) fn find_quote_or_escape(input: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for _ in 0..SHORT_RUN {
        let Some(chunk) = input.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        if let Some(offset) = special(u64::from_le_bytes(*chunk)) {
            return Some(at + offset);
        }
        at += 8;
    }
    far(input, at).map(|offset| at + offset)
}

/// Words of eight bytes that are looked at one by one; a longer run is left to wider instructions.
const SHORT_RUN: usize = 4;

/// Where the next quote or escape is, from `read` on, where bytes go by in long runs.
fn far(input: &[u8], read: usize) -> Option<usize> {
    memchr::memchr2(b'"', b'\\', input.get(read..)?)
}

/// Copies a string's text from `input[read..]` (behind its opening quote) to `out[write..]`, escapes
/// resolved; returns the positions behind the closing quote and behind the text.
pub(super) fn unescape(
    input: &[u8],
    mut read: usize,
    out: &mut [u8],
    mut write: usize,
) -> Scan<(usize, usize)> {
    let truncated = Fault { position: input.len(), problem: Problem::Truncated };
    let mut run = 0;
    loop {
        // Eight bytes are copied before it is known how many of them count: cheaper than a copy of
        // just the right length, since escapes come every ten bytes or so.
        let rest = input.get(read..).unwrap_or_default();
        let offset =
            match (rest.first_chunk::<8>(), out.get_mut(write..).and_then(|to| to.first_chunk_mut::<8>())) {
                (Some(chunk), Some(target)) if run < SHORT_RUN => {
                    *target = *chunk;
                    match special(u64::from_le_bytes(*chunk)) {
                        Some(offset) => offset,
                        None => {
                            read += 8;
                            write += 8;
                            run += 1;
                            continue;
                        }
                    }
                }
                _ => {
                    let offset = far(input, read).ok_or(truncated)?;
                    out.get_mut(write..write + offset).ok_or(truncated)?.copy_from_slice(&rest[..offset]);
                    offset
                }
            };
        read += offset;
        write += offset;
        run = 0;
        if input[read] == b'"' {
            return Ok((read + 1, write));
        }
        let escape = Escape::read(input, read)?;
        out.get_mut(write..write + escape.written)
            .ok_or(truncated)?
            .copy_from_slice(&escape.bytes[..escape.written]);
        read += escape.length;
        write += escape.written;
    }
}

/// Unescapes a string's text from `input[read..]` until at least `enough` bytes are in `out` or the string ends;
/// returns the position reached and whether it is that of the closing quote. Slower than [`unescape`].
pub(crate) fn unescape_some(
    input: &[u8],
    mut read: usize,
    out: &mut Vec<u8>,
    enough: usize,
) -> Scan<(usize, bool)> {
    while out.len() < enough {
        let found = find_quote_or_escape(input, read)
            .ok_or(Fault { position: input.len(), problem: Problem::Truncated })?;
        let end = found.min(read.saturating_add(enough - out.len()));
        out.extend_from_slice(&input[read..end]);
        read = end;
        if read < found {
            break;
        }
        if input[read] == b'"' {
            return Ok((read, true));
        }
        if out.len() < enough {
            let escape = Escape::read(input, read)?;
            out.extend_from_slice(&escape.bytes[..escape.written]);
            read += escape.length;
        }
    }
    Ok((read, false))
}

/// Copies bytes up to the next quote or escape; returns how many, or nothing where either buffer ends first.
#[inline]
pub(crate) fn copy_run(input: &[u8], read: usize, out: &mut [u8], write: usize) -> Option<usize> {
    let mut done = 0;
    loop {
        let chunk = input.get(read + done..)?.first_chunk::<8>()?;
        let target = out.get_mut(write + done..)?.first_chunk_mut::<8>()?;
        *target = *chunk;
        match special(u64::from_le_bytes(*chunk)) {
            Some(offset) => return Some(done + offset),
            None => done += 8,
        }
    }
}

/// One escape sequence: what it stands for and how long it is.
pub(crate) struct Escape {
    bytes: [u8; 4],
    written: usize,
    pub(crate) length: usize,
}

impl Escape {
    #[inline]
    pub(crate) fn read(input: &[u8], at: usize) -> Scan<Self> {
        let Some(kind) = input.get(at + 1) else {
            return Err(Fault { position: input.len(), problem: Problem::Truncated });
        };
        let bad = Fault { position: at, problem: Problem::BadEscape };
        let plain = match *kind {
            kind @ (b'"' | b'\\' | b'/') => kind,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let (character, length) = unicode_escape(input, at).ok_or(bad)?;
                let mut bytes = [0; 4];
                let written = character.encode_utf8(&mut bytes).len();
                return Ok(Self { bytes, written, length });
            }
            _ => return Err(bad),
        };
        Ok(Self { bytes: [plain, 0, 0, 0], written: 1, length: 2 })
    }
}

/// The character of `\uXXXX` or of a surrogate pair, and the length of its escape. Half a pair becomes
/// U+FFFD, as .NET writes it to UTF-8: refusing it would let one device block a partition.
fn unicode_escape(input: &[u8], at: usize) -> Option<(char, usize)> {
    let first = hex4(input.get(at + 2..at + 6)?)?;
    if (0xD800..0xDC00).contains(&first) && input.get(at + 6..at + 8) == Some(b"\\u") {
        let second = hex4(input.get(at + 8..at + 12)?)?;
        if (0xDC00..0xE000).contains(&second) {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Some((char::from_u32(code)?, 12));
        }
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}
