//! What a batch costs from the host's request to the reply, against what it must be and against a peer in Python.
//!
//! The load comes from a program of its own (`bench-ingest` in the tests' package), which reads the processor time
//! and the memory of the handler. Decoding and the segment's encoding are measured in examples of their crates.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::{Context, Figure, start};
use crate::package::{Build, build};
use crate::process::{say, watch};
use crate::tools::python;
use crate::workspace::HANDLER;

const LOAD: &str = "bench-ingest";
/// A build of the examples, where their dependencies are new.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
const DEADLINE: Duration = Duration::from_secs(10 * 60);

/// Measures all of it.
pub(super) fn run(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let mut figures = from_outside(context)?;
    figures.extend(from_examples(context)?);
    figures.extend(start::run(context)?);
    Ok(figures)
}

fn from_outside(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let workspace = &context.workspace;
    build(workspace, &Build::development(&[LOAD]))?;
    let mut command = Command::new(workspace.binary(LOAD, false, None));
    command.arg(context.app()?);
    match python::install(&workspace.root, "bench", "a handler in Python, for comparison") {
        Ok(python) => {
            command.arg(python).arg(workspace.root.join("tests/bench/peer.py"));
        }
        // The ratio is then missing, and what is missing reaches nothing.
        Err(cause) => say(&format!("no comparison with Python: {cause}")),
    }
    let mut told = String::new();
    watch(&mut command, LOAD, DEADLINE, &mut |line| {
        if line.starts_with('{') {
            line.clone_into(&mut told);
        } else {
            say(line);
        }
    })?;
    let told: Value = serde_json::from_str(&told).with_context(|| format!("{LOAD} told no figures"))?;
    Ok(figures_of(&told))
}

fn figures_of(told: &Value) -> Vec<Figure> {
    let value = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    let plain = |name: &str, from: &str, unit: &str| Figure::told(name, value(from), unit);
    vec![
        Figure::at_least(
            "ingest_events_per_s_core",
            value("events_per_s_core"),
            "events/s",
            200_000.0,
            400_000.0,
        ),
        plain("ingest_events_per_s_wall", "events_per_s_wall", "events/s"),
        Figure::at_least("ingest_ratio_to_python", value("ratio_to_python"), "times", 3.0, 6.0),
        plain("ingest_python_events_per_s_core", "peer_events_per_s_core", "events/s"),
        Figure::at_most("ingest_rss_mb_10k_devices", value("rss_mb_10k_devices"), "MB", 300.0, 300.0),
        plain("ingest_batch_core_ms", "batch_core_ms", "ms"),
        plain("ingest_flow_batch_ms", "flow_batch_ms", "ms"),
        plain("ingest_score_batch_ms", "score_batch_ms", "ms"),
        plain("ingest_decode_check_segment_batch_ms", "decode_check_segment_batch_ms", "ms"),
    ]
}

fn from_examples(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let decode = median_of(context, "azure-functions-rs-custom-handler", "decode_bench", "alike")?;
    let encode = median_of(context, "twinwright-history", "segment_bench", "encode")?;
    Ok(vec![
        Figure::at_most("decode_batch_ms", decode, "ms", 1.5, 1.0),
        Figure::told("segment_encode_batch_ms", encode, "ms"),
    ])
}

/// The median in milliseconds that an example tells in its line that starts with `line`. The handler's package is
/// named too, so that dependencies have the features of the build that is there.
fn median_of(context: &Context, package: &str, example: &str, line: &str) -> anyhow::Result<f64> {
    let mut cargo = context.workspace.cargo();
    cargo.args(["build", "--release", "--package", HANDLER, "--package", package, "--example", example]);
    crate::process::run(&mut cargo, &format!("building {example}"), BUILD_DEADLINE)?;
    let mut command = Command::new(context.workspace.binary(&format!("examples/{example}"), true, None));
    let mut median = None;
    watch(&mut command, example, DEADLINE, &mut |text| {
        if text.starts_with(line) {
            median = median_in(text);
        }
    })?;
    median.with_context(|| format!("{example} told no median"))
}

/// The number and unit after the word "median".
fn median_in(text: &str) -> Option<f64> {
    let mut words = text.split_once("median")?.1.split_whitespace();
    let value: f64 = words.next()?.parse().ok()?;
    match words.next()?.trim_end_matches(',') {
        "ms" => Some(value),
        "µs" => Some(value / 1e3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_read_in_their_unit() {
        assert_eq!(
            median_in("alike: 1000 events, 930 kB: median 0.912 ms, best 0.900 ms, worst 2.000 ms"),
            Some(0.912)
        );
        assert_eq!(median_in("encode   median    512 µs, 99th percentile    900 µs"), Some(0.512));
        assert_eq!(median_in("decode: done"), None);
    }

    #[test]
    fn what_was_not_measured_reaches_nothing() {
        let figures =
            figures_of(&serde_json::json!({ "events_per_s_core": 250_000.0, "rss_mb_10k_devices": 120.0 }));
        let failed: Vec<&str> =
            figures.iter().filter(|figure| !figure.holds()).map(|figure| figure.name.as_str()).collect();
        assert_eq!(failed, ["ingest_ratio_to_python"]);
    }
}
