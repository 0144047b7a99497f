//! What the fuzz targets share.
//!
//! With `cargo fuzz run models --features fuzzing` (nightly) libFuzzer drives a target. Without the feature a target is a plain
//! program: `cargo run --release --bin models -- SECONDS [FOLDER]` mutates the files of the folder, or a model of its own, for as
//! long as it is told, and leaves the bytes that made it panic in `crash.bin`.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// Something of everything, for want of a folder.
pub const SEED: &str = include_str!("seed.json");

/// Runs a target on mutated seeds until the time is over; the arguments are those of the program.
pub fn drive(target: impl Fn(&[u8])) {
    let mut arguments = std::env::args_os().skip(1);
    let seconds = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(10);
    let mut seeds: Vec<Vec<u8>> = vec![SEED.as_bytes().to_vec()];
    if let Some(folder) = arguments.next() {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        seeds.extend(entries.filter_map(|entry| std::fs::read(entry.path()).ok()));
    }
    let (start, mut random, mut runs, mut slowest) =
        (Instant::now(), Random(0x9E37_79B9_7F4A_7C15), 0_u64, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(seconds) {
        let bytes = mutate(&seeds, &mut random);
        let begin = Instant::now();
        if panic::catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
            let kept = std::fs::write("crash.bin", &bytes);
            eprintln!("a panic after {runs} runs; crash.bin: {kept:?}");
            std::process::exit(1);
        }
        slowest = slowest.max(begin.elapsed());
        runs += 1;
    }
    println!("{runs} runs without a panic, the slowest took {slowest:?}");
}

fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            bytes.push(b'{');
        }
        let at = random.below(bytes.len());
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] = random.byte(),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, random.byte()),
            3 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let to = (from + random.below(200)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            4 => {
                let piece: Vec<u8> = bytes[at..end].repeat(1 + random.below(20));
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// A small generator: the same runs every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}
