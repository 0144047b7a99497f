//! `plugin bench`: what a scorer costs, by batch size, beside the built-in scorer on the same rows.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_core::scoring::{ScoreBatch, Scorer, StateBlobs};
use twinwright_kernels::Baseline;
use twinwright_scoring::StandIn;

use super::cases::{cases_of, component_of, made_up};
use super::package::{load, metered};
use crate::args::PluginBenchOptions;
use crate::output::{Output, table};

const SIZES: [usize; 4] = [1, 10, 100, 1_000];
/// Each size is timed for so long, and at least a few times.
const BUDGET: Duration = Duration::from_millis(600);
const DEVICES: usize = 10;
/// Rows of the call whose fuel is counted: few, because a metered scorer is slower.
const METERED_ROWS: usize = 100;
/// Limit of the built-in scorer where the baseline has none: it changes no time.
const BUILT_IN_LIMIT: f64 = 4.0;

/// Runs `plugin bench`.
pub(super) fn bench(options: &PluginBenchOptions, output: Output) -> anyhow::Result<()> {
    let started = Instant::now();
    let (bytes, loaded) = load(&component_of(&options.path)?)?;
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    let json = match (&options.baseline, cases_of(&options.path)?.first()) {
        (Some(path), _) => fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        (None, Some((_, case))) => case.baseline.get().as_bytes().to_vec(),
        (None, None) => made_up(options.signals, &loaded.descriptor().name)?,
    };
    let baseline = Baseline::from_json(&json)?;
    let mut scorer = loaded.instantiate(&json)?;
    let mut own = baseline.clone();
    own.limits.entry("ewma-chart".to_owned()).or_insert(BUILT_IN_LIMIT);
    let mut native = StandIn::new(&own.to_json()?)?;
    let mut rows = Vec::new();
    for size in SIZES {
        rows.push((size, fastest(&mut scorer, &baseline, size)?, fastest(&mut native, &baseline, size)?));
    }
    let memory = loaded.metrics().memory;
    let mut counted = metered()?.load(&bytes)?.instantiate(&json)?;
    let before = counted.fuel();
    fastest_of(&mut counted, &baseline, METERED_ROWS, 1)?;
    let fuel = counted.fuel().zip(before).map(|(after, before)| (after - before) / METERED_ROWS as u64);
    let per_row = |size: usize, took: Duration| took.as_secs_f64() * 1e6 / size as f64;
    let sizes: Vec<_> = rows
        .iter()
        .map(|(size, own, built_in)| {
            let (own_us, built_in_us) = (per_row(*size, *own), per_row(*size, *built_in));
            json!({ "rows": size, "us_per_row": own_us, "rows_per_s": 1e6 / own_us, "built_in_us_per_row": built_in_us })
        })
        .collect();
    let shown = json!({
        "scorer": loaded.id(), "bytes": bytes.len(), "load_ms": load_ms, "from_cache": loaded.from_cache(),
        "memory_bytes": memory, "signals": baseline.signals.len(), "sizes": sizes,
        "fuel_per_row": fuel,
    });
    output.result(&shown, || {
        let lines: Vec<Vec<String>> = rows
            .iter()
            .map(|(size, own, built_in)| {
                let own_us = per_row(*size, *own);
                let ratio = own_us / per_row(*size, *built_in);
                vec![
                    size.to_string(),
                    format!("{own_us:.2}"),
                    format!("{:.0}", 1e6 / own_us),
                    format!("{ratio:.1}"),
                ]
            })
            .collect();
        format!(
            "{}: {} kB, loaded in {load_ms:.0} ms ({}), memory {} kB, {} signals, fuel {} a row\n{}",
            loaded.id(),
            bytes.len() / 1000,
            if loaded.from_cache() { "compiled before" } else { "compiled now" },
            memory / 1000,
            baseline.signals.len(),
            fuel.map_or("not metered".to_owned(), |fuel| fuel.to_string()),
            table(&["rows a call", "µs a row", "rows/s", "times the built-in scorer"], &lines)
        )
    });
    match (fuel, options.most_fuel) {
        (Some(fuel), Some(most)) if fuel > most => {
            bail!("{} takes {fuel} fuel a row, at most {most} is allowed", loaded.id())
        }
        _ => Ok(()),
    }
}

/// The fastest of many calls: others share the machine.
fn fastest(scorer: &mut dyn Scorer, baseline: &Baseline, rows: usize) -> anyhow::Result<Duration> {
    fastest_of(scorer, baseline, rows, i64::MAX)
}

fn fastest_of(
    scorer: &mut dyn Scorer,
    baseline: &Baseline,
    rows: usize,
    most: i64,
) -> anyhow::Result<Duration> {
    let signals = baseline.signals.len();
    let means: &[f64] = baseline.regimes.first().map_or(&[], |regime| &regime.mean);
    let device: Vec<u32> = (0..rows).map(|row| u32::try_from(row % DEVICES).unwrap_or(0)).collect();
    let mean = |at: usize| means.get(at % signals.max(1)).copied().unwrap_or(0.0);
    let values: Vec<f64> = (0..rows * signals).map(|at| mean(at) + 0.1 * (at as f64).sin()).collect();
    let mask = vec![0; rows * signals];
    let mut state = StateBlobs { bytes: Vec::new(), ends: vec![0; DEVICES] };
    let (mut best, begun) = (Duration::MAX, Instant::now());
    let mut calls = 0_i64;
    while calls < most && (calls < 5 || begun.elapsed() < BUDGET) {
        let from = 1_700_000_000_000_000 + calls * 1_000_000 * i64::try_from(rows)?;
        let time: Vec<i64> = (0..i64::try_from(rows)?).map(|row| from + row * 1_000_000).collect();
        let batch =
            ScoreBatch { signals, device: &device, time: &time, values: &values, mask: &mask, state: &state };
        let started = Instant::now();
        let answer = scorer.score(&batch)?;
        best = best.min(started.elapsed());
        state = answer.state;
        calls += 1;
    }
    Ok(best)
}
