//! Invariant 12: the handler may be killed at any instant. At each step of the way of an event it is, and what is
//! left behind is compared with a run in which nobody was killed.

use std::path::Path;
use std::sync::OnceLock;

use twinwright_core::time::Micros;
use twinwright_tests::books::{self, Books};
use twinwright_tests::feed::{self, DEVICE};
use twinwright_tests::line::{Line, until};
use twinwright_tests::staged;

const EVENTS: usize = 400;

/// One end for all runs of this process, so that the payloads are the same to the byte.
fn end() -> Micros {
    static END: OnceLock<Micros> = OnceLock::new();
    *END.get_or_init(twinwright_app::clock::now)
}

async fn run(app: &Path, kill: Option<&str>) -> anyhow::Result<Books> {
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("killed");
    let mark_text = mark.display().to_string();
    let receiver = receiver().await?;
    let key = folder.path().join("webhook-key");
    std::fs::write(&key, "0123456789abcdef0123456789abcdef")?;
    let key = key.display().to_string();
    let mut settings = vec![
        ("TWINWRIGHT_INGEST__SNAPSHOT_EVERY_SEGMENTS", "2"),
        ("TWINWRIGHT_EQUIPMENT__CONVEYOR_BELT__COMMAND__ON_CRITICAL", "stop"),
        ("TWINWRIGHT_NOTIFY__WEBHOOK_URL", receiver.as_str()),
        ("TWINWRIGHT_NOTIFY__WEBHOOK_KEY_FILE", key.as_str()),
        // Nothing is compiled under the eyes of the test: a slow machine must not change who scores.
        ("TWINWRIGHT_SCORING__DEADLINE_MS", "20000"),
    ];
    if let Some(point) = kill {
        settings.push(("TWINWRIGHT_KILL_AT", point));
        settings.push(("TWINWRIGHT_KILL_MARK", &mark_text));
    }
    let line = Line::start(&folder.path().join("data"), app, &settings).await?;
    let payloads = feed::payloads(EVENTS, end());
    // Burst by burst, each once the one before is stored, so that there are batches enough to be killed in.
    let mut sent = 0;
    for burst in payloads.chunks(40) {
        feed::append(&line.platform.hub.events(), burst).await?;
        sent += burst.len();
        until("a stored burst", async || {
            let books = books::stored(&line.store).await?;
            let stored = books.committed + books.dead_letters.len() as u64;
            Ok(if stored >= sent as u64 { Ok(()) } else { Err(format!("{stored} of {sent}")) })
        })
        .await?;
    }
    let good = feed::good(EVENTS);
    let last = twinwright_core::time::iso(end() - 2_000_000);
    let books = until("a settled line", async || {
        let books = books::read(&line, DEVICE).await?;
        let stored = books.committed == good && books.dead_letters.len() == EVENTS / feed::BROKEN_EVERY;
        // The last event is a broken one: the newest value is of the one before it.
        let shown = books.twin["observedAt"].as_str().is_some_and(|at| at.get(..19) >= last.get(..19));
        let told = !books.alerts.is_empty() && !books.commands.is_empty();
        Ok(if stored && shown && told { Ok(books) } else { Err(format!("{books:?}")) })
    })
    .await?;
    if let Some(point) = kill {
        anyhow::ensure!(mark.exists(), "the handler was never at {point}, so it was not killed there");
    }
    line.stop().await;
    Ok(books)
}

/// Takes every webhook call.
async fn receiver() -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/alerts", listener.local_addr()?);
    let router = axum::Router::new().route("/alerts", axum::routing::post(|| async { "{}" }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

fn killed_at(point: &str) -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP_KILL_POINTS") else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let calm = run(&app, None).await?;
        let killed = run(&app, Some(point)).await?;
        assert_eq!(calm.duplicates, 0);
        assert_eq!(killed, calm, "killed at {point}");
        Ok(())
    })
}

macro_rules! kill_points {
    ($($name:ident: $point:literal,)*) => {
        $(#[test]
        fn $name() -> anyhow::Result<()> {
            killed_at($point)
        })*
    };
}

kill_points! {
    when_a_batch_is_received: "received",
    when_it_is_decoded: "decoded:2",
    when_it_is_checked: "checked:2",
    when_its_dead_letters_are_stored: "dead-lettered:3",
    when_its_segment_is_committed: "committed:2",
    when_it_is_scored_and_decided: "decided:3",
    when_its_patches_are_offered: "patches-offered:2",
    when_a_patch_is_out: "patched",
    when_a_snapshot_is_saved: "snapshot",
    when_the_reply_is_on_its_way: "replying:4",
    when_an_alert_is_recorded: "alert-recorded",
    when_an_alert_is_pushed: "alert-pushed",
    when_a_command_is_requested: "command-requested",
    when_a_command_is_marked: "command-marked",
    when_a_command_is_answered: "command-answered",
}
