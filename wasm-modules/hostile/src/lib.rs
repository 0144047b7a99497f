//! A scorer that misbehaves on request, for the host's tests. It has no manifest and is never published.
//!
//! The baseline's bytes are the name of the misbehaviour, unless [`MARK`] names one: tests change the mark's bytes in
//! the component, and so make versions of it that behave differently with a real baseline.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

wit_bindgen::generate!({ path: "../wit", world: "scorer" });

use crate::exports::twinwright::scoring::scoring::{Batch, Descriptor, Guest, Scored};
use crate::twinwright::scoring::log::{Level, log};

thread_local! {
    static HOW: RefCell<String> = const { RefCell::new(String::new()) };
    static LEAK: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Fields of a fixed width.
static MARK: &str = "@@HOSTILE:version=0.0.1;how=                ;@@";

fn mark(field: &str) -> &'static str {
    let text: &'static str = black_box(MARK);
    text.split_once(field).and_then(|(_, rest)| rest.split(';').next()).unwrap_or_default().trim()
}

struct Hostile;

/// Scores that follow from the rows' times, times a factor: what a working scorer might say.
fn steady(answer: &mut Scored, times: &[u8], factor: f64) {
    let signals = (answer.contributions.len() / answer.scores.len().max(1)).max(1);
    let scores: Vec<f64> = times
        .chunks_exact(8)
        .map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap_or_default()))
        .map(|time| factor * (0.05 + 0.9 * ((time / 1_000_000).rem_euclid(997) * 7_919 % 997) as f64 / 997.0))
        .collect();
    let mut contributions = vec![0.0; scores.len() * signals];
    for (row, score) in scores.iter().enumerate() {
        contributions[row * signals] = *score;
    }
    answer.scores = pack(&scores);
    answer.contributions = pack(&contributions);
}

fn waste(turns: u64) {
    for turn in 0..turns {
        black_box(turn);
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns).wrapping_add(1);
    }
}

/// Recursion that needs the engine's stack alone: neither memory of the guest nor a loop can replace it.
fn recurse(depth: u64) -> u64 {
    static NEVER: AtomicU64 = AtomicU64::new(u64::MAX);
    if depth == NEVER.load(Ordering::Relaxed) { 0 } else { recurse(depth + 1).rotate_left(3) ^ depth }
}

fn pack(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl Guest for Hostile {
    fn describe() -> Descriptor {
        if mark("how=") == "describe-spin" {
            spin();
        }
        Descriptor {
            name: "hostile".to_owned(),
            version: mark("version=").to_owned(),
            state_format: 1,
            deterministic: false,
        }
    }

    fn prepare(baseline: Vec<u8>) -> Result<(), String> {
        let how = match mark("how=") {
            "" => String::from_utf8_lossy(&baseline).into_owned(),
            told => told.to_owned(),
        };
        match how.as_str() {
            "prepare-spin" => spin(),
            "prepare-panic" => panic!("asked to"),
            "prepare-refuse" => return Err("the baseline\n\u{1b}[31mis not mine".to_owned()),
            _ => {}
        }
        HOW.set(how);
        Ok(())
    }

    fn score(batch: Batch) -> Result<Scored, String> {
        let rows = batch.device.len() / 4;
        let times = batch.time;
        let cells = rows * batch.signals as usize;
        let mut answer = Scored {
            scores: pack(&vec![0.5; rows]),
            status: vec![0; rows],
            contributions: pack(&vec![0.0; cells]),
            state: batch.state,
            state_ends: batch.state_ends,
        };
        match HOW.with_borrow(Clone::clone).as_str() {
            "spin" => spin(),
            "trap" => panic!("asked to"),
            "recurse" => {
                black_box(recurse(0));
            }
            "memory" => loop {
                LEAK.with_borrow_mut(|leak| leak.push(black_box(vec![1; 1 << 20])));
            },
            "leak" => LEAK.with_borrow_mut(|leak| leak.push(black_box(vec![1; 1 << 20]))),
            "short" => answer.scores.truncate(8),
            "ragged" => answer.scores.push(0),
            "huge" => answer.state = vec![7; 4 << 20],
            "nan" => answer.scores = pack(&vec![f64::NAN; rows]),
            "negative" => answer.scores = pack(&vec![-1.0; rows]),
            "contribution" => answer.contributions = pack(&vec![f64::INFINITY; cells]),
            "steady" => steady(&mut answer, &times, 1.0),
            "drifted" => steady(&mut answer, &times, 1.7),
            "slow" => {
                steady(&mut answer, &times, 1.0);
                waste(200_000_000);
            }
            "crash-1-percent" => {
                steady(&mut answer, &times, 1.0);
                let bad = |bytes: &[u8]| {
                    bytes.try_into().is_ok_and(|b| i64::from_le_bytes(b) / 1_000_000 % 100 == 7)
                };
                assert!(!times.chunks_exact(8).any(bad), "one row in a hundred");
            }
            // Sound on the rows of the self-test, which are of 2023.
            "crash-on-recent" => {
                steady(&mut answer, &times, 1.0);
                let recent = |bytes: &[u8]| {
                    bytes.try_into().is_ok_and(|b| i64::from_le_bytes(b) > 1_750_000_000_000_000)
                };
                assert!(!times.chunks_exact(8).any(recent), "a recent row");
            }
            "long" => answer.scores.extend(pack(&[0.5])),
            "none" => answer.scores.clear(),
            "infinite" => answer.scores = pack(&vec![f64::INFINITY; rows]),
            "edge" => {
                let edges = [0.0, f64::MIN_POSITIVE / 4.0, 1e308, f64::MIN_POSITIVE];
                answer.scores = pack(&(0..rows).map(|row| edges[row % 4]).collect::<Vec<_>>());
            }
            "contribution-nan" => answer.contributions = pack(&vec![f64::NAN; cells]),
            "state-memory" => {
                // Adds the number of earlier calls, which no scorer may remember.
                LEAK.with_borrow_mut(|leak| leak.push(Vec::new()));
                let calls = LEAK.with_borrow(Vec::len) as f64;
                answer.scores = pack(&vec![calls; rows]);
            }
            "exit" => std::process::abort(),
            "divide" => {
                black_box(rows / black_box(0_usize));
            }
            "null" => {
                black_box(
                    answer
                        .scores
                        .get(black_box(usize::MAX))
                        .copied()
                        .unwrap_or_else(|| panic!("out of bounds")),
                );
            }
            "status" => answer.status.fill(9),
            "state-ends" => answer.state_ends.fill(0xff),
            "refuse" => return Err("not today".to_owned()),
            "log" => {
                for line in 0..200 {
                    log(Level::Warn, &format!("line {line}\n\u{1b}[31m{}", "x".repeat(5_000)));
                }
            }
            _ => {}
        }
        Ok(answer)
    }
}

export!(Hostile);
