//! Scorers are swapped while events stream in and the handler is killed at random: every event is scored exactly once,
//! by a version that was active, and the log of versions has no hole.
//!
//! `TWINWRIGHT_SWAPS` says how many swaps; the stream lasts as long.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};
use twinwright_app::clock::now;
use twinwright_app::scorers::decisions::{Decisions, Note};
use twinwright_app::scorers::registry::Registry;
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::scores::ScoreLog;
use twinwright_history::segments::SegmentLog;
use twinwright_local_iot_hub::EventLog;
use twinwright_scoring::package::{Draft, Envelope, SigningKey, Trust};
use twinwright_scoring::swap::{Release, Standing};
use twinwright_scoring::{EngineConfig, ScoringEngine};
use twinwright_tests::line::{Line, options, until};
use twinwright_tests::{feed, needed, staged};

const MODEL: &str = "robotic-arm";
const DEVICES: [&str; 4] = ["robotic-arm-001", "robotic-arm-002", "robotic-arm-003", "robotic-arm-004"];
/// 25 events of four devices every 20 ms: 5,000 a second.
const BURST: usize = 25;
const BEAT: Duration = Duration::from_millis(20);
/// Between two swaps.
const SWAP: Duration = Duration::from_millis(100);

/// Swaps before the platform is stopped and started again.
const SWAPS_A_LIFE: usize = 50;

/// The misbehaving scorer as a version that behaves.
fn variant(folder: &Path, version: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = std::fs::read(folder.join("hostile.wasm"))?;
    let mark = format!("@@HOSTILE:version={version};how={:<16};@@", "steady");
    let start = bytes.windows(10).position(|window| window == b"@@HOSTILE:").context("no mark to change")?;
    bytes[start..start + mark.len()].copy_from_slice(mark.as_bytes());
    Ok(bytes)
}

async fn publish(line: &Line, scorers: &Path, version: &str) -> anyhow::Result<Release> {
    let keys = line.folder().join("keys");
    let key = SigningKey::from_pem(&std::fs::read_to_string(keys.join("scorer.pem"))?)?;
    let trust = Trust::from_json(&std::fs::read(keys.join("trust.json"))?)?;
    let component = variant(scorers, version)?;
    let engine =
        ScoringEngine::new(EngineConfig { instances: 2, compiler: None, ..EngineConfig::default() })?;
    let draft = serde_json::json!({
        "name": "hostile", "version": version, "world": "twinwright:scoring/scorer@1.0.0", "summary": "", "author": "tests",
    });
    let draft = Draft::from_json(draft.to_string().as_bytes())?;
    let loaded = engine.load(&component)?;
    let manifest = draft.complete(&component, loaded.descriptor(), "2027-01-01T00:00:00Z")?;
    let envelope = Envelope::sign(&manifest, &key);
    let verified = Registry::new(line.store.clone()).publish(&envelope, &component, &trust, now()).await?;
    let sha256 = verified.manifest().sha256.clone();
    Ok(Release { name: "hostile".into(), version: version.into(), sha256 })
}

/// By when each decision could be read, by its number: its own time is taken before it is written.
type Visible = HashMap<u64, Micros>;

async fn promote(line: &Line, release: &Release, visible: &mut Visible) -> anyhow::Result<()> {
    let note = Note { by: "tests", action: "promote", release: "hostile", reason: "a swap" };
    let promoted = |standing: &Standing| Standing { promoted: Some(release.clone()), ..standing.clone() };
    let decisions = Decisions::new(line.store.clone());
    let decided = decisions.decide(MODEL, note, now(), |standing| Ok(Some(promoted(standing)))).await?;
    let (number, _) = decided.context("nothing was decided")?;
    visible.insert(number, now());
    Ok(())
}

/// Sends a burst of a device each beat until the end; answers how many events were taken by the hub.
async fn stream(log: EventLog, device: &'static str, end: Instant) -> anyhow::Result<usize> {
    let (mut sent, mut beat) = (0, Instant::now());
    while beat < end {
        let body = |at: usize| {
            let warm = 45.0 + ((sent + at) % 7) as f64 * 0.1;
            feed::event(device, Bytes::from(format!(r#"{{"temperature":{warm},"vibration":2.5}}"#)))
        };
        log.append_batch((0..BURST).map(body).collect()).await?;
        sent += BURST;
        beat += BEAT;
        sleep_until(beat).await;
    }
    Ok(sent)
}

/// The handler's process: a child of this one that runs the app.
fn handler(app: &Path) -> Option<u32> {
    let (app, me) = (app.canonicalize().ok()?, std::process::id().to_string());
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find(|number| {
        let of_app = std::fs::read_link(format!("/proc/{number}/exe")).is_ok_and(|exe| exe.starts_with(&app));
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        of_app && stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(me.as_str())
    })
}

/// The third end of a handler stops the host, as in Azure, where another instance of the app goes on.
const KILLS: usize = 2;

/// Kills the handler at random moments until the end; answers how often.
async fn killer(app: PathBuf, end: Instant) -> anyhow::Result<usize> {
    let (mut seed, mut kills) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    while kills < KILLS {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        sleep(Duration::from_millis(700 + seed % 1_500)).await;
        if Instant::now() > end {
            break;
        }
        if let Some(handler) = handler(&app) {
            let status = std::process::Command::new("kill").args(["-9", &handler.to_string()]).status()?;
            kills += usize::from(status.success());
        }
    }
    Ok(kills)
}

/// When each version was active, by its name: from the decision that promoted it until the next one could be read.
async fn active(
    line: &Line,
    swaps: usize,
    visible: &Visible,
) -> anyhow::Result<HashMap<String, Vec<(Micros, Micros)>>> {
    let log = Decisions::new(line.store.clone()).log(MODEL, usize::MAX).await?;
    let numbers: Vec<u64> = log.iter().map(|(number, _)| *number).collect();
    ensure!(numbers == (1..=swaps as u64 + 1).collect::<Vec<_>>(), "the log of versions: {numbers:?}");
    ensure!(log.is_sorted_by_key(|(_, decision)| decision.at), "the log of versions goes back in time");
    let mut active: HashMap<String, Vec<(Micros, Micros)>> = HashMap::new();
    for (at, (_, decision)) in log.iter().enumerate() {
        let until =
            log.get(at + 1).and_then(|(next, _)| visible.get(next)).map_or(Micros::MAX, |until| *until);
        let version = decision.standing.promoted.as_ref().context("nothing is promoted")?.id();
        active.entry(version).or_default().push((decision.at, until));
    }
    Ok(active)
}

/// One life of the platform: swaps at their beat while events stream in and the handler is killed; answers how many
/// events the hub took and how often the handler was killed.
async fn round(
    line: &Line,
    app: &Path,
    releases: &[Release; 2],
    swaps: usize,
    visible: &mut Visible,
) -> anyhow::Result<(usize, usize)> {
    let end = Instant::now() + SWAP * u32::try_from(swaps)?;
    let log = line.platform.hub.events();
    let streams: Vec<_> =
        DEVICES.iter().map(|&device| tokio::spawn(stream(log.clone(), device, end))).collect();
    let kills = tokio::spawn(killer(app.to_owned(), end));
    let mut beat = Instant::now();
    for swap in 1..=swaps {
        promote(line, &releases[swap % 2], visible).await?;
        beat += SWAP;
        sleep_until(beat).await;
    }
    let mut sent = 0;
    for stream in streams {
        sent += stream.await??;
    }
    Ok((sent, kills.await??))
}

#[test]
fn every_event_is_scored_once_while_scorers_are_swapped_and_the_handler_is_killed() -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    let Some(scorers) = needed("TWINWRIGHT_SCORERS", "cargo xtask test builds them") else { return Ok(()) };
    let swaps: usize = std::env::var("TWINWRIGHT_SWAPS").map_or(Ok(60), |swaps| swaps.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let settings = [
            ("TWINWRIGHT_SCORING__REFRESH_SECONDS", "0"),
            // A slow machine must not change who scores.
            ("TWINWRIGHT_SCORING__DEADLINE_MS", "20000"),
            ("TWINWRIGHT_INGEST__SNAPSHOT_EVERY_SEGMENTS", "20"),
        ];
        let data = folder.path().join("data");
        let mut line = Line::start(&data, &app, &settings).await?;
        let releases = [publish(&line, &scorers, "0.0.2").await?, publish(&line, &scorers, "0.0.3").await?];
        let mut visible = Visible::new();
        promote(&line, &releases[0], &mut visible).await?;
        let began = now();
        let (mut sent, mut kills, mut left) = (0, 0, swaps);
        loop {
            let here = left.min(SWAPS_A_LIFE);
            let (more, killed) = round(&line, &app, &releases, here, &mut visible).await?;
            (sent, kills, left) = (sent + more, kills + killed, left - here);
            if left == 0 {
                break;
            }
            // In the midst of the backlog, as a deployment is.
            line.stop().await;
            line = Line::bare(options(&data, &app)?, &settings).await?;
        }
        ensure!(kills > 0, "the handler was never killed");

        let segments = SegmentLog::new(line.store.clone(), "local");
        let range = (began - 60 * SECOND, now() + 3_600 * SECOND);
        until("all events stored", async || {
            let names = segments.range(range.0, range.1).await?;
            let stored: i64 = names.iter().map(|name| name.last - name.first + 1).sum();
            Ok(if stored >= sent as i64 { Ok(()) } else { Err(format!("{stored} of {sent}")) })
        })
        .await?;
        let active = active(&line, swaps, &visible).await?;
        let mut versions: BTreeMap<(u32, i64), String> = BTreeMap::new();
        for name in segments.range(range.0, range.1).await? {
            let (frame, metadata) = segments.load(&name).await?;
            let version =
                metadata.versions.get(MODEL).with_context(|| format!("{name:?} names no version"))?;
            let times = active
                .get(&version.scorer)
                .with_context(|| format!("{} was never active", version.scorer))?;
            // Chosen after its first event had come, at a time when it was the one.
            ensure!(
                times.iter().any(|(_, until)| *until > name.first_enqueued),
                "{} was over",
                version.scorer
            );
            for &sequence in &frame.sequence {
                let before = versions.insert((name.partition, sequence), version.scorer.clone());
                ensure!(before.is_none(), "event {sequence} of partition {} is stored twice", name.partition);
            }
        }
        ensure!(versions.len() == sent, "{} events stored, {sent} sent", versions.len());
        let both = releases.iter().all(|release| versions.values().any(|version| *version == release.id()));
        ensure!(both, "the stream saw no swap");
        let scored = until("all events scored", async || {
            let rows = ScoreLog::new(line.store.clone(), "local").read(None, range.0, range.1).await?;
            Ok(if rows.rows() >= sent { Ok(rows) } else { Err(format!("{} of {sent}", rows.rows())) })
        })
        .await?;
        ensure!(scored.rows() == sent, "{} scores of {sent} events", scored.rows());
        for row in 0..scored.rows() {
            let event = (scored.partition[row], scored.sequence[row]);
            let version = versions.remove(&event).with_context(|| format!("{event:?} is scored twice"))?;
            let by = scored.scorer.get(row).map_or("nobody", |scorer| &**scorer);
            ensure!(by == version, "{event:?} is scored by {by}, its segment names {version}");
        }
        println!("{sent} events, {swaps} swaps, {kills} kills");
        line.stop().await;
        Ok(())
    })
}
