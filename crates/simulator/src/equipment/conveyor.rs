//! The conveyor belt: goods load it, load slows it a little and warms its motor.

use super::{MOST_SIGNALS, Regime, Signal, Spec, with_sensor_faults};
use crate::fault::FaultKind;

pub(super) const SPEC: Spec = Spec {
    name: "conveyor-belt",
    signals: &[
        Signal {
            name: "speed",
            unit: "m/s",
            digits: 3,
            range: (0.0, 6.0),
            noise: 0.04,
            tolerance: 0.01,
            spread: 0.1,
            rough: false,
        },
        Signal {
            name: "load",
            unit: "%",
            digits: 2,
            range: (0.0, 200.0),
            noise: 0.9,
            tolerance: 0.3,
            spread: 8.0,
            rough: false,
        },
        Signal {
            name: "motorTemperature",
            unit: "°C",
            digits: 2,
            range: (-20.0, 180.0),
            noise: 0.35,
            tolerance: 0.3,
            spread: 2.0,
            rough: false,
        },
    ],
    regimes: &[
        Regime { state: "starting", load: 0.12, stay: (6.0, 15.0) },
        Regime { state: "running", load: 0.5, stay: (30.0, 90.0) },
        Regime { state: "running", load: 0.88, stay: (20.0, 60.0) },
    ],
    faults: with_sensor_faults![BearingWear, Overheating, Misalignment, Jam],
    thermal_lag: 80.0,
    load_lag: 4.0,
    warmth: |load, ambient, effects, motion| {
        ambient + motion * (10.0 + 8.0 * load) + 26.0 * effects.heat + 12.0 * effects.block
    },
    observe: |now| {
        let pace = 2.62 - 0.22 * now.load - 0.02 * now.wear - 0.35 * now.effects.drag;
        let torque = 60.0 + 35.0 * now.load + 16.0 * now.effects.drag + 55.0 * now.effects.block;
        let mut row = [0.0; MOST_SIGNALS];
        row[0] = pace * now.motion * (1.0 - 0.93 * now.effects.block);
        row[1] = torque * now.motion;
        row[2] = now.temperature;
        row
    },
};
