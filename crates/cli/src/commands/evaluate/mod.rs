//! `evaluate`: a suite of public recordings through training, WebAssembly scorers and alert rules.

mod host;
mod python;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use twinwright_training::suites::{self, Report, Settings, page};

use self::host::WasmHost;
use crate::args::EvaluateOptions;
use crate::output::{Output, table};

/// Runs `evaluate`.
///
/// # Errors
/// The suite is unknown, its recordings or the scorers cannot be read, or a figure misses what it must reach.
pub async fn evaluate(options: EvaluateOptions, output: Output) -> anyhow::Result<()> {
    let report = tokio::task::spawn_blocking({
        let options = options.clone();
        move || run(&options)
    })
    .await??;
    if let Some(path) = &options.out {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &options.html {
        let page = page::html(std::slice::from_ref(&report));
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output.result(&report, || text(&report));
    if report.passes() {
        return Ok(());
    }
    let missed: Vec<&str> =
        report.figures.iter().filter(|figure| !figure.passes()).map(|figure| figure.name.as_str()).collect();
    bail!("{} missed: {}", report.suite, missed.join(", "))
}

fn run(options: &EvaluateOptions) -> anyhow::Result<Report> {
    let known = || suites::all().iter().map(|suite| suite.name()).collect::<Vec<_>>().join(", ");
    let suite = suites::find(&options.suite)
        .with_context(|| format!("there is no suite {:?}; there are {}", options.suite, known()))?;
    let settings = match &options.config {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Settings::parse(&text).with_context(|| format!("{} cannot be used", path.display()))?
        }
        None => Settings::frozen()?,
    };
    let mut host = WasmHost::new(scorers_folder(options.scorers.as_deref())?, options.references)?;
    let start = Instant::now();
    let mut report = suite.run(&options.data, &settings, &mut host)?;
    report.seconds = start.elapsed().as_secs_f64();
    let used = host.used();
    if !used.is_empty() {
        report.notes.push(format!("Scorers: {}", used.join(", ")));
    }
    Ok(report)
}

/// The folder of scorers: as asked for, or where packaging puts them.
pub(super) fn scorers_folder(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = asked {
        return Ok(folder.to_owned());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.to_owned()));
    let folders = [beside, Some(PathBuf::from("target"))];
    let candidates = folders.iter().flatten().flat_map(|folder| {
        [folder.join("functionapp/scorers"), folder.join("scorers"), folder.join("test-scorers")]
    });
    candidates
        .into_iter()
        .find(|folder| folder.join("ewma-chart.wasm").is_file())
        .context("there are no scorers here; run `cargo xtask package` or give --scorers DIR")
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!(
        "{}: {}. {} recordings, settings {}, {:.1} s",
        report.suite, report.about, report.recordings, report.settings_hash, report.seconds
    )];
    lines.extend(report.figures.iter().map(|figure| format!("  {}", figure.line())));
    for part in &report.tables {
        let head: Vec<&str> = part.head.iter().map(String::as_str).collect();
        lines.push(format!("\n{}", part.title));
        lines.push(table(&head, &part.rows));
    }
    lines.push(String::new());
    lines.extend(report.notes.iter().map(|note| format!("- {note}")));
    lines.join("\n")
}
