//! Starts a hub with one device and prints what a client needs. Ctrl-C stops it.
//!
//! `cargo run -p twinwright-local-iot-hub --example local_hub -- [folder] [device]`

use anyhow::Context;
use twinwright_local_iot_hub::{HubConfig, LocalHub};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "local-hub".to_owned());
    let device = arguments.next().unwrap_or_else(|| "robotic-arm-001".to_owned());

    let hub = LocalHub::start(HubConfig::new(folder)).await?;
    hub.registry().ensure(&device)?;
    println!("CA={}", hub.ca_path().display());
    println!("DEVICE={}", hub.device_connection_string(&device).context("the device was just made")?);
    println!("SERVICE={}", hub.service_connection_string());

    tokio::signal::ctrl_c().await?;
    let events = hub.events();
    let stored: i64 =
        (0..events.partition_count()).filter_map(|p| events.last_sequence(p)).map(|last| last + 1).sum();
    println!("EVENTS={stored}");
    hub.stop().await;
    Ok(())
}
