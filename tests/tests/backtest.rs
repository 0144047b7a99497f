//! `plugin replay`: a version through the history of a running platform, beside another one.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use twinwright_app::clock::now;
use twinwright_core::time::SECOND;
use twinwright_history::segments::SegmentLog;
use twinwright_tests::line::{Line, until};
use twinwright_tests::{feed, needed, staged};

const ROWS: usize = 600;

/// The command line, beside this test where cargo put both.
fn twinwright(words: &[&str], paths: &[(&str, &Path)], data: &Path) -> anyhow::Result<Value> {
    let test = std::env::current_exe()?;
    let program = test.parent().and_then(Path::parent).context("no target folder")?.join("twinwright");
    let mut command = Command::new(&program);
    command.args(words).arg("--json").stdin(Stdio::null()).arg("--data").arg(data);
    for (option, path) in paths {
        command.args([Path::new(option), path]);
    }
    let done = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(serde_json::from_slice(&done.stdout)?)
}

#[test]
fn a_version_is_tried_on_history_beside_another_one() -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    let Some(scorers) = needed("TWINWRIGHT_SCORERS", "cargo xtask test builds them") else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let line = Line::start(&folder.path().join("data"), &app, &[]).await?;
        let began = now();
        feed::append(&line.platform.hub.events(), &feed::payloads(ROWS, began)).await?;
        let segments = SegmentLog::new(line.store.clone(), "local");
        until("all events stored", async || {
            let names = segments.range(began - 3_600 * SECOND, now() + 3_600 * SECOND).await?;
            let stored: i64 = names.iter().map(|name| name.last - name.first + 1).sum();
            Ok(if stored >= ROWS as i64 { Ok(()) } else { Err(format!("{stored} of {ROWS}")) })
        })
        .await?;
        let (page, own) = (folder.path().join("replay.html"), folder.path().join("ewma-chart.wasm"));
        std::fs::copy(scorers.join("ewma-chart.wasm"), &own)?;
        let component = scorers.join("smoothed-mahalanobis.wasm");
        let component = component.to_str().context("a path that is no text")?;
        let words = ["plugin", "replay", component, "--equipment", "conveyor-belt", "--from", "1h"];
        let told = twinwright(&words, &[("--html", &page), ("--beside", &own)], line.folder())?;
        let rows = serde_json::json!(feed::good(ROWS));
        ensure!(told["candidate"]["rows"] == rows && told["serving"]["rows"] == rows, "{told}");
        ensure!(told["candidate"]["scorer"] == "smoothed-mahalanobis@1.0.0", "{told}");
        let alerts = told["candidate"]["alerts"].as_array().context("no alerts told")?;
        ensure!(alerts.iter().any(|alert| alert["device"] == feed::DEVICE), "the jam was not found: {told}");
        ensure!(told["candidate"]["failedCalls"] == 0 && told["difference"]["psi"].is_f64(), "{told}");
        ensure!(std::fs::read_to_string(&page)?.contains("<svg"), "no picture");
        // Without another one, it is held against the scorer that training chose.
        let told = twinwright(&words, &[("--scorers", &scorers)], line.folder())?;
        ensure!(told["serving"]["rows"] == rows, "{told}");
        line.stop().await;
        Ok(())
    })
}
