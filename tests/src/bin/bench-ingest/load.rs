//! Bodies of the Event Hubs trigger: robotic arms that run normally, the same every time.

use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use bytes::Bytes;
use twinwright_core::time::{Micros, iso};

/// Events of a batch.
pub(crate) const EVENTS: usize = 1_000;
/// The signals of an arm.
pub(crate) const SIGNALS: [&str; 5] = ["temperature", "vibration", "pressure", "speed", "load"];
/// Enqueued time of the first event.
pub(crate) const START: Micros = 1_760_000_000_000_000;
/// Usual value and spread of each signal.
const NORMAL: [(f64, f64); 5] = [(45.0, 1.0), (2.5, 0.1), (100.0, 2.0), (1.5, 0.1), (50.0, 5.0)];
/// Between two events of the partition.
const STEP: Micros = 1_000;

/// The stream of one partition.
pub(crate) struct Load {
    devices: u64,
    next: u64,
    noise: Noise,
}

impl Load {
    /// A stream from that many devices in turn.
    pub(crate) fn new(devices: u64) -> Self {
        Self { devices, next: 0, noise: Noise::new() }
    }

    /// The next batches, as the host would post them.
    pub(crate) fn batches(&mut self, count: usize) -> Vec<Bytes> {
        (0..count).map(|_| self.batch()).collect()
    }

    fn batch(&mut self) -> Bytes {
        let events: Vec<EventSpec> = (0..EVENTS).map(|_| self.event()).collect();
        Bytes::from(event_hub_body(&events, &BatchOptions::default()))
    }

    fn event(&mut self) -> EventSpec {
        let number = i64::try_from(self.next).unwrap_or(i64::MAX);
        let device = format!("robotic-arm-{:05}", self.next % self.devices);
        self.next += 1;
        let enqueued = START + number * STEP;
        let [temperature, vibration, pressure, speed, load] = self.noise.row();
        // A device's clock says when it measured: a little before the hub has it.
        let timestamp = iso(enqueued - 20_000);
        let body = format!(
            r#"{{"deviceId":"{device}","timestamp":"{timestamp}","temperature":{temperature:.2},"vibration":{vibration:.3},"pressure":{pressure:.2},"speed":{speed:.3},"load":{load:.2},"operationalStatus":"running"}}"#
        );
        EventSpec::telemetry(&device, number, enqueued, body.as_bytes())
    }
}

/// Readings of normal operation.
pub(crate) struct Noise(u64);

impl Noise {
    /// The same sequence every time.
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// One reading.
    pub(crate) fn row(&mut self) -> [f64; 5] {
        NORMAL.map(|(usual, spread)| usual + spread * self.next())
    }

    /// About normally distributed: a sum of four uniform numbers, scaled to a deviation of one.
    fn next(&mut self) -> f64 {
        let mut sum = -2.0;
        for _ in 0..4 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            sum += f64::from((self.0 >> 40) as u32) / f64::from(1_u32 << 24);
        }
        sum * 3.0_f64.sqrt()
    }
}
