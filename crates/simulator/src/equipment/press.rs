//! The hydraulic press: force follows pressure; thick oil or friction lengthens the cycle.

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
    Signal { name, unit, digits: 2, range, noise, tolerance, spread, rough: false }
}

pub(super) const SPEC: Spec = Spec {
    name: "press",
    signals: &[
        signal("force", "kN", (0.0, 2_500.0), 6.0, 2.0, 90.0),
        signal("pressure", "bar", (0.0, 400.0), 1.2, 0.4, 18.0),
        signal("oilTemperature", "°C", (-20.0, 150.0), 0.3, 0.3, 2.5),
        Signal { rough: true, digits: 3, ..signal("vibration", "mm/s", (0.0, 50.0), 0.15, 0.03, 0.4) },
        Signal { digits: 3, ..signal("cycleTime", "s", (0.0, 60.0), 0.05, 0.02, 0.3) },
    ],
    regimes: &[
        Regime { state: "running", load: 0.2, stay: (20.0, 60.0) },
        Regime { state: "running", load: 0.5, stay: (40.0, 120.0) },
        Regime { state: "running", load: 0.85, stay: (20.0, 60.0) },
    ],
    faults: with_sensor_faults![BearingWear, Overheating, Leak, Misalignment, Jam],
    thermal_lag: 120.0,
    load_lag: 3.0,
    warmth: |load, ambient, effects, motion| ambient + motion * (20.0 + 16.0 * load) + 26.0 * effects.heat,
    observe: |now| {
        let pressure = (150.0 + 60.0 * now.load) * (1.0 - 0.55 * now.leak) * (1.0 + 0.3 * now.effects.block);
        let force = 4.6 * pressure * (1.0 - 0.12 * now.effects.drag) * (1.0 - 0.6 * now.effects.block);
        let shake = 2.2 + 1.2 * now.load + 0.4 * now.wear + 5.0 * now.effects.vibration;
        let cycle = 5.4 + 1.1 * now.load + 1.6 * now.leak + 1.2 * now.effects.drag + 9.0 * now.effects.block;
        [
            force * now.motion,
            pressure * now.motion,
            now.temperature,
            0.1 + (shake - 0.1) * now.motion,
            cycle * now.motion,
        ]
    },
};
