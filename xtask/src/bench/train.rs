//! Training beside scikit-learn: the same million rows, the same cores, one after the other; and the memory of ten
//! million rows that are read as a stream.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Context, Figure};
use crate::process::{run as run_command, say, watch};
use crate::tools::python;

const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
const DEADLINE: Duration = Duration::from_secs(15 * 60);
const PACKAGE: &str = "twinwright-training";
const EXAMPLE: &str = "bench_train";
/// How far results may be apart for their times to be compared: a worse result is quickly had.
const ALIKE: f64 = 0.01;

/// Measures all of it.
pub(super) fn run(context: &Context) -> anyhow::Result<Vec<Figure>> {
    let mut cargo = context.workspace.cargo();
    cargo.args(["build", "--release", "--package", PACKAGE, "--example", EXAMPLE]);
    run_command(&mut cargo, &format!("building {EXAMPLE}"), BUILD_DEADLINE)?;
    let example = context.workspace.binary(&format!("examples/{EXAMPLE}"), true, None);
    let folder = tempfile::tempdir()?;
    let rows = folder.path().join("rows.bin");
    let ours = told(Command::new(&example).arg("rows").arg(&rows), EXAMPLE)?;
    let theirs = peer(context, &rows, &ours)?;
    drop(folder);
    let stream = told(Command::new(&example).arg("stream"), EXAMPLE)?;
    Ok(figures_of(&ours, &theirs, &stream))
}

fn figures_of(ours: &Value, theirs: &Value, stream: &Value) -> Vec<Figure> {
    let of = |from: &Value, name: &str| from[name].as_f64().unwrap_or(f64::NAN);
    let ratio = |what: &str, result: &str| {
        let (mine, peer) = (of(ours, result), of(theirs, result));
        // A lower inertia and a higher likelihood are no fault.
        let worse = match result {
            "gmm_log_likelihood" => peer - mine,
            "kmeans_inertia" => mine - peer,
            _ => (mine - peer).abs(),
        };
        let seconds = format!("{what}_s");
        let ratio = of(ours, &seconds) / of(theirs, &seconds);
        if worse <= ALIKE * peer.abs() {
            ratio
        } else {
            say(&format!("{what}: {result} is {mine}, scikit-learn's {peer}: times do not compare"));
            f64::NAN
        }
    };
    vec![
        Figure::at_most("kmeans_ratio_to_sklearn", ratio("kmeans", "kmeans_inertia"), "× its time", 1.0, 0.5),
        Figure::at_most("gmm_ratio_to_sklearn", ratio("gmm", "gmm_log_likelihood"), "× its time", 1.0, 0.5),
        Figure::at_most(
            "covariance_ratio_to_sklearn",
            ratio("covariance", "covariance_trace"),
            "× its time",
            1.0,
            0.5,
        ),
        Figure::at_most("train_10m_rss_mb", of(stream, "train_10m_rss_mb"), "MB", 512.0, 128.0),
        Figure::told("train_10m_s", of(stream, "train_10m_s"), "s"),
        Figure::told("kmeans_s", of(ours, "kmeans_s"), "s"),
        Figure::told("kmeans_sklearn_s", of(theirs, "kmeans_s"), "s"),
        Figure::told("gmm_s", of(ours, "gmm_s"), "s"),
        Figure::told("gmm_sklearn_s", of(theirs, "gmm_s"), "s"),
        Figure::told("covariance_s", of(ours, "covariance_s"), "s"),
        Figure::told("covariance_sklearn_s", of(theirs, "covariance_s"), "s"),
    ]
}

/// scikit-learn on the same rows.
fn peer(context: &Context, rows: &Path, ours: &Value) -> anyhow::Result<Value> {
    let root = &context.workspace.root;
    let python: PathBuf =
        python::install(root, "bench", "scikit-learn, to compare with").map_err(anyhow::Error::msg)?;
    let mut command = Command::new(python);
    command.arg(root.join("tests/bench/train_peer.py")).arg(rows);
    for name in ["clusters", "components", "rounds"] {
        command.arg(ours[name].as_u64().with_context(|| format!("{EXAMPLE} told no {name}"))?.to_string());
    }
    told(&mut command, "train_peer.py")
}

/// The JSON object that a program prints.
fn told(command: &mut Command, name: &str) -> anyhow::Result<Value> {
    let mut told = None;
    watch(command, name, DEADLINE, &mut |line| match serde_json::from_str::<Value>(line) {
        Ok(value) if value.is_object() => told = Some(value),
        _ => say(line),
    })?;
    match told {
        Some(told) => Ok(told),
        None => bail!("{name} told no figures"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quicker_but_worse_result_does_not_count() {
        let ours = serde_json::json!({ "kmeans_s": 0.1, "kmeans_inertia": 103.0, "gmm_s": 1.0,
            "gmm_log_likelihood": -10.0, "covariance_s": 0.2, "covariance_trace": 8.0 });
        let theirs = serde_json::json!({ "kmeans_s": 1.0, "kmeans_inertia": 100.0, "gmm_s": 2.0,
            "gmm_log_likelihood": -10.05, "covariance_s": 0.1, "covariance_trace": 8.0 });
        let figures = figures_of(&ours, &theirs, &serde_json::json!({ "train_10m_rss_mb": 40.0 }));
        let held: Vec<bool> = figures.iter().take(4).map(Figure::holds).collect();
        assert_eq!(held, [false, true, false, true]);
    }
}
