//! `cargo xtask quality`: every suite in one run, with the frozen settings, beside other people's methods.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::args::QualityOptions;
use crate::package::{Build, build};
use crate::process::say;
use crate::scorers;
use crate::tools::python;
use crate::workspace::{CLI, Workspace};

/// Suites and where their recordings lie below the folder of data sets; the first that exists is taken.
const SUITES: &[(&str, &[&str])] = &[
    ("skab", &["skab/other", "skab"]),
    ("nab", &["nab"]),
    ("tep", &["tep"]),
    ("cmapss", &["cmapss"]),
    ("secom", &["secom"]),
    ("steel", &["steel"]),
];

/// Runs the task.
pub(crate) fn run(options: &QualityOptions) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    ensure!(SUITES.iter().any(|(name, _)| wanted(name)), "no suite is named {}", options.only.join(", "));
    build(&workspace, &Build::development(&[CLI]))?;
    let files = scorers::published(&workspace)?;
    let folder = files.first().and_then(|file| file.parent()).context("no scorer was built")?;
    let interpreter = if options.no_references {
        None
    } else {
        Some(
            python::install(&workspace.root, "bench", "scikit-learn runs beside our detectors")
                .map_err(anyhow::Error::msg)?,
        )
    };
    let out = workspace.target.join("quality");
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut reports = Vec::new();
    let mut passed = true;
    for (name, places) in SUITES.iter().filter(|(name, _)| wanted(name)) {
        let Some(data) = places.iter().map(|place| options.data.join(place)).find(|data| data.is_dir())
        else {
            say(&format!("{name} is left out: {} has no {}", options.data.display(), places[0]));
            continue;
        };
        let report = out.join(format!("{name}.json"));
        let _ = fs::remove_file(&report);
        let mut command = Command::new(workspace.binary(CLI, false, None));
        command.args(["evaluate", "--suite", *name]).arg("--data").arg(&data);
        command.arg("--scorers").arg(folder).arg("--out").arg(&report);
        command.arg("--html").arg(out.join(format!("{name}.html")));
        if let Some(interpreter) = &interpreter {
            command.arg("--references").env("TWINWRIGHT_PYTHON", interpreter);
        }
        say(&format!("measuring {name} on {}", data.display()));
        let status = command.stdin(Stdio::null()).status().context("cannot start twinwright")?;
        passed &= status.success();
        // What went wrong is told by the suite itself; it does not hold up the others.
        match read(&report) {
            Ok(report) => reports.push(report),
            Err(_) => say(&format!("{name} gave no report")),
        }
    }
    if reports.is_empty() {
        bail!("no suite of {} gave a report; get the data sets first", options.data.display());
    }
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_vec_pretty(&figures(&reports))?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    say(&format!("the reports are in {}", out.display()));
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// All figures in one list, each with the hash of the settings.
fn figures(reports: &[Value]) -> Vec<Value> {
    let of = |report: &Value| {
        let hash = report["settings_hash"].clone();
        let figures = report["figures"].as_array().cloned().unwrap_or_default();
        figures.into_iter().map(move |mut figure| {
            figure["settings_hash"] = hash.clone();
            figure
        })
    };
    reports.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_names_its_settings() {
        let report =
            serde_json::json!({ "settings_hash": "ab", "figures": [{ "name": "skab_f1", "value": 0.8 }] });
        let all = figures(&[report]);
        assert_eq!(all, [serde_json::json!({ "name": "skab_f1", "value": 0.8, "settings_hash": "ab" })]);
    }
}
