//! `replay`: stored rows again, in the exact order of each device, at their own pace or faster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use rumqttc::{AsyncClient, Event, Packet, QoS};
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use twinwright_azure::twins::PatchOutcome;
use twinwright_core::time::{Micros, SECOND, iso, parse_iso};
use twinwright_history::Rows;
use twinwright_history::reader::{History, RowQuery};
use twinwright_history::segment::Kind;

use super::Progress;
use crate::args::{HistoryTarget, ReplayInto, Span};
use crate::connection::Connection;
use crate::output::Output;
use crate::simulate::mqtt_options;

/// Rows are taken from history by windows of this length: memory is that of one window.
const WINDOW: Micros = 600 * SECOND;
const MOST_ROWS: usize = 1_000_000;
/// Devices connected at once; a hub takes more, a laptop hardly.
const MOST_DEVICES: usize = 500;

pub(super) async fn replay(
    target: &HistoryTarget,
    span: &Span,
    speed: f64,
    into: ReplayInto,
    output: Output,
) -> anyhow::Result<()> {
    let (history, query) = (target.history()?, span.query()?);
    let connection = Connection::load(&target.data)?;
    match into {
        ReplayInto::Hub => hub(&history, &query, speed, &connection, output).await,
        ReplayInto::Twins => twins(&history, &query, &connection, target, output).await,
    }
}

/// A row on its way.
struct Message {
    time: Micros,
    device: Arc<str>,
    body: String,
}

fn values(rows: &Rows, row: usize) -> Map<String, Value> {
    let mut object = Map::new();
    for (kind, name) in rows.columns() {
        let value = match kind {
            Kind::Signal => {
                rows.signal(name).map(|values| values[row]).filter(|v| v.is_finite()).map(Value::from)
            }
            Kind::State => rows.state(name, row).map(Value::from),
        };
        if let Some(value) = value {
            object.insert(name.to_string(), value);
        }
    }
    object
}

fn messages(parts: &[Rows]) -> Vec<Message> {
    let mut found = Vec::new();
    for rows in parts {
        for row in 0..rows.len() {
            let mut object = values(rows, row);
            if object.is_empty() {
                continue;
            }
            let time = rows.times()[row];
            object.insert("timestamp".to_owned(), Value::from(iso(time)));
            let device = Arc::clone(rows.device(row));
            found.push(Message { time, device, body: Value::Object(object).to_string() });
        }
    }
    // Stable, so that a device's rows of one time stay in their order.
    found.sort_by_key(|message| message.time);
    found
}

/// A device's connection.
struct Sender {
    client: AsyncClient,
    topic: String,
    network: JoinHandle<()>,
}

impl Sender {
    async fn connect(
        connection: &Connection,
        device: &str,
        confirmed: &Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let (client, mut network) = AsyncClient::new(mqtt_options(connection, device).await?, 200);
        let counter = Arc::clone(confirmed);
        let network = tokio::spawn(async move {
            loop {
                match network.poll().await {
                    Ok(Event::Incoming(Packet::PubAck(_))) => _ = counter.fetch_add(1, Ordering::Relaxed),
                    Ok(_) => {}
                    // The client connects again by itself and sends what was not confirmed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            }
        });
        let topic = format!("devices/{device}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8");
        Ok(Self { client, topic, network })
    }
}

async fn hub(
    history: &History,
    query: &RowQuery,
    speed: f64,
    connection: &Connection,
    output: Output,
) -> anyhow::Result<()> {
    let contents = history.contents().await?;
    let Some((low, high)) = contents.bounds else { bail!("there is no history yet") };
    let (mut from, to) = (query.from.max(low), query.to.min(high + 1));
    let confirmed = Arc::new(AtomicU64::new(0));
    let mut senders: BTreeMap<Arc<str>, Sender> = BTreeMap::new();
    let mut progress = Progress::new(output, "rows sent");
    let mut sent = 0_u64;
    let mut began: Option<(Instant, Micros)> = None;
    while from < to {
        let window = RowQuery { from, to: from.saturating_add(WINDOW).min(to), ..query.clone() };
        let (parts, _) = history.read(&window, MOST_ROWS).await?;
        for message in messages(&parts) {
            let (start, first) = *began.get_or_insert((Instant::now(), message.time));
            if speed.is_finite() {
                #[expect(clippy::cast_precision_loss, reason = "a pause")]
                let due = (message.time - first) as f64 / 1e6 / speed;
                tokio::time::sleep_until(start + Duration::from_secs_f64(due.max(0.0))).await;
            }
            if !senders.contains_key(&message.device) {
                anyhow::ensure!(
                    senders.len() < MOST_DEVICES,
                    "more than {MOST_DEVICES} devices: name some with --device"
                );
                let sender = Sender::connect(connection, &message.device, &confirmed).await?;
                senders.insert(Arc::clone(&message.device), sender);
            }
            if let Some(sender) = senders.get(&message.device) {
                sender.client.publish(sender.topic.clone(), QoS::AtLeastOnce, false, message.body).await?;
                sent += 1;
                progress.add(1);
            }
        }
        from = window.to;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while confirmed.load(Ordering::Relaxed) < sent {
        if Instant::now() > deadline {
            bail!("the hub confirmed {} of {sent} rows", confirmed.load(Ordering::Relaxed));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for sender in senders.values() {
        let _closing = sender.client.disconnect().await;
        sender.network.abort();
    }
    let value = json!({ "into": "hub", "rows": sent, "devices": senders.len() });
    output.result(&value, || format!("{sent} rows of {} devices sent through the hub", senders.len()));
    Ok(())
}

/// What a twin shows of its device.
#[derive(Default)]
struct Newest {
    time: Micros,
    latest: Map<String, Value>,
    states: Map<String, Value>,
}

async fn twins(
    history: &History,
    query: &RowQuery,
    connection: &Connection,
    target: &HistoryTarget,
    output: Output,
) -> anyhow::Result<()> {
    let mut newest: BTreeMap<Arc<str>, Newest> = BTreeMap::new();
    let mut progress = Progress::new(output, "rows read");
    history
        .visit(query, |rows| {
            progress.add(rows.len());
            for row in 0..rows.len() {
                let known = newest.entry(Arc::clone(rows.device(row))).or_default();
                if rows.times()[row] < known.time {
                    continue;
                }
                known.time = rows.times()[row];
                for (name, value) in values(&rows, row) {
                    let part = if value.is_number() { &mut known.latest } else { &mut known.states };
                    part.insert(name, value);
                }
            }
            std::ops::ControlFlow::Continue(())
        })
        .await?;
    let client = connection.twins(&target.data)?;
    let (mut patched, mut left, mut missing) = (0, 0, 0);
    for (device, newest) in &newest {
        let Some(twin) = client.get_twin(device).await? else {
            missing += 1;
            continue;
        };
        // An older value never takes the place of a newer one.
        let shown = twin.body.get("observedAt").and_then(Value::as_str).and_then(parse_iso);
        if shown.is_some_and(|shown| shown >= newest.time) {
            left += 1;
            continue;
        }
        let merged = |key: &str, part: &Map<String, Value>| {
            let mut map = twin.body.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
            map.extend(part.clone());
            json!({ "op": "add", "path": format!("/{key}"), "value": map })
        };
        let patch = json!([
            merged("latest", &newest.latest),
            merged("states", &newest.states),
            { "op": "add", "path": "/observedAt", "value": iso(newest.time) },
        ]);
        match client.patch_twin(device, Bytes::from(patch.to_string()), Some(&twin.etag)).await {
            PatchOutcome::Patched { .. } => patched += 1,
            // Somebody newer came in between.
            PatchOutcome::PreconditionFailed => left += 1,
            PatchOutcome::NotFound => missing += 1,
            other => bail!("the twin {device} cannot be written: {other:?}"),
        }
    }
    let value = json!({ "into": "twins", "patched": patched, "newerAlready": left, "withoutTwin": missing });
    output.result(&value, || {
        format!("{patched} twins written, {left} show something newer, {missing} devices have no twin")
    });
    Ok(())
}
