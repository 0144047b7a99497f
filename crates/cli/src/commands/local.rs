//! `up` and `simulate`.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use twinwright_core::time::SECOND;
use twinwright_simulator::Scenario;

use crate::args::{SimulateOptions, UpOptions};
use crate::connection::Connection;
use crate::output::Output;
use crate::platform::{Platform, provision};
use crate::simulate::{Plan, scenario, start};

/// Starts the platform and runs until Ctrl-C.
///
/// # Errors
/// It does not start, or the Functions host gives up.
pub async fn up(options: UpOptions, output: Output) -> anyhow::Result<()> {
    let platform = Platform::start(&options, Vec::new()).await?;
    let connection = platform.connection.clone();
    let scenario = Scenario::healthy();
    let mut simulation = None;
    if !options.no_simulate {
        provision(&connection, platform.data(), &scenario, SECOND).await?;
        let period = Duration::from_secs(1);
        let plan = Plan { scenario, seed: options.seed, period, time_scale: 1.0, length: None };
        simulation = Some(start(&connection, &plan).await?);
    }
    let file = platform.data().join(crate::connection::FILE);
    output.event(
        "ready",
        &format!("dashboard {}", connection.dashboard_url),
        json!({ "url": connection.dashboard_url }),
    );
    let explorer = format!("{}/explorer/", connection.twins_url);
    let token = platform.twins.token_file();
    output.event(
        "ready",
        &format!("the twins as a picture: {explorer} (it asks for the token in {})", token.display()),
        json!({ "explorer": explorer, "token_file": token }),
    );
    output.event("ready", &format!("how to connect: {}", file.display()), json!({ "connection": file }));
    let ended = tokio::select! {
        failed = platform.host.wait() => Err(anyhow::anyhow!("the Functions host stopped: {failed:?}")),
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = terminated() => Ok(()),
    };
    if let Some(simulation) = &mut simulation {
        simulation.counts.stop();
        simulation.join().await?;
    }
    platform.stop().await;
    ended
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// Sends telemetry to a running platform.
///
/// # Errors
/// No platform runs, or it refuses the devices.
pub async fn simulate(options: SimulateOptions, output: Output) -> anyhow::Result<()> {
    let connection = Connection::load(&options.data.data)?;
    let plan = Plan {
        scenario: scenario(&options.scenario)?,
        seed: options.seed,
        period: Duration::from_millis(options.period_ms),
        time_scale: options.time_scale,
        length: options.seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
    };
    #[expect(clippy::cast_possible_truncation, reason = "a period in microseconds")]
    let lived = (plan.period.as_micros() as f64 * plan.time_scale) as i64;
    provision(&connection, &options.data.data, &plan.scenario, lived.max(1)).await?;
    let mut simulation = start(&connection, &plan).await?;
    if let Some(path) = &options.labels {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        write_truth(&simulation.truth, file)?;
    }
    let counts = std::sync::Arc::clone(&simulation.counts);
    let ended = tokio::select! {
        ended = simulation.join() => ended,
        _ = tokio::signal::ctrl_c() => { counts.stop(); simulation.join().await }
    };
    let (sent, confirmed) = (counts.sent.load(Ordering::Relaxed), counts.confirmed.load(Ordering::Relaxed));
    output.result(&json!({ "sent": sent, "confirmed": confirmed }), || {
        format!("{sent} readings sent, {confirmed} confirmed")
    });
    ended
}

fn write_truth(truth: &[twinwright_simulator::Truth], mut file: File) -> anyhow::Result<()> {
    use std::io::Write as _;
    use twinwright_core::time::iso;
    writeln!(file, "device,fault,from,to,severity")?;
    for t in truth {
        writeln!(file, "{},{:?},{},{},{}", t.device_id, t.fault, iso(t.from_us), iso(t.to_us), t.severity)?;
    }
    Ok(())
}
