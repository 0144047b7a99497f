//! drift-rust: how far each signal's smoothed deviation has drifted from the baseline.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Deserialize;

wit_bindgen::generate!({ path: "wit", world: "scorer" });

use crate::exports::twinwright::scoring::scoring::{Batch, Descriptor, Guest, Scored};

const NAME: &str = "drift-rust";
const STATE_FORMAT: u8 = 1;
/// The limit where a baseline has none for this scorer: in smoothed standard deviations.
const DEFAULT_LIMIT: f64 = 3.0;
const INSUFFICIENT: u8 = 2;

#[derive(Deserialize)]
struct Baseline {
    regimes: Vec<Regime>,
    #[serde(default = "alpha")]
    ewma_alpha: f64,
    #[serde(default)]
    limits: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Regime {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

fn alpha() -> f64 {
    0.1
}

thread_local! {
    static PREPARED: RefCell<Option<Baseline>> = const { RefCell::new(None) };
}

fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|chunk| f64::from_le_bytes(chunk.try_into().unwrap())).collect()
}

fn indices(bytes: &[u8]) -> Vec<usize> {
    bytes.chunks_exact(4).map(|chunk| u32::from_le_bytes(chunk.try_into().unwrap()) as usize).collect()
}

fn pack(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A blob that is not ours, or that is cut, is no state.
fn unpack(blob: &[u8], signals: usize) -> Vec<f64> {
    match blob.split_first() {
        Some((&STATE_FORMAT, rest)) if rest.len() == 8 * signals => {
            numbers(rest).into_iter().map(|value| if value.abs() < 1e12 { value } else { 0.0 }).collect()
        }
        _ => vec![0.0; signals],
    }
}

struct Scorer;

impl Guest for Scorer {
    fn describe() -> Descriptor {
        Descriptor {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state_format: STATE_FORMAT.into(),
            deterministic: true,
        }
    }

    fn prepare(baseline: Vec<u8>) -> Result<(), String> {
        let baseline: Baseline = serde_json::from_slice(&baseline).map_err(|error| error.to_string())?;
        let regime = baseline.regimes.first().ok_or("the baseline has no regime")?;
        if regime.mean.len() != regime.deviation.len() {
            return Err("the baseline's deviation has another length than its mean".to_owned());
        }
        PREPARED.set(Some(baseline));
        Ok(())
    }

    fn score(batch: Batch) -> Result<Scored, String> {
        PREPARED.with_borrow(|prepared| score(prepared.as_ref().ok_or("score was called before prepare")?, &batch))
    }
}

fn score(baseline: &Baseline, batch: &Batch) -> Result<Scored, String> {
    let regime = &baseline.regimes[0];
    let signals = batch.signals as usize;
    if signals != regime.mean.len() {
        return Err(format!("{signals} signals, the baseline has {}", regime.mean.len()));
    }
    let limit = baseline.limits.get(NAME).copied().unwrap_or(DEFAULT_LIMIT);
    let (devices, ends, values) = (indices(&batch.device), indices(&batch.state_ends), numbers(&batch.values));
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let mut smoothed: Vec<Vec<f64>> =
        starts.zip(&ends).map(|(start, end)| unpack(&batch.state[start..*end], signals)).collect();
    let rows = devices.len();
    let (mut scores, mut status, mut contributions) = (vec![0.0; rows], vec![0; rows], vec![0.0; rows * signals]);
    for (row, device) in devices.iter().enumerate() {
        let state = &mut smoothed[*device];
        let mut seen = false;
        for signal in 0..signals {
            let at = row * signals + signal;
            if batch.mask[at] == 0 {
                seen = true;
                let distance = (values[at] - regime.mean[signal]) / regime.deviation[signal].max(1e-9);
                state[signal] += baseline.ewma_alpha * (distance - state[signal]);
            }
        }
        let mut largest = 0;
        for signal in 1..signals {
            if state[signal].abs() > state[largest].abs() {
                largest = signal;
            }
        }
        if seen {
            scores[row] = state[largest].abs() / limit;
            contributions[row * signals + largest] = scores[row];
        } else {
            status[row] = INSUFFICIENT;
        }
    }
    let (mut state, mut state_ends) = (Vec::new(), Vec::new());
    for values in &smoothed {
        state.push(STATE_FORMAT);
        state.extend(pack(values));
        state_ends.extend((state.len() as u32).to_le_bytes());
    }
    Ok(Scored { scores: pack(&scores), status, contributions: pack(&contributions), state, state_ends })
}

export!(Scorer);
