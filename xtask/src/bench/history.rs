//! Stored history: compaction and queries over 25.9 million rows, and the same query in DuckDB over the same files in the
//! same run.
//!
//! `TWINWRIGHT_BENCH_DAYS` makes it shorter than 30 days; the figures that depend on the size then only tell.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::{Context, Figure};
use crate::process::{run as run_command, say, watch};
use crate::tools::python;
use crate::workspace::HANDLER;

const EXAMPLE: &str = "bench_history";
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Making the segments of 30 days takes longer than measuring; they are made once.
const DEADLINE: Duration = Duration::from_secs(60 * 60);
const DAYS: &str = "30";

/// Measures all of it.
pub(super) fn run(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let workspace = &context.workspace;
    let days = std::env::var("TWINWRIGHT_BENCH_DAYS").unwrap_or_else(|_| DAYS.to_owned());
    let folder = workspace.target.join(format!("bench-history-{days}"));
    let mut cargo = workspace.cargo();
    // The handler's package is named too, so that dependencies have the features of the build that is there.
    cargo.args([
        "build",
        "--release",
        "--package",
        HANDLER,
        "--package",
        "twinwright-history",
        "--example",
        EXAMPLE,
    ]);
    run_command(&mut cargo, &format!("building {EXAMPLE}"), BUILD_DEADLINE)?;
    let mut command = Command::new(workspace.binary(&format!("examples/{EXAMPLE}"), true, None));
    let ours = told(command.arg(&folder).arg(&days), EXAMPLE)?;
    let peer = match python::install(&workspace.root, "history", "DuckDB over the same files, for comparison")
    {
        Ok(python) => peer(&python, &workspace.root, &folder, &days).map_err(|error| format!("{error:#}")),
        Err(cause) => Err(cause),
    };
    // The ratio is then missing, and what is missing reaches nothing.
    let peer = peer.unwrap_or_else(|cause| {
        say(&format!("no comparison with DuckDB: {cause}"));
        Value::Null
    });
    Ok(figures_of(&ours, &peer))
}

fn peer(python: &Path, root: &Path, folder: &Path, days: &str) -> anyhow::Result<Value> {
    let mut command = Command::new(python);
    told(command.arg(root.join("tests/bench/history_peer.py")).arg(folder).arg(days), "history_peer.py")
}

/// Runs a program and takes the JSON object that it prints.
fn told(command: &mut Command, what: &str) -> anyhow::Result<Value> {
    let mut told = None;
    watch(command, what, DEADLINE, &mut |line| match serde_json::from_str::<Value>(line) {
        Ok(value) if value.is_object() => told = Some(value),
        _ => say(line),
    })?;
    told.with_context(|| format!("{what} told no figures"))
}

fn figures_of(ours: &Value, peer: &Value) -> Vec<Figure> {
    let of = |name: &str| ours[name].as_f64().unwrap_or(f64::NAN);
    let duckdb = peer["series_warm_ms"].as_f64().unwrap_or(f64::NAN);
    let rows_of_the_day = peer["ways"]["rows_of_the_day"]["warm_ms"].as_f64().unwrap_or(f64::NAN);
    vec![
        Figure::at_most("series_warm_ms", of("series_warm_ms"), "ms", 20.0, 5.0),
        Figure::at_most("series_cold_ms", of("series_cold_ms"), "ms", 150.0, 50.0),
        Figure::at_most("series_ratio_to_duckdb", of("series_warm_ms") / duckdb, "times", 1.0, 0.5),
        Figure::told("series_duckdb_ms", duckdb, "ms"),
        Figure::told("series_from_rows_ms", of("series_from_rows_ms"), "ms"),
        Figure::told(
            "series_from_rows_ratio_to_duckdb",
            of("series_from_rows_ms") / rows_of_the_day,
            "times",
        ),
        Figure::at_most("fleet_hourly_30d_ms", of("fleet_hourly_30d_ms"), "ms", 300.0, 100.0),
        Figure::told("fleet_hourly_30d_one_signal_ms", of("fleet_hourly_30d_one_signal_ms"), "ms"),
        Figure::at_most("segment_write_ms", of("segment_write_ms"), "ms", 3.0, 1.0),
        Figure::at_most("bytes_per_value", of("bytes_per_value"), "bytes", 4.0, 2.0),
        Figure::told("bytes_per_value_with_roll_ups", of("bytes_per_value_with_roll_ups"), "bytes"),
        Figure::at_least(
            "compact_rows_per_s_core",
            of("compact_rows_per_s_core"),
            "rows/s",
            2_000_000.0,
            5_000_000.0,
        ),
        Figure::at_most("compact_rss_mb", of("compact_rss_mb"), "MB", 256.0, 256.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_reaches_nothing() {
        let ours = serde_json::json!({ "series_warm_ms": 4.0, "compact_rows_per_s_core": 3_000_000, "compact_rss_mb": 200 });
        let failed = |peer: &Value| -> Vec<String> {
            figures_of(&ours, peer)
                .iter()
                .filter(|figure| !figure.holds())
                .map(|figure| figure.name.clone())
                .collect()
        };
        let missing = ["series_cold_ms", "fleet_hourly_30d_ms", "segment_write_ms", "bytes_per_value"];
        assert_eq!(failed(&serde_json::json!({ "series_warm_ms": 8.0 })), missing);
        assert!(failed(&Value::Null).contains(&"series_ratio_to_duckdb".to_owned()));
    }
}
