//! The demonstration: the line with one developing fault and one sudden one, told as it happens, and a report.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast;
use twinwright_app::clock::now;
use twinwright_app::documents::{AlertStore, CommandStore};
use twinwright_core::time::{Micros, SECOND, parse_iso};
use twinwright_history::dead_letter::DeadLetters;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;
use twinwright_local_digital_twins::{TwinEvent, TwinEventKind};
use twinwright_simulator::{Scenario, Truth};

use crate::args::DemoOptions;
use crate::connection::Connection;
use crate::output::{Output, clean, table};
use crate::platform::{Platform, provision};
use crate::simulate::{self, Plan};

/// A reading every 200 ms, in which a machine lives a second: the run shows what a shift would.
const PERIOD: Duration = Duration::from_millis(200);
const TIME_SCALE: f64 = 5.0;
/// How long the line has to settle after the last reading.
const SETTLE: Duration = Duration::from_secs(20);
/// An alert this long after a fault's end still belongs to it: the window mean has to drain.
const AFTERMATH: Micros = 10 * SECOND;

/// The report of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Readings that the hub confirmed.
    pub events_sent: u64,
    /// Rows in segments, each counted once.
    pub events_committed: u64,
    /// Dead letters.
    pub events_dead_lettered: u64,
    /// Patches that reached a machine's twin.
    pub twins_patched: u64,
    /// Alerts opened.
    pub alerts_raised: u64,
    /// Alerts over.
    pub alerts_cleared: u64,
    /// Commands sent to a machine.
    pub commands_sent: u64,
    /// Rows stored more than once.
    pub duplicates: u64,
    /// From the device's send to the patched twin, in milliseconds.
    pub latency_ms: Latency,
    /// The faults and whether they were found.
    pub faults: Vec<Found>,
}

/// Latency quantiles, milliseconds.
#[derive(Debug, Default, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// A fault of the scenario.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Machine.
    pub device: String,
    /// Fault.
    pub fault: String,
    /// Whether an alert of the machine opened while it lasted.
    pub found: bool,
    /// From its onset to the alert, seconds.
    pub delay_s: Option<f64>,
}

/// Runs the demonstration.
///
/// # Errors
/// The platform does not start, the books do not balance, or a fault was not found.
pub async fn demo(options: DemoOptions, output: Output) -> anyhow::Result<()> {
    let scenario = Scenario::demo();
    let settings = vec![
        ("TWINWRIGHT_EQUIPMENT__CONVEYOR_BELT__COMMAND__ON_CRITICAL".to_owned(), "stop".to_owned()),
        ("TWINWRIGHT_SCORING__REFRESH_SECONDS".to_owned(), "2".to_owned()),
    ];
    let platform = Platform::start(&options.up, settings).await?;
    let connection = platform.connection.clone();
    provision(&connection, platform.data(), &scenario, SECOND).await?;
    let from = now();
    let patches = Arc::new(Mutex::new(Vec::new()));
    let collector = tokio::spawn(collect(platform.twins.subscribe(), Arc::clone(&patches)));
    output.event(
        "ready",
        &format!("dashboard {}", connection.dashboard_url),
        json!({ "url": connection.dashboard_url }),
    );
    let plan = Plan {
        scenario,
        seed: options.up.seed,
        period: PERIOD,
        time_scale: TIME_SCALE,
        length: options.seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
    };
    let mut simulation = simulate::start(&connection, &plan).await?;
    let store = Store::from_url(&connection.storage_url)?;
    let teller =
        tokio::spawn(tell(store.clone(), connection.clone(), platform.data().to_owned(), output, from));
    let counts = Arc::clone(&simulation.counts);
    let ended = tokio::select! {
        ended = simulation.join() => ended,
        failed = platform.host.wait() => Err(anyhow::anyhow!("the Functions host stopped: {failed:?}")),
        _ = tokio::signal::ctrl_c() => { counts.stop(); simulation.join().await }
    };
    let sent = counts.confirmed.load(Ordering::Relaxed);
    let books = settle(&store, sent, from).await?;
    teller.abort();
    collector.abort();
    let latencies = std::mem::take(&mut *patches.lock().unwrap_or_else(PoisonError::into_inner));
    let report = report(&store, &simulation.truth, sent, &books, latencies, from).await?;
    platform.stop().await;
    ended?;
    if let Some(path) = &options.report {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    output.result(&report, || summary(&report));
    verdict(&report, options.seconds.is_some())
}

/// Latencies of patched machines, in milliseconds: the patch carries the device's send time as `observedAt`.
async fn collect(mut events: broadcast::Receiver<TwinEvent>, latencies: Arc<Mutex<Vec<f64>>>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let TwinEventKind::Updated { patch, .. } = &event.kind else { continue };
        let observed = patch.as_array().into_iter().flatten().find(|op| op["path"] == "/observedAt");
        let Some(observed) = observed.and_then(|op| op["value"].as_str()).and_then(parse_iso) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a short run")]
        let latency = (event.received_us - observed) as f64 / 1e3;
        latencies.lock().unwrap_or_else(PoisonError::into_inner).push(latency);
    }
}

/// Tells alerts and commands as they are recorded, and now and then how the machines are.
async fn tell(store: Store, connection: Connection, data: PathBuf, output: Output, from: Micros) {
    let (alerts, commands) = (AlertStore::new(store.clone()), CommandStore::new(store));
    let Ok(twins) = connection.twins(&data) else { return };
    let mut told = HashSet::new();
    let mut round = 0_u32;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for alert in alerts.list(now(), false, 100).await.unwrap_or_default() {
            if parse_iso(&alert.opened_at).is_none_or(|at| at < from)
                || !told.insert(format!("{}{:?}{:?}", alert.id, alert.severity, alert.cleared_at))
            {
                continue;
            }
            let cause = alert.causes.first().map_or_else(String::new, |cause| {
                format!("  {} {} ({:.0} %)", cause.signal, cause.direction, cause.share * 100.0)
            });
            let what = if alert.cleared_at.is_some() { "cleared" } else { "open" };
            let text = format!(
                "{:<18} {:?} {what}, score {:.2}{cause}",
                clean(&alert.device),
                alert.severity,
                alert.score
            );
            output.event("alert", &text, json!({ "alert": alert }));
        }
        for command in commands.list(now()).await.unwrap_or_default() {
            if told.insert(format!("{}{:?}", command.id, command.state)) {
                let text = format!("{:<18} {} {:?}", clean(&command.device), command.method, command.state);
                output.event("command", &text, json!({ "command": command }));
            }
        }
        round += 1;
        if round % 10 == 1
            && let Ok(pages) = twins
                .query_all("SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:twinwright:Equipment;1')")
        {
            for twin in pages.collect(50).await.unwrap_or_default() {
                let (id, health) = (twin["$dtId"].as_str().unwrap_or_default(), &twin["health"]);
                let status = health["status"].as_str().unwrap_or("unknown");
                let score = health["score"].as_f64();
                let cause = health["topCause"].as_str().filter(|cause| !cause.is_empty());
                let shown = score.map_or_else(|| "-".to_owned(), |score| format!("{score:.2}"));
                let text =
                    format!("{:<18} {status}, score {shown}  {}", clean(id), cause.unwrap_or_default());
                output.event(
                    "health",
                    &text,
                    json!({ "device": id, "status": status, "score": score, "topCause": cause }),
                );
            }
        }
    }
}

/// What storage holds, counted row by row.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Books {
    committed: u64,
    duplicates: u64,
    dead_lettered: u64,
}

async fn books(store: &Store, from: Micros) -> anyhow::Result<Books> {
    let log = SegmentLog::new(store.clone(), "local");
    let mut seen = HashSet::new();
    let mut books = Books::default();
    // Event times come from the devices; an hour around the run is enough for clocks that are a little off.
    for name in log.range(from - 3_600 * SECOND, now() + 3_600 * SECOND).await? {
        let (frame, metadata) = log.load(&name).await?;
        for (row, &sequence) in frame.sequence.iter().enumerate() {
            if frame.enqueued[row] < from {
                continue;
            }
            if seen.insert((frame.partition, metadata.epoch, sequence)) {
                books.committed += 1;
            } else {
                books.duplicates += 1;
            }
        }
    }
    let letters = DeadLetters::new(store.clone(), "local");
    for batch in letters.list(Some(from)).await? {
        let batch = letters.read(&batch.path).await?;
        books.dead_lettered += batch.iter().filter(|letter| letter.enqueued >= from).count() as u64;
    }
    Ok(books)
}

/// Waits until everything sent is stored; answers the books as they are then.
async fn settle(store: &Store, sent: u64, from: Micros) -> anyhow::Result<Books> {
    let deadline = tokio::time::Instant::now() + SETTLE;
    loop {
        let books = books(store, from).await?;
        if books.committed + books.dead_lettered >= sent || tokio::time::Instant::now() > deadline {
            // Alerts of the last rows are still on their way through the queue.
            tokio::time::sleep(Duration::from_secs(2)).await;
            return Ok(books);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn report(
    store: &Store,
    truth: &[Truth],
    sent: u64,
    books: &Books,
    mut latencies: Vec<f64>,
    from: Micros,
) -> anyhow::Result<Report> {
    let mut alerts = AlertStore::new(store.clone()).list(now(), false, 1_000).await?;
    alerts.retain(|alert| parse_iso(&alert.opened_at).is_some_and(|at| at >= from));
    let commands = CommandStore::new(store.clone()).list(now()).await?;
    let sent_commands = commands
        .iter()
        .filter(|c| c.outcome.is_some() && parse_iso(&c.requested_at).is_some_and(|at| at >= from));
    latencies.sort_by(f64::total_cmp);
    let quantile = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = ((latencies.len() as f64 - 1.0) * part).round().max(0.0) as usize;
        latencies.get(at).copied().unwrap_or(0.0)
    };
    let find = |truth: &Truth| {
        let opened = alerts.iter().filter(|alert| alert.device == *truth.device_id && alert.rule == "health");
        let opened = opened.filter_map(|alert| parse_iso(&alert.opened_at));
        let first = opened.filter(|&at| at >= truth.from_us && at <= truth.to_us + AFTERMATH).min();
        #[expect(clippy::cast_precision_loss, reason = "seconds of a short run")]
        let delay_s = first.map(|at| (at - truth.from_us) as f64 / 1e6);
        let fault = format!("{:?}", truth.fault);
        Found { device: truth.device_id.to_string(), fault, found: first.is_some(), delay_s }
    };
    Ok(Report {
        events_sent: sent,
        events_committed: books.committed,
        events_dead_lettered: books.dead_lettered,
        twins_patched: latencies.len() as u64,
        alerts_raised: alerts.len() as u64,
        alerts_cleared: alerts.iter().filter(|alert| alert.cleared_at.is_some()).count() as u64,
        commands_sent: sent_commands.count() as u64,
        duplicates: books.duplicates,
        latency_ms: Latency { p50: quantile(0.5), p99: quantile(0.99) },
        faults: truth.iter().map(find).collect(),
    })
}

fn summary(report: &Report) -> String {
    let count = |name: &str, value: u64| vec![name.to_owned(), value.to_string()];
    let mut rows = vec![
        count("events sent", report.events_sent),
        count("events committed", report.events_committed),
        count("dead letters", report.events_dead_lettered),
        count("duplicates", report.duplicates),
        count("twins patched", report.twins_patched),
        count("alerts raised", report.alerts_raised),
        count("alerts cleared", report.alerts_cleared),
        count("commands sent", report.commands_sent),
    ];
    let Latency { p50, p99 } = report.latency_ms;
    rows.push(vec!["latency p50 / p99".to_owned(), format!("{p50:.0} / {p99:.0} ms")]);
    for fault in &report.faults {
        let delay =
            fault.delay_s.map_or_else(|| "not found".to_owned(), |delay| format!("found after {delay:.1} s"));
        rows.push(vec![format!("{} of {}", fault.fault, fault.device), delay]);
    }
    table(&["the run", ""], &rows)
}

/// The demonstration is a check as well: the books must balance, and the faults must be found.
fn verdict(report: &Report, whole: bool) -> anyhow::Result<()> {
    let stored = report.events_committed + report.events_dead_lettered;
    if stored != report.events_sent {
        bail!("{} events sent, {stored} stored", report.events_sent);
    }
    if report.duplicates > 0 {
        bail!("{} rows are stored twice", report.duplicates);
    }
    let missed: Vec<&str> = report.faults.iter().filter(|f| !f.found).map(|f| f.device.as_str()).collect();
    if whole && !missed.is_empty() {
        bail!("faults not found: {}", missed.join(", "));
    }
    Ok(())
}
