//! How fast the scorer `smoothed-mahalanobis` is when it is called through extism: `extism-peer GUEST.wasm` prints
//! the rows that one core scores in a second, as one JSON object.
//!
//! The measurement is that of the project's own bench of scoring: the same baseline and rows, a deadline and a memory
//! limit as the project's host sets them, typed numbers in and typed, checked numbers out, the best of many times.
//! How batches and answers are packed stands at the top of the guest.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot run has nothing to say")]

use std::time::{Duration, Instant};

use extism::{Manifest, Plugin, PluginBuilder, Wasm};
use twinwright_core::scoring::{ScoreBatch, Scored, StateBlobs, check_answer};
use twinwright_kernels::Baseline;
use twinwright_kernels::baseline::{FORMAT, Regime, TrainingWindow};
use twinwright_kernels::wire::Packed;

const SIGNALS: usize = 8;
const ROWS: usize = 1_000;
const DEVICES: usize = 20;
const DEADLINE: Duration = Duration::from_millis(250);
/// 64 MiB in pages of WebAssembly.
const MEMORY_PAGES: u32 = 1_024;
const STATE_LIMIT: usize = 1 << 20;
const FIELDS: usize = 8;

fn baseline() -> Vec<u8> {
    let unit = |at: usize| if at / SIGNALS == at % SIGNALS { 20.0 } else { 0.5 };
    let regime = Regime {
        centre: vec![],
        scale: vec![],
        weight: 1.0,
        mean: vec![0.5; SIGNALS],
        deviation: vec![0.1; SIGNALS],
        precision: (0..SIGNALS * SIGNALS).map(unit).collect(),
        ewma_deviation: vec![0.3; SIGNALS],
        components: vec![],
    };
    let baseline = Baseline {
        format: FORMAT,
        id: "bench/1".to_owned(),
        equipment: "bench".to_owned(),
        created: String::new(),
        window: TrainingWindow::default(),
        data_hash: String::new(),
        signals: (0..SIGNALS).map(|at| format!("s{at}")).collect(),
        scorers: vec![],
        settings: vec![],
        regimes: vec![regime],
        window_rows: 30,
        ewma_alpha: 0.1,
        gap_reset_seconds: 60.0,
        slow_alpha: vec![],
        range: None,
        principal: None,
        mixture: None,
        limits: ["smoothed-mahalanobis", "ewma-chart"].map(|name| (name.to_owned(), 4.0)).into(),
        metrics: Default::default(),
        note: String::new(),
    };
    baseline.to_json().unwrap()
}

fn load(guest: Vec<u8>) -> Plugin {
    let manifest = Manifest::new([Wasm::data(guest)]).with_timeout(DEADLINE).with_memory_max(MEMORY_PAGES);
    let mut plugin = PluginBuilder::new(manifest).build().unwrap();
    plugin.call::<&[u8], ()>("prepare", &baseline()).unwrap();
    plugin
}

/// One call; `packed` is room for the batch that the next call uses again.
fn score(plugin: &mut Plugin, packed: &mut Vec<u8>, batch: &ScoreBatch<'_>) -> Scored {
    let buffers = [
        i64::bytes(batch.time),
        f64::bytes(batch.values),
        u32::bytes(batch.device),
        u32::bytes(&batch.state.ends),
        batch.mask,
        &batch.state.bytes,
    ];
    let mut header = [0; FIELDS];
    header[0] = u32::try_from(batch.signals).unwrap();
    for (field, buffer) in header[1..].iter_mut().zip(buffers) {
        *field = u32::try_from(buffer.len()).unwrap();
    }
    packed.clear();
    for buffer in [u32::bytes(&header)].into_iter().chain(buffers) {
        packed.extend_from_slice(buffer);
    }
    let answer: &[u8] = plugin.call("score", packed.as_slice()).unwrap();
    let scored = unpack(answer).unwrap();
    check_answer(batch, &scored, STATE_LIMIT).unwrap();
    scored
}

fn unpack(answer: &[u8]) -> Option<Scored> {
    let (header, mut rest) = answer.split_at_checked(FIELDS * size_of::<u32>())?;
    let mut lengths = numbers(header, u32::from_le_bytes)?.into_iter();
    let mut take = || {
        let (buffer, behind) = rest.split_at_checked(lengths.next()? as usize)?;
        rest = behind;
        Some(buffer)
    };
    let scores = numbers(take()?, f64::from_le_bytes)?;
    let contributions = numbers(take()?, f64::from_le_bytes)?;
    let ends = numbers(take()?, u32::from_le_bytes)?;
    let status = take()?.to_vec();
    Some(Scored { scores, status, contributions, state: StateBlobs { bytes: take()?.to_vec(), ends } })
}

/// A copy, as extism's memory aligns to nothing; `None` where a number is cut short.
fn numbers<const SIZE: usize, T>(bytes: &[u8], read: impl Fn([u8; SIZE]) -> T) -> Option<Vec<T>> {
    let (numbers, rest) = bytes.as_chunks();
    rest.is_empty().then(|| numbers.iter().copied().map(read).collect())
}

fn main() {
    let guest = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let (mut plugin, mut packed) = (load(guest), Vec::new());
    let device: Vec<u32> = (0..ROWS).map(|row| (row % DEVICES) as u32).collect();
    let values: Vec<f64> = (0..ROWS * SIGNALS).map(|at| 0.5 + 0.1 * (at as f64).sin()).collect();
    let mask = vec![0; ROWS * SIGNALS];
    let mut state = StateBlobs { bytes: Vec::new(), ends: vec![0; DEVICES] };
    let times = (0..500).map(|batch| {
        // Rows that go on where the last batch ended.
        let time: Vec<i64> = (0..ROWS as i64).map(|row| (batch * ROWS as i64 + row) * 1_000).collect();
        let batch = ScoreBatch {
            signals: SIGNALS,
            device: &device,
            time: &time,
            values: &values,
            mask: &mask,
            state: &state,
        };
        let started = Instant::now();
        let answer = score(&mut plugin, &mut packed, &batch);
        let took = started.elapsed();
        state = answer.state;
        took
    });
    let best = times.min().unwrap().as_secs_f64();
    println!("{{\"extism_rows_per_s_core\": {}}}", ROWS as f64 / best);
}
