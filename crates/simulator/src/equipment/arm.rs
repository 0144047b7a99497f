//! The robotic arm: load heats it, shakes it, and draws its air pressure down.

use super::{MOST_SIGNALS, Regime, Signal, Spec, with_sensor_faults};
use crate::fault::FaultKind;

pub(super) const SPEC: Spec = Spec {
    name: "robotic-arm",
    signals: &[
        Signal {
            name: "temperature",
            unit: "°C",
            digits: 2,
            range: (-20.0, 150.0),
            noise: 0.35,
            tolerance: 0.3,
            spread: 2.5,
            rough: false,
        },
        Signal {
            name: "vibration",
            unit: "mm/s",
            digits: 3,
            range: (0.0, 50.0),
            noise: 0.14,
            tolerance: 0.03,
            spread: 0.45,
            rough: true,
        },
        Signal {
            name: "pressure",
            unit: "psi",
            digits: 2,
            range: (0.0, 250.0),
            noise: 1.1,
            tolerance: 0.4,
            spread: 3.0,
            rough: false,
        },
    ],
    regimes: &[
        Regime { state: "idle", load: 0.1, stay: (8.0, 25.0) },
        Regime { state: "running", load: 0.45, stay: (30.0, 90.0) },
        Regime { state: "running", load: 0.85, stay: (20.0, 60.0) },
    ],
    faults: with_sensor_faults![BearingWear, Overheating, Leak, Misalignment, Jam],
    thermal_lag: 60.0,
    load_lag: 3.0,
    warmth: |load, ambient, effects, motion| {
        ambient + motion * (16.5 + 10.0 * load) + 26.0 * effects.heat * motion.max(0.2)
    },
    observe: |now| {
        let shake = 1.6 + 1.6 * now.load + 0.4 * now.wear + 5.8 * now.effects.vibration;
        let supply = 124.0 - 8.0 * now.load * now.motion - 60.0 * now.leak + 24.0 * now.effects.block;
        let mut row = [0.0; MOST_SIGNALS];
        // The sensor sits at the joint, which warms at once; the housing follows slowly.
        row[0] = now.temperature + 4.0 * now.load * now.motion;
        row[1] = 0.15 + now.motion * (shake - 0.15);
        row[2] = supply;
        row
    },
};
