//! The local Digital Twins service, from outside: durable patches, reads, imports and queries over HTTPS, and the
//! model parser. Each is an example of its crate that prints one JSON object.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::{Context, Figure};
use crate::process::{run as run_command, say, watch};

const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
const DEADLINE: Duration = Duration::from_secs(15 * 60);
const SERVICE: &str = "twinwright-local-digital-twins";
/// Names a folder with the 180 models of the ISA-95 ontology, which does not come with the project.
const ISA95: &str = "TWINWRIGHT_ISA95";

/// Measures all of it.
pub(super) fn run(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let service = told(context, SERVICE, "bench_twins", &[])?;
    let queries = told(context, SERVICE, "bench_queries", &[])?;
    let mut figures = figures_of(&service, &queries);
    match std::env::var_os(ISA95).map(PathBuf::from) {
        Some(folder) => {
            let speed = told(context, "twinwright-dtdl", "speed", &[folder])?;
            let median = speed["median_ms"].as_f64().unwrap_or(f64::NAN);
            figures.push(Figure::at_most("dtdl_isa95_ms", median, "ms", 100.0, 30.0));
        }
        None => say(&format!("dtdl_isa95_ms is not measured: {ISA95} names no folder of models")),
    }
    Ok(figures)
}

fn figures_of(service: &Value, queries: &Value) -> Vec<Figure> {
    let value = |from: &Value, name: &str| from[name].as_f64().unwrap_or(f64::NAN);
    let of = |name: &'static str| value(service, name);
    let query = |name: &'static str| value(queries, name);
    vec![
        Figure::at_least("twins_patches_per_s", of("twins_patches_per_s"), "patches/s", 3_000.0, 10_000.0),
        Figure::at_most("twins_read_p99_ms", of("twins_read_p99_ms"), "ms", 2.0, 2.0),
        Figure::at_most("twins_import_100k_s", of("twins_import_100k_s"), "s", 30.0, 30.0),
        Figure::at_most("twins_rss_mb", of("twins_rss_mb"), "MB", 1_000.0, 1_000.0),
        Figure::at_most("twins_query_100k_ms", query("twins_query_100k_ms"), "ms", 100.0, 20.0),
        Figure::at_most("twins_match_3hops_ms", query("twins_match_3hops_ms"), "ms", 20.0, 5.0),
        Figure::told("twins_join_ms", query("twins_join_ms"), "ms"),
        Figure::told("twins_count_filter_ms", query("twins_count_filter_ms"), "ms"),
    ]
}

/// Builds an example optimised, runs it, and takes the JSON object that it prints.
fn told(context: &Context, package: &str, example: &str, arguments: &[PathBuf]) -> anyhow::Result<Value> {
    let mut cargo = context.workspace.cargo();
    cargo.args(["build", "--release", "--package", package, "--example", example]);
    run_command(&mut cargo, &format!("building {example}"), BUILD_DEADLINE)?;
    let mut command = Command::new(context.workspace.binary(&format!("examples/{example}"), true, None));
    command.args(arguments);
    let mut told = None;
    watch(&mut command, example, DEADLINE, &mut |line| match serde_json::from_str::<Value>(line) {
        Ok(value) if value.is_object() => told = Some(value),
        _ => say(line),
    })?;
    told.with_context(|| format!("{example} told no figures"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_reaches_nothing() {
        let service = serde_json::json!({ "twins_patches_per_s": 5_000, "twins_read_p99_ms": 1.0 });
        let queries = serde_json::json!({ "twins_query_100k_ms": 12.5 });
        let failed: Vec<String> = figures_of(&service, &queries)
            .iter()
            .filter(|figure| !figure.holds())
            .map(|figure| figure.name.clone())
            .collect();
        assert_eq!(failed, ["twins_import_100k_s", "twins_rss_mb", "twins_match_3hops_ms"]);
    }
}
