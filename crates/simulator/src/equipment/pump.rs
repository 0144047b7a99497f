//! The centrifugal pump: more flow, less head, more current; a leak costs pressure and raises the flow.

use super::{Regime, Signal, Spec, with_sensor_faults};
use crate::fault::FaultKind;

const fn signal(
    name: &'static str,
    unit: &'static str,
    range: (f64, f64),
    noise: f64,
    tolerance: f64,
    spread: f64,
) -> Signal {
    Signal { name, unit, digits: 3, range, noise, tolerance, spread, rough: false }
}

pub(super) const SPEC: Spec = Spec {
    name: "pump",
    signals: &[
        signal("flow", "m³/h", (0.0, 120.0), 0.5, 0.15, 5.0),
        signal("pressure", "bar", (0.0, 16.0), 0.05, 0.02, 0.35),
        Signal { rough: true, ..signal("vibration", "mm/s", (0.0, 50.0), 0.12, 0.02, 0.3) },
        signal("temperature", "°C", (-20.0, 150.0), 0.3, 0.3, 2.0),
        signal("current", "A", (0.0, 60.0), 0.2, 0.05, 2.0),
    ],
    regimes: &[
        Regime { state: "running", load: 0.2, stay: (20.0, 60.0) },
        Regime { state: "running", load: 0.55, stay: (40.0, 120.0) },
        Regime { state: "running", load: 0.9, stay: (20.0, 60.0) },
    ],
    faults: with_sensor_faults![BearingWear, Overheating, Leak, Misalignment, Jam],
    thermal_lag: 90.0,
    load_lag: 4.0,
    warmth: |load, ambient, effects, motion| ambient + motion * (18.0 + 14.0 * load) + 28.0 * effects.heat,
    observe: |now| {
        let through = (28.0 + 26.0 * now.load) * (1.0 - 0.85 * now.effects.block) + 9.0 * now.leak;
        let head = 7.1 - 1.6 * now.load - 0.1 * now.wear + 1.8 * now.effects.block - 3.6 * now.leak;
        let shake = 1.5 + 0.9 * now.load + 0.3 * now.wear + 5.0 * now.effects.vibration;
        let amperes = 13.0 + 9.0 * now.load + 4.0 * now.effects.drag + 7.0 * now.effects.block;
        [
            through * now.motion,
            head * now.motion * now.motion,
            0.1 + (shake - 0.1) * now.motion,
            now.temperature,
            amperes * now.motion,
        ]
    },
};
