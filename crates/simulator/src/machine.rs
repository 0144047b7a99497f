//! One device: a body, the sensors that watch it, the faults that befall it.

use crate::body::{Body, keep_and_fresh};
use crate::equipment::{Kind, MOST_SIGNALS};
use crate::fault::{Effects, Fault, FaultKind};
use crate::random::{Noise, Random};
use crate::reading::{Label, Reading};
use std::sync::Arc;

const SENSOR_NOISE_LAG: f64 = 1.5;
const SPIKE_CHANCE: f64 = 0.2;

/// One piece of equipment. It is told the time at every step and never looks at a clock.
#[derive(Debug, Clone)]
pub struct Machine {
    kind: Kind,
    device_id: Arc<str>,
    random: Random,
    /// A stream of its own, so that a faulty run has the noise of the healthy run with the same seed.
    spikes: Random,
    body: Body,
    noise: [Noise; MOST_SIGNALS],
    /// -1 to 1 per signal: how this unit differs from its kind.
    unit: [f64; MOST_SIGNALS],
    /// What each stuck sensor shows.
    held: [Option<f64>; MOST_SIGNALS],
    faults: Vec<Fault>,
    stopped: bool,
    time_scale: f64,
    first_us: Option<i64>,
    last_us: i64,
    noise_factors: (f64, (f64, f64)),
}

impl Machine {
    /// A healthy machine. Device id and seed together choose its bytes.
    #[must_use]
    pub fn new(kind: Kind, device_id: &str, seed: u64) -> Self {
        let mut random = Random::stream(seed, device_id, 1);
        let body = Body::new(kind.spec(), Random::stream(seed, device_id, 2), &mut random);
        let noise = std::array::from_fn(|_| Noise::start(&mut random));
        let unit = std::array::from_fn(|_| random.between(-1.0, 1.0));
        Self {
            kind,
            device_id: device_id.into(),
            random,
            spikes: Random::stream(seed, device_id, 3),
            body,
            noise,
            unit,
            held: [None; MOST_SIGNALS],
            faults: Vec::new(),
            stopped: false,
            time_scale: 1.0,
            first_us: None,
            last_us: 0,
            noise_factors: (0.0, keep_and_fresh(0.0, SENSOR_NOISE_LAG)),
        }
    }

    /// Lets the body live `scale` times as fast as the timestamps tell, so that a demonstration of a minute sees
    /// several regimes and the heat that follows a fault. Faults keep the times they were given.
    #[must_use]
    pub fn with_time_scale(mut self, scale: f64) -> Self {
        self.time_scale = if scale.is_finite() { scale.clamp(1e-3, 1e6) } else { 1.0 };
        self
    }

    /// Lets the ambient's daily cycle take `seconds` of the body's time instead of a day.
    #[must_use]
    pub(crate) fn with_day(mut self, seconds: f64) -> Self {
        self.body.day = seconds;
        self
    }

    /// Adds a fault. A signal index that the kind lacks is taken as its last signal.
    pub fn add_fault(&mut self, mut fault: Fault) {
        fault.signal = fault.signal.min(self.kind.signals().len() - 1);
        self.faults.push(fault);
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its IoT Hub device id.
    #[must_use]
    pub fn device_id(&self) -> &Arc<str> {
        &self.device_id
    }

    /// Its faults, past and to come.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether `emergencyStop` has stopped it.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What the direct method `emergencyStop` does: movement ends within seconds, the machine cools down, its
    /// status is `stopped`. Answers whether it was running.
    pub fn emergency_stop(&mut self) -> bool {
        !std::mem::replace(&mut self.stopped, true)
    }

    /// Takes it into service again. Answers whether it was stopped.
    pub fn restart(&mut self) -> bool {
        std::mem::replace(&mut self.stopped, false)
    }

    /// Ends all faults, as a repair does.
    pub fn repair(&mut self) {
        self.faults.clear();
        self.held = [None; MOST_SIGNALS];
    }

    /// Moves to `time_us` (µs since 1970 UTC) and reads all sensors. A time before the last one is taken as the last
    /// one for the body, but written as given: that is how a device with a bad clock looks.
    pub fn step(&mut self, time_us: i64) -> Reading {
        let spec = self.kind.spec();
        let before = if self.first_us.is_none() { time_us } else { self.last_us };
        let first = *self.first_us.get_or_insert(time_us);
        let dt = time_us.saturating_sub(before).max(0) as f64 * 1e-6 * self.time_scale;
        self.last_us = before.max(time_us);
        let elapsed = self.last_us.saturating_sub(first) as f64 * 1e-6 * self.time_scale;

        let (effects, label) = self.effects_at(time_us);
        let clock = first as f64 * 1e-6 + elapsed;
        let conditions = self.body.step(spec, &mut self.random, dt, clock, self.stopped, effects);
        let row = (spec.observe)(&conditions);

        if dt != self.noise_factors.0 {
            self.noise_factors = (dt, keep_and_fresh(dt, SENSOR_NOISE_LAG));
        }
        let (keep, fresh) = self.noise_factors.1;
        let mut signals = Vec::with_capacity(spec.signals.len());
        for (index, signal) in spec.signals.iter().enumerate() {
            let noise = self.noise[index].step(&mut self.random, keep, fresh);
            let rough = if signal.rough { 1.0 + 1.5 * effects.roughness } else { 1.0 };
            let moving = if self.stopped && row[index] == 0.0 { 0.0 } else { 1.0 };
            let true_value =
                row[index] + moving * (signal.tolerance * self.unit[index] + signal.noise * rough * noise);
            if let Some(shown) = self.sense(index, true_value, time_us) {
                let cut = shown.clamp(signal.range.0, signal.range.1);
                signals.push((signal.name, round(cut, signal.digits)));
            }
        }
        let state = if self.stopped {
            "stopped"
        } else if effects.block > 0.5 {
            "blocked"
        } else {
            self.body.regime_state(spec)
        };
        Reading {
            device_id: Arc::clone(&self.device_id),
            time_us,
            signals,
            states: vec![("operationalStatus", state)],
            label,
        }
    }

    /// The sum of what all faults do, and the label of the gravest.
    fn effects_at(&self, time_us: i64) -> (Effects, Option<Label>) {
        let mut effects = Effects::default();
        let mut label: Option<Label> = None;
        for fault in &self.faults {
            let severity = fault.severity_at(time_us);
            if severity > 0.0 {
                effects.add(fault.kind, severity);
                if label.as_ref().is_none_or(|gravest| severity > gravest.severity) {
                    label = Some(Label { fault: fault.kind, severity });
                }
            }
        }
        (effects.bounded(), label)
    }

    /// What the sensor of a signal shows for the true value; `None` when it shows nothing.
    fn sense(&mut self, index: usize, true_value: f64, time_us: i64) -> Option<f64> {
        let spread = self.kind.signals()[index].spread;
        let mut shown = true_value;
        let mut stuck = false;
        for fault in &self.faults {
            if fault.signal != index || !fault.kind.is_sensor() {
                continue;
            }
            let severity = fault.severity_at(time_us);
            if severity <= 0.0 {
                continue;
            }
            match fault.kind {
                FaultKind::StuckSensor => stuck = true,
                FaultKind::DropOut => return None,
                FaultKind::Drift => shown += 6.0 * severity * spread,
                FaultKind::Spike if self.spikes.unit() < SPIKE_CHANCE => {
                    let sign = if self.spikes.unit() < 0.5 { -1.0 } else { 1.0 };
                    shown += sign * severity * spread * self.spikes.between(10.0, 18.0);
                }
                _ => {}
            }
        }
        if stuck {
            return Some(*self.held[index].get_or_insert(shown));
        }
        self.held[index] = None;
        Some(shown)
    }
}

/// Rounds as the device does before it sends; never a negative nought.
fn round(value: f64, digits: u32) -> f64 {
    let scale = match digits {
        0 => 1.0,
        1 => 10.0,
        2 => 100.0,
        _ => 1_000.0,
    };
    (value * scale).round() / scale + 0.0
}
