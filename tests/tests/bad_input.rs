//! Bad input and bad days: each has a clear error, and nothing is lost.

use std::path::Path;

use bytes::Bytes;
use serde_json::json;
use twinwright_local_functions_host::HostEvent;
use twinwright_tests::books::settled;
use twinwright_tests::feed::{DEVICE, event};
use twinwright_tests::line::{Line, options, until};
use twinwright_tests::staged;

fn run(test: impl AsyncFnOnce(&Path, &Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(test(&app, &folder.path().join("data")))
}

#[test]
fn what_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on() -> anyhow::Result<()> {
    run(async |app, folder| {
        let line = Line::start(folder, app, &[]).await?;
        let large = format!(r#"{{"speed":2.5,"padding":"{}"}}"#, "x".repeat(256 * 1024 - 40));
        let bodies: Vec<(Bytes, bool)> = vec![
            (r#"{"speed":2.5,"load":70}"#.into(), true),
            (r#"{"speed":2.5"#.into(), false),
            (r#"{"deviceId":"another-device","speed":2.5}"#.into(), false),
            (r#"{"speed":"NaN","load":71}"#.into(), true),
            (r#"{"speed":NaN}"#.into(), false),
            (r#"{"speed":"-Infinity","load":72}"#.into(), true),
            (r#"{"speed":{"deep":[1,2]},"load":true}"#.into(), true),
            (Bytes::from_static(b"\xff\xfe\x00"), false),
            ("[1,2,3]".into(), false),
            (large.into(), true),
            (r#"{"speed":2.6,"load":73}"#.into(), true),
        ];
        let log = line.platform.hub.events();
        for (body, _) in &bodies {
            log.append(event(DEVICE, body.clone())).await?;
        }
        let good = bodies.iter().filter(|(_, good)| *good).count();
        settled(&line, good as u64, bodies.len() - good).await?;
        until("the newest good value", async || {
            let twin = line.twin(DEVICE).await?;
            let value = |signal: &str| twin["latest"][signal].as_f64();
            let shown = value("speed") == Some(2.6) && value("load") == Some(73.0);
            Ok(if shown { Ok(()) } else { Err(twin.to_string()) })
        })
        .await?;
        line.stop().await;
        Ok(())
    })
}

#[test]
fn a_device_without_a_twin_is_stored_and_its_patch_says_what_to_do() -> anyhow::Result<()> {
    run(async |app, folder| {
        let line = Line::start(folder, app, &[]).await?;
        line.platform.hub.events().append(event("lathe-9", r#"{"rpm":900}"#)).await?;
        settled(&line, 1, 0).await?;
        let url = format!("{}api/status", line.platform.connection.dashboard_url);
        until("the refusal", async || {
            let status: serde_json::Value = reqwest::get(&url).await?.json().await?;
            let cause = status["patches"]["refused"][0]["cause"].as_str().unwrap_or_default();
            Ok(if cause.contains("twinwright twins create lathe-9") {
                Ok(())
            } else {
                Err(status.to_string())
            })
        })
        .await?;
        line.stop().await;
        Ok(())
    })
}

#[test]
fn a_trigger_cannot_be_invoked_from_outside() -> anyhow::Result<()> {
    run(async |app, folder| {
        let line = Line::start(folder, app, &[]).await?;
        line.platform.host.ready().await?;
        let url = &line.platform.connection.dashboard_url;
        for function in ["ingest", "notify", "respond", "retrain", "watch", "compact"] {
            let answer = reqwest::Client::new().post(format!("{url}{function}")).body("{}").send().await?;
            assert_eq!(answer.status(), 404, "{function}");
        }
        let forged = reqwest::Client::new().post(format!("{url}api/alerts/1/acknowledge")).json(&json!({}));
        assert_eq!(forged.send().await?.status(), 403);
        line.stop().await;
        Ok(())
    })
}

#[test]
fn a_second_platform_on_the_same_folder_and_a_taken_port_say_who_is_there() -> anyhow::Result<()> {
    run(async |app, folder| {
        let line = Line::start(folder, app, &[]).await?;
        let second =
            Line::start(folder, app, &[]).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(second.contains("another platform") && second.contains("--data"), "{second}");
        let mut options = options(&folder.join("elsewhere"), app)?;
        options.ports.mqtt_port = line.platform.connection.mqtt_port;
        let taken =
            Line::start_with(options, &[]).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(taken.contains("in use by") && taken.contains("--mqtt-port"), "{taken}");
        line.stop().await;
        Ok(())
    })
}

#[test]
fn a_bad_setting_stops_the_handler_with_the_nearest_name() -> anyhow::Result<()> {
    run(async |app, folder| {
        let line = Line::start(folder, app, &[("TWINWRIGHT_SCORING__DEADLINE", "5")]).await?;
        let mut events = line.platform.host.events();
        let stopped =
            tokio::time::timeout(twinwright_tests::line::PATIENCE, line.platform.host.wait()).await?;
        assert!(stopped.is_err());
        let mut told = String::new();
        while let Ok(event) = events.try_recv() {
            if let HostEvent::Log { line, .. } | HostEvent::HandlerExited { detail: line, .. } = event {
                told += &line;
            }
        }
        let reason = format!("{stopped:?}{told}");
        assert!(reason.contains("deadline_ms"), "{reason}");
        line.stop().await;
        Ok(())
    })
}
