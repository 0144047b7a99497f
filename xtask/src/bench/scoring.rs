//! Scorers: what a row costs through WebAssembly, beside the same code without it, and what a swap costs.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::{Context, Figure};
use crate::process::{run as run_command, say, watch};
use crate::scorers;
use crate::workspace::HANDLER;

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
    Ok(figures_of(&told.with_context(|| format!("{EXAMPLE} told no figures"))?))
}

fn figures_of(told: &Value) -> Vec<Figure> {
    let of = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    let least = |name: &str, unit: &str, must, aim| Figure::at_least(name, of(name), unit, must, aim);
    let most = |name: &str, unit: &str, must, aim| Figure::at_most(name, of(name), unit, must, aim);
    vec![
        least("scoring_rows_per_s_core", "rows/s", 1_000_000.0, 5_000_000.0),
        most("scoring_ratio_to_native", "times", 2.0, 1.3),
        most("scoring_call_overhead_us", "µs", 0.5, 0.5),
        most("swap_p99_ratio", "times", 2.0, 2.0),
        most("promoted_scorer_start_ms", "ms", 50.0, 50.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_reaches_nothing() {
        let told =
            serde_json::json!({ "scoring_rows_per_s_core": 2_000_000, "scoring_ratio_to_native": 1.5 });
        let holding = figures_of(&told).iter().filter(|figure| figure.holds()).count();
        assert_eq!(holding, 2);
    }
}
