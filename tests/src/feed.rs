//! A feed of events with a fault in it, the same every time: what a replay or a kill must not change.

use std::collections::BTreeMap;

use bytes::Bytes;
use twinwright_core::time::Micros;
use twinwright_local_iot_hub::{EventLog, NewEvent};
use twinwright_simulator::{Fault, FaultKind, Kind, Machine};

/// The machine that fails.
pub const DEVICE: &str = "conveyor-belt-001";
/// Every so many events one is broken, to become a dead letter.
pub const BROKEN_EVERY: usize = 50;

/// An event of a device, as the hub would have stored it.
pub fn event(device: &str, body: impl Into<Bytes>) -> NewEvent {
    let properties = [("iothub-connection-device-id", device), ("iothub-message-source", "Telemetry")];
    NewEvent {
        device_id: device.to_owned(),
        system_properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        properties: BTreeMap::new(),
        body: body.into(),
    }
}

/// Payloads of a belt that jams after two thirds of the run, a second apart, ending at `end`.
pub fn payloads(count: usize, end: Micros) -> Vec<Bytes> {
    let second = 1_000_000;
    let count_us = i64::try_from(count).unwrap_or(0) * second;
    let start = end - count_us;
    let mut machine = Machine::new(Kind::ConveyorBelt, DEVICE, 11);
    machine.add_fault(Fault {
        kind: FaultKind::Jam,
        from_us: start + count_us * 2 / 3,
        to_us: end + count_us,
        develops_us: 0,
        severity: 1.0,
        signal: 0,
        every_us: 0,
    });
    let payload = |row: usize| {
        let reading = machine.step(start + i64::try_from(row).unwrap_or(0) * second).to_json();
        Bytes::from(if row % BROKEN_EVERY == BROKEN_EVERY - 1 { reading.replace('}', "") } else { reading })
    };
    (0..count).map(payload).collect()
}

/// Events that can be read among so many payloads.
pub fn good(count: usize) -> u64 {
    (count - count / BROKEN_EVERY) as u64
}

/// Appends payloads at once.
///
/// # Errors
/// The hub cannot store them.
pub async fn append(log: &EventLog, payloads: &[Bytes]) -> anyhow::Result<()> {
    log.append_batch(payloads.iter().map(|body| event(DEVICE, body.clone())).collect()).await?;
    Ok(())
}
