//! Outages: Digital Twins away for a minute, a disk that is full, storage in Azurite. Nothing is lost, and the line
//! goes on by itself when the outage is over.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use twinwright_local_digital_twins::Outage;
use twinwright_local_functions_host::HostEvent;
use twinwright_tests::books::settled;
use twinwright_tests::feed::{DEVICE, event};
use twinwright_tests::line::{Line, PATIENCE, options, until};
use twinwright_tests::{needed, staged};

/// Set for the second half of the test of the full disk, which runs in a namespace of its own.
const INNER: &str = "TWINWRIGHT_FULL_DISK";
const MINUTE: Duration = Duration::from_secs(60);

fn run(test: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(test)
}

async fn append(line: &Line, number: u32) -> anyhow::Result<()> {
    let body = format!(r#"{{"speed":{},"load":70}}"#, f64::from(number) * 0.01);
    line.platform.hub.events().append(event(DEVICE, body)).await?;
    Ok(())
}

async fn shows(line: &Line, number: u32) -> anyhow::Result<()> {
    until("the newest value on the twin", async || {
        let speed = line.twin(DEVICE).await?["latest"]["speed"].clone();
        let shown = speed.as_f64() == Some(f64::from(number) * 0.01);
        Ok(if shown { Ok(()) } else { Err(speed.to_string()) })
    })
    .await
}

#[test]
fn digital_twins_away_for_a_minute_delays_patches_and_nothing_else() -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    run(async {
        let folder = tempfile::tempdir()?;
        let line = Line::start(&folder.path().join("data"), &app, &[]).await?;
        line.platform.twins.set_outage(Some(Outage::Unavailable));
        let (started, mut sent) = (tokio::time::Instant::now(), 0);
        while started.elapsed() < MINUTE {
            append(&line, sent).await?;
            sent += 1;
            // The pace of a device, and in every second one look at the books while the outage lasts.
            tokio::time::sleep(Duration::from_millis(200)).await;
            if sent % 50 == 0 {
                settled(&line, u64::from(sent), 0).await?;
            }
        }
        settled(&line, u64::from(sent), 0).await?;
        line.platform.twins.set_outage(None);
        shows(&line, sent - 1).await?;
        line.stop().await;
        Ok(())
    })
}

/// Runs this test again where it may mount a disk of its own: in a mount namespace, as root of a user namespace
/// where the user is not root anyway.
#[test]
fn a_full_disk_holds_the_partition_up_until_there_is_room() -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    if std::env::var_os(INNER).is_some() {
        return run(full_disk(&app));
    }
    let mut failures = Vec::new();
    for namespaces in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        let probe =
            Command::new("unshare").args(namespaces).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
        match probe {
            Ok(answer) if answer.status.success() => {
                let inner = Command::new("unshare")
                    .args(namespaces)
                    .arg(std::env::current_exe()?)
                    .args([
                        "--exact",
                        "a_full_disk_holds_the_partition_up_until_there_is_room",
                        "--nocapture",
                    ])
                    .env(INNER, "1")
                    .status()?;
                ensure!(inner.success(), "the test in its own namespace failed ({inner})");
                return Ok(());
            }
            Ok(answer) => failures.push(String::from_utf8_lossy(&answer.stderr).trim().to_owned()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    let _ = needed(
        "TWINWRIGHT_CAN_MOUNT",
        &format!("no small disk can be mounted here: {}", failures.join("; ")),
    );
    Ok(())
}

async fn full_disk(app: &Path) -> anyhow::Result<()> {
    const EVENTS: u32 = 200;
    let folder = tempfile::tempdir()?;
    let storage = folder.path().join("data/storage");
    std::fs::create_dir_all(&storage)?;
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none"]).arg(&storage).status()?;
    ensure!(mounted.success(), "cannot mount a small disk");
    let line = Line::start(&folder.path().join("data"), app, &[]).await?;
    let mut events = line.platform.host.events();
    append(&line, 0).await?;
    settled(&line, 1, 0).await?;
    let filler = storage.join("filler");
    let full = std::io::copy(&mut std::io::repeat(0), &mut std::fs::File::create(&filler)?);
    ensure!(full.is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull), "the disk is not full");
    for number in 1..EVENTS {
        append(&line, number).await?;
    }
    let cause = tokio::time::timeout(PATIENCE, async {
        loop {
            match events.recv().await.context("the host ended")? {
                HostEvent::InvocationFailed { function, cause, .. } if function == "ingest" => {
                    return anyhow::Ok(cause);
                }
                _ => {}
            }
        }
    });
    let cause = cause.await.context("ingest went on although the disk is full")??;
    ensure!(cause.contains("storage is full"), "the cause is not told: {cause}");
    std::fs::remove_file(&filler)?;
    settled(&line, u64::from(EVENTS), 0).await?;
    shows(&line, EVENTS - 1).await?;
    line.stop().await;
    Ok(())
}

#[test]
fn the_whole_line_runs_on_azurite() -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    let hint = "name azurite.js of the npm package azurite; cargo xtask test installs it";
    if needed("TWINWRIGHT_AZURITE", hint).is_none() {
        return Ok(());
    }
    run(async {
        let folder = tempfile::tempdir()?;
        let mut options = options(&folder.path().join("data"), &app)?;
        options.azurite = true;
        let line = Line::start_with(options, &[]).await?;
        for number in 0..100 {
            append(&line, number).await?;
        }
        settled(&line, 100, 0).await?;
        shows(&line, 99).await?;
        line.stop().await;
        Ok(())
    })
}
