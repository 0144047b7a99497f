//! What is measured, and how.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Connection;
use crate::data::twin_id;
use crate::{Fault, Service};

/// Requests a second and their latencies in milliseconds.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor time of the service for one request, in microseconds.
    pub(crate) processor_us: f64,
}

/// Imports `<name>.ndjson` of the folder; seconds from the request to the end of the job.
pub(crate) async fn import(connection: &mut Connection, folder: &Path, name: &str) -> Result<f64, Fault> {
    let uri = |name: &str| format!("file://{}/{name}.ndjson", folder.display());
    let body = json!({"inputBlobUri": uri(name), "outputBlobUri": uri(&format!("{name}-log"))});
    let start = Instant::now();
    let path = format!("/jobs/imports/{name}");
    let (status, answer) = connection.send("PUT", &path, &body.to_string()).await?;
    if status != 201 {
        return Err(answer.into());
    }
    loop {
        let (_, answer) = connection.send("GET", &path, "").await?;
        let job: Value = serde_json::from_str(&answer)?;
        match job["status"].as_str() {
            Some("succeeded") => return Ok((start.elapsed().as_secs_f64() * 100.0).round() / 100.0),
            Some("failed" | "cancelled") => return Err(answer.into()),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// A random walk over the twins that needs no crate.
fn next(state: &mut u64, bound: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state % bound as u64) as usize
}

fn figures(mut latencies: Vec<Duration>, elapsed: Duration, processor: f64) -> Figures {
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(0.0, |latency| (latency.as_secs_f64() * 100_000.0).round() / 100.0)
    };
    Figures {
        rate: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50: at(0.5),
        p99: at(0.99),
        processor_us: processor * 1e6 / latencies.len().max(1) as f64,
    }
}

async fn run(
    service: &Service,
    clients: usize,
    seconds: u64,
    request: impl Fn(usize, usize, &mut u64) -> (&'static str, String, String) + Send + Sync + 'static,
    wanted: u16,
) -> Result<Figures, Fault> {
    let request = Arc::new(request);
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Connection::open(&service.target).await?);
    }
    let processor = service.processor()?;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(client, mut connection)| {
            let request = Arc::clone(&request);
            tokio::spawn(async move {
                let (mut latencies, mut state, mut count) =
                    (Vec::with_capacity(65_536), 0x9e37_79b9_7f4a_7c15_u64 ^ (client as u64 + 1), 0);
                while Instant::now() < end {
                    let (method, path, body) = request(client, count, &mut state);
                    let begun = Instant::now();
                    let (status, answer) = connection.send(method, &path, &body).await?;
                    latencies.push(begun.elapsed());
                    if status != wanted {
                        return Err(format!("{status} {answer}").into());
                    }
                    count += 1;
                }
                Ok::<_, Fault>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let elapsed = start.elapsed();
    Ok(figures(latencies, elapsed, service.processor()? - processor))
}

/// Reads of random twins.
pub(crate) async fn reads(
    service: &Service,
    twins: usize,
    clients: usize,
    seconds: u64,
) -> Result<Figures, Fault> {
    let request = move |_, _, state: &mut u64| {
        ("GET", format!("/digitaltwins/{}", twin_id(next(state, twins))), String::new())
    };
    run(service, clients, seconds, request, 200).await
}

/// Patches of random twins, three properties each.
pub(crate) async fn patches(
    service: &Service,
    twins: usize,
    clients: usize,
    seconds: u64,
) -> Result<Figures, Fault> {
    let request = move |_, count: usize, state: &mut u64| {
        let patch = json!([{"op": "replace", "path": "/temperature", "value": 20.0 + (count % 100) as f64 / 10.0},
            {"op": "replace", "path": "/vibration", "value": 0.5 + (count % 10) as f64},
            {"op": "replace", "path": "/health/score", "value": (count % 1000) as f64 / 1000.0}]);
        ("PATCH", format!("/digitaltwins/{}", twin_id(next(state, twins))), patch.to_string())
    };
    run(service, clients, seconds, request, 204).await
}

/// Reads by four clients while one writes about 500 patches a second.
pub(crate) async fn reads_during_writes(
    service: &Service,
    twins: usize,
    seconds: u64,
) -> Result<Figures, Fault> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..4_u64 {
        let (mut connection, stop) = (Connection::open(&service.target).await?, Arc::clone(&stop));
        writers.push(tokio::spawn(async move {
            let mut state = 77 + writer;
            let mut tick = tokio::time::interval(Duration::from_millis(8));
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                let path = format!("/digitaltwins/{}", twin_id(next(&mut state, twins)));
                let patch = r#"[{"op":"replace","path":"/speed","value":1400}]"#;
                let (status, answer) = connection.send("PATCH", &path, patch).await?;
                if status != 204 {
                    return Err(answer.into());
                }
            }
            Ok::<_, Fault>(())
        }));
    }
    let figures = reads(service, twins, 4, seconds).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await??;
    }
    figures
}
