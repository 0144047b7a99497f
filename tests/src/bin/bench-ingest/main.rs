//! Measures the `ingest` function from outside: starts the handler (and a peer in Python), posts batches as the
//! Functions host does, and reads the processor time and memory of the other process. Prints one JSON object with
//! what it measured; `cargo xtask bench ingest` holds that against what it must be.
//!
//! `bench-ingest APP [PYTHON PEER]`: the staged app, an interpreter with the peer's packages, the peer's script.
//!
//! [`load`] makes bodies before the clock starts, [`subject`] is a process under measurement, [`handler`] starts ours,
//! [`stages`] reads the handler's own timings.

mod handler;
mod load;
mod stages;
mod subject;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::handler::Bench;
use crate::load::{EVENTS, Load};
use crate::subject::{Spent, Subject};

/// Batches before anything is measured: scorers are compiled and loaded, caches warm.
const WARM_UP: usize = 10;
/// Batches of a round, and rounds; the two processes take turns, so that a noisy moment meets both.
const BATCHES: usize = 100;
const ROUNDS: usize = 3;
/// Batches of the memory measurement: every device fills its window of 30 rows.
const MEMORY_BATCHES: usize = 350;
const MANY_DEVICES: u64 = 10_000;
const DEVICES: u64 = 100;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (app, peer) = match &arguments[..] {
        [app] => (app, None),
        [app, python, script] => (app, Some((python.as_path(), script.as_path()))),
        _ => bail!("usage: bench-ingest APP [PYTHON PEER]"),
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(async {
        let mut measured = throughput(app, peer).await?;
        let stages = stages::measure(app).await.context("stages")?;
        let memory = memory(app).await.context("memory")?;
        let all = measured.as_object_mut().context("no figures")?;
        all.extend(stages);
        all.insert("rss_mb_10k_devices".to_owned(), json!(memory));
        anyhow::Ok(measured)
    })?;
    println!("{measured}");
    Ok(())
}

/// Events per processor second and per second, of the handler and, where there is one, of the peer.
async fn throughput(app: &Path, peer: Option<(&Path, &Path)>) -> anyhow::Result<Value> {
    let bench = Bench::new(app).await?;
    let handler = bench.start("warn").await?;
    let folder = tempfile::tempdir()?;
    let peer = match peer {
        Some((python, script)) => Some(Subject::peer(python, script, folder.path()).await?),
        None => None,
    };
    let mut load = Load::new(DEVICES);
    let bodies = load.batches(WARM_UP);
    for subject in [Some(&handler), peer.as_ref()].into_iter().flatten() {
        subject.post(&bodies).await?;
        subject.settle().await?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let bodies = load.batches(BATCHES);
        ours.push(handler.measure(&bodies).await?);
        say(&format!("round {round}: handler {}", words(ours.last())));
        if let Some(peer) = &peer {
            theirs.push(peer.measure(&bodies).await?);
            say(&format!("round {round}: peer {}", words(theirs.last())));
        }
    }
    bench.check_stored(EVENTS * (WARM_UP + BATCHES * ROUNDS)).await?;
    let mut measured = json!({
        "events_per_s_core": median(&ours, Spent::per_core_second),
        "events_per_s_wall": median(&ours, Spent::per_second),
        "batch_core_ms": EVENTS as f64 * 1e3 / median(&ours, Spent::per_core_second),
    });
    if !theirs.is_empty() {
        let (own, other) = (median(&ours, Spent::per_core_second), median(&theirs, Spent::per_core_second));
        measured["peer_events_per_s_core"] = json!(other);
        measured["ratio_to_python"] = json!(own / other);
    }
    Ok(measured)
}

/// Resident memory in MB after batches of ten thousand devices, with the snapshot of their states taken on the way.
async fn memory(app: &Path) -> anyhow::Result<f64> {
    let bench = Bench::new(app).await?;
    let handler = bench.start_with("warn", &[("TWINWRIGHT_INGEST__SNAPSHOT_EVERY_SEGMENTS", "320")]).await?;
    let mut load = Load::new(MANY_DEVICES);
    let mut left = MEMORY_BATCHES;
    while left > 0 {
        let some = left.min(25);
        handler.post(&load.batches(some)).await?;
        left -= some;
    }
    let resident = handler.resident_mb()?;
    say(&format!("{MANY_DEVICES} devices: {resident:.0} MB resident"));
    Ok(resident)
}

fn words(spent: Option<&Spent>) -> String {
    spent.map_or_else(String::new, |spent| {
        format!("{:.0} events/s a core, {:.0} events/s", spent.per_core_second(), spent.per_second())
    })
}

/// Of an odd number of rounds.
fn median(rounds: &[Spent], figure: impl Fn(&Spent) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Progress, on standard error: standard output is the result.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {text}");
}
