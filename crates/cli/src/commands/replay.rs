//! `replay`: the rows of a CSV file the whole way, as a device would send them, as fast as the hub takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use rumqttc::{AsyncClient, Event, Packet, QoS};
use serde_json::{Map, Value, json};
use twinwright_app::clock::now;
use twinwright_core::time::{Micros, iso};

use super::csv::Table;
use crate::args::ReplayOptions;
use crate::connection::Connection;
use crate::output::Output;
use crate::simulate::mqtt_options;

/// Runs `replay`.
///
/// # Errors
/// The file cannot be read, no platform runs, or the hub does not confirm.
pub async fn replay(options: ReplayOptions, output: Output) -> anyhow::Result<()> {
    let connection = Connection::load(&options.data.data)?;
    let table = Table::read(&options.csv)?;
    let rows = table.time.len();
    if options.skip >= rows {
        bail!("the file has {rows} rows, --skip {} leaves none", options.skip);
    }
    let mqtt = mqtt_options(&connection, &options.device).await?;
    let (client, mut network) = AsyncClient::new(mqtt, 200);
    let confirmed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&confirmed);
    let receiver = tokio::spawn(async move {
        loop {
            match network.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    });
    // Old times would be late to a device that has sent since; the last row becomes now, distances stay.
    let shift = now() - table.time[rows - 1];
    let topic = format!("devices/{}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8", options.device);
    for row in options.skip..rows {
        let body = body(&table, row, shift);
        client.publish(topic.clone(), QoS::AtLeastOnce, false, body).await?;
    }
    let sent = (rows - options.skip) as u64;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while confirmed.load(Ordering::Relaxed) < sent {
        if tokio::time::Instant::now() > deadline {
            bail!("the hub confirmed {} of {sent} rows", confirmed.load(Ordering::Relaxed));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = client.disconnect().await;
    receiver.abort();
    let shown = json!({ "sent": sent, "device": options.device, "shiftMicros": shift });
    output.result(&shown, || format!("{sent} rows sent as {}", options.device));
    Ok(())
}

fn body(table: &Table, row: usize, shift: Micros) -> String {
    let values = table.signals.iter().zip(table.row(row)).filter(|(_, value)| value.is_finite());
    let mut object: Map<String, Value> =
        values.map(|(name, value)| (name.clone(), Value::from(*value))).collect();
    object.insert("timestamp".to_owned(), Value::from(iso(table.time[row] + shift)));
    Value::Object(object).to_string()
}
