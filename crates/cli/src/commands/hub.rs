//! `hub device …`, `hub monitor`, `hub invoke`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use serde_json::{Value, json};
use twinwright_azure::connection::ConnectionString;
use twinwright_azure::hub::{MethodOutcome, NewDevice};

use crate::args::{DeviceCommand, HubCommand};
use crate::connection::Connection;
use crate::output::{Output, clean, table};

/// Runs a `hub` command.
///
/// # Errors
/// No platform runs, or the hub refuses.
pub async fn hub(command: HubCommand, output: Output) -> anyhow::Result<()> {
    match command {
        HubCommand::Device { command } => device(command, output).await,
        HubCommand::Monitor { data, timeout } => {
            monitor(&Connection::load(&data.data)?, timeout, output).await
        }
        HubCommand::Invoke { device, method, payload, data } => {
            let payload: Value = serde_json::from_str(&payload).context("--payload needs JSON")?;
            let hub = Connection::load(&data.data)?.hub()?;
            let (wait, connect) = (Duration::from_secs(30), Duration::from_secs(5));
            match hub.invoke_method(&device, &method, &payload, wait, connect).await {
                MethodOutcome::Answered { status, payload } => {
                    let answer = json!({ "status": status, "payload": payload });
                    output.result(&answer, || format!("status {status}\n{payload:#}"));
                    Ok(())
                }
                MethodOutcome::NotOnline => bail!("{device} is not connected, or takes no methods"),
                MethodOutcome::TimedOut => bail!("{device} did not answer within 30 s"),
                MethodOutcome::NotFound => {
                    bail!("there is no device {device}; twinwright hub device create {device}")
                }
                MethodOutcome::Failed { message, .. } => bail!("{message}"),
            }
        }
    }
}

async fn device(command: DeviceCommand, output: Output) -> anyhow::Result<()> {
    match command {
        DeviceCommand::Create { id, data } => {
            let connection = Connection::load(&data.data)?;
            let device = connection
                .hub()?
                .create_device(&NewDevice { id: id.clone(), enabled: true, keys: None })
                .await?;
            let text = connection
                .device(&id, device.primary_key.as_ref().context("the device has no key")?.reveal());
            output.result(&json!({ "deviceId": id, "connectionString": text }), || text.clone());
        }
        DeviceCommand::ConnectionString { id, data } => {
            let connection = Connection::load(&data.data)?;
            let device = connection.hub()?.get_device(&id).await?;
            let device = device
                .with_context(|| format!("there is no device {id}; twinwright hub device create {id}"))?;
            let text = connection
                .device(&id, device.primary_key.as_ref().context("the device has no key")?.reveal());
            output.result(&json!({ "deviceId": id, "connectionString": text }), || text.clone());
        }
        DeviceCommand::List { data } => {
            let devices = Connection::load(&data.data)?.hub()?.list_devices(1_000).await?;
            let list: Vec<Value> = devices
                .iter()
                .map(|d| json!({ "deviceId": d.id, "connected": d.connected, "enabled": d.enabled }))
                .collect();
            output.result(&list, || {
                let word = |is: bool, yes: &str, no: &str| if is { yes } else { no }.to_owned();
                let row = |d: &twinwright_azure::hub::Device| {
                    vec![
                        clean(&d.id),
                        word(d.connected, "connected", "-"),
                        word(d.enabled, "enabled", "disabled"),
                    ]
                };
                table(&["device", "connection", "status"], &devices.iter().map(row).collect::<Vec<_>>())
            });
        }
    }
    Ok(())
}

/// Streams messages as the hub stores them.
async fn monitor(connection: &Connection, timeout: Option<u64>, output: Output) -> anyhow::Result<()> {
    let ca = reqwest::Certificate::from_pem(&std::fs::read(&connection.ca_file)?)?;
    let client = reqwest::Client::builder().tls_certs_only([ca]).build()?;
    let parts = ConnectionString::parse(&connection.service_connection_string)?;
    let token = parts.signature(std::time::SystemTime::now() + Duration::from_secs(86_400));
    let url = format!("{}/twinwright/events?from=latest", connection.hub_url);
    let response =
        client.get(url).header("Authorization", token.reveal()).send().await?.error_for_status()?;
    let mut stream = response.bytes_stream();
    let mut waiting = Vec::new();
    let end = async {
        match timeout {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
            chunk = stream.next() => {
                let Some(chunk) = chunk else { bail!("the hub closed the stream") };
                waiting.extend_from_slice(&chunk?);
                while let Some(at) = waiting.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = waiting.drain(..=at).collect();
                    show(&String::from_utf8_lossy(&line), output);
                }
            }
        }
    }
}

fn show(line: &str, output: Output) {
    let line = line.trim().trim_start_matches("data:").trim();
    if line.is_empty() {
        return;
    }
    if output.is_json() {
        println!("{line}");
        return;
    }
    let Ok(event) = serde_json::from_str::<Value>(line) else { return };
    let text = |key: &str| {
        event.get(key).map_or_else(String::new, |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
    };
    println!(
        "{:<20} p{} #{:<8} {}",
        clean(&text("deviceId")),
        text("partition"),
        text("sequence"),
        clean(&text("body"))
    );
}
