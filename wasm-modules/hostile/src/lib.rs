//! A scorer that misbehaves on request, for the host's tests. It has no manifest and is never published.
//!
//! The baseline's bytes are the name of the misbehaviour.

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

struct Hostile;

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
        Descriptor {
            name: "hostile".to_owned(),
            version: "0.0.1".to_owned(),
            state_format: 1,
            deterministic: false,
        }
    }

    fn prepare(baseline: Vec<u8>) -> Result<(), String> {
        let how = String::from_utf8_lossy(&baseline).into_owned();
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
