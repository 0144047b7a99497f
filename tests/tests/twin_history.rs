//! The data history of the local twins on a running line: Parquet that DuckDB reads, once each across a restart, and no
//! more once it is erased; and the endpoint that is always there.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::process::Command;
use twinwright_azure::twins::{EventRoute, PatchOutcome};
use twinwright_cli::platform::{TWIN_HISTORY, TWIN_TABLES, erase_twin};
use twinwright_history::store::Store;
use twinwright_tests::line::{Line, options, until};
use twinwright_tests::{needed, package, staged};

const ARM: &str = "robotic-arm-001";

async fn name(line: &Line, equipment: &str) -> anyhow::Result<()> {
    let client = line.platform.connection.twins(line.folder())?;
    let patch = json!([{ "op": "add", "path": "/equipmentId", "value": equipment }]);
    let outcome = client.patch_twin(ARM, patch.to_string().into(), None).await;
    ensure!(matches!(outcome, PatchOutcome::Patched { .. }), "{outcome:?}");
    Ok(())
}

/// Waits until the table of properties has so many changes of the arm's name, and answers all that is known of the arm.
async fn known(line: &Line, python: &str, count: usize) -> anyhow::Result<Value> {
    let storage = line.folder().join("storage");
    let table = storage.join(TWIN_HISTORY).join("v=1").join(format!("table={}", TWIN_TABLES[0]));
    until("the data history", async || {
        if !table.exists() {
            return Ok(Err("no table yet".to_owned()));
        }
        let mut script = Command::new(python);
        script.arg(package()?.join("sdk/twin_history.py")).arg(&storage).arg(ARM);
        let answer = script.stdin(Stdio::null()).output().await.context("python does not start")?;
        // The tables come one after the other.
        let Ok(value) = serde_json::from_slice::<Value>(&answer.stdout) else {
            return Ok(Err(String::from_utf8_lossy(&answer.stderr).into_owned()));
        };
        let names = value["properties"].as_array().into_iter().flatten();
        let found = names.filter(|row| row[0] == "equipmentId" && row[1] != "null").count();
        Ok(if found >= count { Ok(value) } else { Err(value.to_string()) })
    })
    .await
}

#[test]
fn changes_of_twins_are_tables_and_events() -> anyhow::Result<()> {
    let python =
        needed("TWINWRIGHT_PYTHON_HISTORY", "cargo xtask test installs DuckDB, pandas and deltalake");
    let (Some(app), Some(python)) = (staged("TWINWRIGHT_APP"), python) else { return Ok(()) };
    let python = python.display().to_string();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let mut options = options(&folder.path().join("data"), &app)?;
        let line = Line::start_with(options.clone(), &[]).await?;
        let client = line.platform.connection.twins(line.folder())?;
        let route = EventRoute { id: "all".into(), endpoint_name: "log".into(), filter: "true".into() };
        client.put_event_route(&route).await?;
        name(&line, "ARM-A").await?;
        let before = known(&line, &python, 2).await?;
        ensure!(before["life"].as_array().is_some_and(|rows| rows.len() == 1), "{before}");
        // This one waits for others to share a file with when the platform stops; the next start writes it.
        name(&line, "ARM-B").await?;
        line.stop().await;
        options.ports = twinwright_tests::line::options(folder.path(), &app)?.ports;
        let line = Line::start_with(options, &[]).await?;
        name(&line, "ARM-C").await?;
        let after = known(&line, &python, 4).await?;
        let names: Vec<&Value> = after["properties"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| row[0] == "equipmentId")
            .map(|row| &row[1])
            .collect();
        ensure!(names[1..] == ["\"ARM-A\"", "\"ARM-B\"", "\"ARM-C\""], "{after}");
        ensure!(after["properties"][0][3] == "TIMESTAMP WITH TIME ZONE", "{after}");
        ensure!(after["life"].as_array().is_some_and(|rows| rows.len() == 1), "{after}");
        let erased = erase_twin(&Store::folder(line.folder().join("storage"))?, ARM, i64::MAX).await?;
        ensure!(erased > 4, "{erased}");
        name(&line, "ARM-D").await?;
        let left = known(&line, &python, 1).await?;
        let names = left["properties"].as_array().into_iter().flatten().map(|row| &row[1]);
        ensure!(names.collect::<Vec<_>>() == ["\"ARM-D\""] && left["life"] == json!([]), "{left}");
        let log = line.folder().join("twin-events/log");
        let mut events = String::new();
        for file in std::fs::read_dir(&log)? {
            events.push_str(&std::fs::read_to_string(file?.path())?);
        }
        ensure!(
            events.contains("Microsoft.DigitalTwins.Twin.Update") && events.contains("ARM-A"),
            "{events}"
        );
        line.stop().await;
        Ok(())
    })
}
