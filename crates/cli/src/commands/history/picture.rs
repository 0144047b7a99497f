//! A series as a PNG picture, without a library: eight bits a pixel, a palette of four, stored without compression.

use twinwright_history::compact::Summary;

use super::chart::{bounds, joined, level};

const WIDTH: usize = 960;
const HEIGHT: usize = 320;
const MARGIN: usize = 16;
/// Paper, frame, shade, line.
const PALETTE: [u8; 12] = [255, 255, 255, 160, 160, 160, 190, 215, 240, 20, 90, 160];

/// The picture of a series: the mean as a line, the span from least to greatest as its shade.
pub(super) fn png(summaries: &[Summary]) -> Vec<u8> {
    let (wide, high) = (WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN);
    let columns = joined(summaries, wide);
    let bounds = bounds(&columns);
    let mut pixels = vec![0_u8; WIDTH * HEIGHT];
    let mut set =
        |x: usize, y: usize, colour: u8| pixels[(HEIGHT - 1 - MARGIN - y) * WIDTH + MARGIN + x] = colour;
    (0..wide).for_each(|x| set(x, 0, 1));
    (0..high).for_each(|y| set(0, y, 1));
    let stretch = (wide / columns.len().max(1)).max(1);
    let mut before: Option<usize> = None;
    for (number, summary) in columns.iter().enumerate() {
        let Some(mean) = summary.mean() else {
            before = None;
            continue;
        };
        let (low, middle, top) =
            (level(summary.min, bounds, high), level(mean, bounds, high), level(summary.max, bounds, high));
        for x in number * stretch..((number + 1) * stretch).min(wide) {
            (low..=top).for_each(|y| set(x, y, 2));
            // A step from the last mean keeps the line whole.
            let from = before.take().unwrap_or(middle);
            (from.min(middle)..=from.max(middle)).for_each(|y| set(x, y, 3));
        }
        before = Some(middle);
    }
    let mut raw = Vec::with_capacity((WIDTH + 1) * HEIGHT);
    for row in pixels.chunks(WIDTH) {
        raw.push(0);
        raw.extend_from_slice(row);
    }
    let mut file = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    let mut head = Vec::new();
    for size in [WIDTH, HEIGHT] {
        head.extend_from_slice(&u32::try_from(size).unwrap_or(0).to_be_bytes());
    }
    // Eight bits, palette, no interlacing.
    head.extend_from_slice(&[8, 3, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &head);
    chunk(&mut file, *b"PLTE", &PALETTE);
    chunk(&mut file, *b"IDAT", &stored(&raw));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// A zlib stream of stored blocks (RFC 1950, RFC 1951).
fn stored(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks = raw.chunks(65_535);
    let last = blocks.len();
    for (at, block) in blocks.enumerate() {
        out.push(u8::from(at + 1 == last));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in raw {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend_from_slice(&((b << 16) | a).to_be_bytes());
    out
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend_from_slice(&u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    let start = file.len();
    file.extend_from_slice(&kind);
    file.extend_from_slice(data);
    let sum = crc(&file[start..]);
    file.extend_from_slice(&sum.to_be_bytes());
}

/// CRC-32 as PNG has it.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}
