//! Scorers: what a row costs through WebAssembly, beside the same code without it, and what a swap costs.

mod extism;

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::{Context, Figure};
use crate::package::{Build, build};
use crate::process::{run as run_command, say, watch};
use crate::scorers;
use crate::workspace::{CLI, HANDLER};

const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
const DEADLINE: Duration = Duration::from_secs(10 * 60);
const PACKAGE: &str = "twinwright-scoring";
const EXAMPLE: &str = "bench_scoring";

/// Measures all of it.
pub(super) fn run(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let folder = scorers::all(&context.workspace)?;
    // The handler's package is named too, so that dependencies have the features of the build that is there.
    let mut cargo = context.workspace.cargo();
    cargo.args(["build", "--release", "--package", HANDLER, "--package", PACKAGE, "--example", EXAMPLE]);
    run_command(&mut cargo, &format!("building {EXAMPLE}"), BUILD_DEADLINE)?;
    let mut command = Command::new(context.workspace.binary(&format!("examples/{EXAMPLE}"), true, None));
    command.arg(folder);
    let mut told = None;
    watch(&mut command, EXAMPLE, DEADLINE, &mut |line| match serde_json::from_str::<Value>(line) {
        Ok(value) if value.is_object() => told = Some(value),
        _ => say(line),
    })?;
    let told = told.with_context(|| format!("{EXAMPLE} told no figures"))?;
    // The interpreters' scorers are those of the examples, as a user would have made and measured them.
    build(&context.workspace, &Build::development(&[CLI]))?;
    let interpreted = ["js", "python"].map(|language| {
        rows_per_s(context, language).unwrap_or_else(|error| {
            say(&format!("no figure for {language}: {error:#}; `cargo xtask test --only examples` makes it"));
            f64::NAN
        })
    });
    let peer = extism::rows_per_s(context).unwrap_or_else(|error| {
        say(&format!("no figure for extism: {error:#}"));
        f64::NAN
    });
    Ok(figures_of(&told, interpreted, peer))
}

/// Rows a second of an example in calls of 1,000, as `plugin bench` tells them.
fn rows_per_s(context: &Context, language: &str) -> anyhow::Result<f64> {
    let workspace = &context.workspace;
    let folder = workspace.target.join("examples").join(format!("drift-in-{language}"));
    let mut command = Command::new(workspace.binary(CLI, false, None));
    command.args(["plugin", "bench", "--json"]).arg(&folder);
    let mut told = String::new();
    watch(&mut command, "plugin bench", DEADLINE, &mut |line| told.push_str(line))?;
    let told: Value = serde_json::from_str(&told).context("plugin bench told no JSON")?;
    let sizes = told["sizes"].as_array().context("plugin bench told no sizes")?;
    let of_1000 = sizes.iter().find(|size| size["rows"] == 1_000);
    of_1000.and_then(|size| size["rows_per_s"].as_f64()).context("plugin bench told no calls of 1,000")
}

fn figures_of(told: &Value, [js, python]: [f64; 2], extism: f64) -> Vec<Figure> {
    let of = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    let least = |name: &str, unit: &str, must, aim| Figure::at_least(name, of(name), unit, must, aim);
    let most = |name: &str, unit: &str, must, aim| Figure::at_most(name, of(name), unit, must, aim);
    vec![
        least("scoring_rows_per_s_core", "rows/s", 1_000_000.0, 5_000_000.0),
        most("scoring_ratio_to_native", "times", 2.0, 1.3),
        Figure::at_most("scoring_ratio_to_extism", extism / of("scoring_rows_per_s_core"), "times", 1.0, 1.0),
        most("scoring_call_overhead_us", "µs", 0.5, 0.5),
        most("swap_p99_ratio", "times", 2.0, 2.0),
        most("promoted_scorer_start_ms", "ms", 50.0, 50.0),
        Figure::at_least("js_rows_per_s", js, "rows/s", 20_000.0, 20_000.0),
        Figure::at_least("python_rows_per_s", python, "rows/s", 20_000.0, 20_000.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_reaches_nothing() {
        let told =
            serde_json::json!({ "scoring_rows_per_s_core": 2_000_000, "scoring_ratio_to_native": 1.5 });
        let figures = figures_of(&told, [30_000.0, f64::NAN], 1_000_000.0);
        let holding = figures.iter().filter(|figure| figure.holds()).count();
        assert_eq!(holding, 4);
    }
}
