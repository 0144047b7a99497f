//! Time of the stages, from the handler's own log lines: it tells at level `debug` how long scoring took.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::handler::Bench;
use crate::load::Load;

const BATCHES: usize = 60;
const SKIPPED: usize = 10;

/// Medians in milliseconds a batch: the whole flow after the host's request is read, and scoring with alerts in it.
pub(crate) async fn measure(app: &Path) -> anyhow::Result<Map<String, Value>> {
    let bench = Bench::new(app).await?;
    let handler = bench.start("warn,twinwright_app=debug").await?;
    let mut load = Load::new(crate::DEVICES);
    handler.post(&load.batches(SKIPPED)).await?;
    handler.settle().await?;
    handler.post(&load.batches(BATCHES - SKIPPED)).await?;
    let log = std::fs::read_to_string(bench.log())?;
    let flow = median(&log, " batch ").context("the handler told no time of its batches")?;
    let score = median(&log, "scored and decided").context("the handler told no time of scoring")?;
    let mut stages = Map::new();
    stages.insert("flow_batch_ms".to_owned(), json!(flow));
    stages.insert("score_batch_ms".to_owned(), json!(score));
    stages.insert("decode_check_segment_batch_ms".to_owned(), json!(flow - score));
    Ok(stages)
}

fn median(log: &str, marker: &str) -> Option<f64> {
    let micros = |line: &str| -> Option<f64> {
        line.contains(marker)
            .then(|| line.split_once("micros=")?.1.split_whitespace().next()?.parse().ok())
            .flatten()
    };
    let mut values: Vec<f64> = log.lines().filter_map(micros).skip(SKIPPED).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).map(|micros| micros / 1e3)
}
