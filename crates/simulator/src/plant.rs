//! All machines of a scenario.

use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::machine::Machine;
use crate::reading::Reading;
use crate::scenario::{FaultSpec, Moment, Scenario};
use std::collections::HashMap;
use std::sync::Arc;

/// What a plant is made of.
#[derive(Debug, Clone)]
pub struct PlantConfig {
    /// Chooses the bytes, together with the device ids.
    pub seed: u64,
    /// Lines, equipment and faults.
    pub scenario: Scenario,
    /// When the run begins, µs since 1970 UTC: fractions and seconds of the scenario count from here.
    pub start_us: i64,
    /// Length of the run in µs; `None` runs for ever, and the scenario repeats every `cycleSeconds`.
    pub run_us: Option<i64>,
    /// How many times faster than the timestamps the machines live; 1 is real time.
    pub time_scale: f64,
}

impl PlantConfig {
    /// A run without end, in real time.
    #[must_use]
    pub fn new(seed: u64, scenario: Scenario, start_us: i64) -> Self {
        Self { seed, scenario, start_us, run_us: None, time_scale: 1.0 }
    }
}

/// When a device is truly at fault: what a detection is measured against.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// IoT Hub device id.
    pub device_id: Arc<str>,
    /// What is wrong.
    pub fault: FaultKind,
    /// Onset, µs since 1970 UTC.
    pub from_us: i64,
    /// End, exclusive; the end of the run (or cycle) if it is never repaired.
    pub to_us: i64,
    /// Severity when full grown.
    pub severity: f64,
}

/// All machines of a scenario, stepped together or taken apart.
#[derive(Debug, Clone)]
pub struct Plant {
    machines: Vec<Machine>,
    places: HashMap<Arc<str>, usize>,
}

impl Plant {
    /// Checks the scenario and builds its machines.
    ///
    /// # Errors
    /// What [`Scenario::check`] finds, or a run length or time scale that is not above 0.
    pub fn new(config: &PlantConfig) -> Result<Self, Error> {
        config.scenario.check()?;
        if !(config.time_scale.is_finite() && config.time_scale > 0.0) {
            let (field, value) = ("time scale", config.time_scale);
            return Err(Error::Setting { field, value, expected: "a number above 0" });
        }
        if let Some(run) = config.run_us.filter(|run| *run <= 0) {
            let (field, value) = ("run length in µs", run as f64);
            return Err(Error::Setting { field, value, expected: "a number above 0" });
        }
        let mut machines = Vec::new();
        let mut places = HashMap::new();
        for spec in config.scenario.lines.iter().flat_map(|line| &line.equipment) {
            let machine = Machine::new(spec.kind, &spec.id, config.seed).with_time_scale(config.time_scale);
            places.insert(Arc::clone(machine.device_id()), machines.len());
            machines.push(machine);
        }
        for spec in &config.scenario.faults {
            if let Some(place) = places.get(spec.device.as_str()) {
                let machine: &mut Machine = &mut machines[*place];
                let fault = resolve(spec, config, machine);
                machine.add_fault(fault);
            }
        }
        Ok(Self { machines, places })
    }

    /// All machines at one time, in the scenario's order. Lazy: what is not taken is not stepped.
    pub fn step(&mut self, time_us: i64) -> impl Iterator<Item = Reading> + '_ {
        self.machines.iter_mut().map(move |machine| machine.step(time_us))
    }

    /// The machines in the scenario's order.
    #[must_use]
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// One machine, e.g. to stop it.
    pub fn machine_mut(&mut self, device_id: &str) -> Option<&mut Machine> {
        self.places.get(device_id).map(|place| &mut self.machines[*place])
    }

    /// Takes the plant apart, e.g. for one connection a device. The readings stay the same.
    #[must_use]
    pub fn into_machines(self) -> Vec<Machine> {
        self.machines
    }

    /// All faults of the run (of the first cycle, if it runs for ever), by onset.
    #[must_use]
    pub fn truth(&self) -> Vec<Truth> {
        let mut all: Vec<Truth> = self
            .machines
            .iter()
            .flat_map(|machine| {
                machine.faults().iter().map(|fault| Truth {
                    device_id: Arc::clone(machine.device_id()),
                    fault: fault.kind,
                    from_us: fault.from_us,
                    to_us: fault.to_us,
                    severity: fault.severity,
                })
            })
            .collect();
        all.sort_by(|left, right| (left.from_us, &left.device_id).cmp(&(right.from_us, &right.device_id)));
        all
    }
}

/// From "at a third of the run" to µs.
fn resolve(spec: &FaultSpec, config: &PlantConfig, machine: &Machine) -> Fault {
    let cycle_us = (config.scenario.cycle_seconds * 1e6) as i64;
    let length = config.run_us.unwrap_or(cycle_us);
    let micros = |moment: Moment| match moment {
        Moment::Fraction(part) => (part * length as f64) as i64,
        Moment::Seconds(seconds) => (seconds * 1e6) as i64,
    };
    let from = micros(spec.from);
    let to = spec.to.map_or(length.max(from.saturating_add(1)), micros).max(from.saturating_add(1));
    let develops = match spec.develops {
        Some(span) => micros(span),
        None if spec.fault.develops() => (to - from) / 2,
        None => 0,
    };
    let signals = machine.kind().signals();
    let named = spec.signal.as_deref().and_then(|name| signals.iter().position(|known| known.name == name));
    Fault {
        kind: spec.fault,
        from_us: config.start_us.saturating_add(from),
        to_us: config.start_us.saturating_add(to),
        develops_us: develops,
        severity: spec.severity,
        signal: named.unwrap_or(0),
        every_us: if config.run_us.is_none() { cycle_us } else { 0 },
    }
}
