//! The kinds of equipment: which signals they have, in which regimes they work, and how the state of the body
//! shows in the signals.

mod arm;
mod conveyor;
mod press;
mod pump;

use crate::fault::{Effects, FaultKind};
use serde::{Deserialize, Serialize};

/// No kind has more signals than this, so a row fits in an array.
pub(crate) const MOST_SIGNALS: usize = 5;

/// A kind of equipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Temperature, vibration, pressure; idle, light, heavy.
    RoboticArm,
    /// Speed, load, motor temperature; start, run, full.
    ConveyorBelt,
    /// Flow, pressure, vibration, temperature, current; low, nominal, high.
    Pump,
    /// Force, pressure, oil temperature, vibration, cycle time; dry, normal, deep.
    Press,
}

/// A numeric channel of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Signal {
    /// Name in the telemetry.
    pub name: &'static str,
    /// Unit, as text.
    pub unit: &'static str,
    /// Decimal digits that the device sends.
    pub digits: u32,
    /// What the sensor can show at all; values beyond are cut.
    pub range: (f64, f64),
    /// Standard deviation of the measuring noise.
    pub noise: f64,
    /// Half-width of the difference from one unit to the next of the same kind.
    pub(crate) tolerance: f64,
    /// Typical spread over a shift; drift and spikes are multiples of it.
    pub(crate) spread: f64,
    /// Whether worn bearings make it noisier.
    pub(crate) rough: bool,
}

/// A way of working that a machine keeps for a while.
#[derive(Debug)]
pub(crate) struct Regime {
    /// `operationalStatus` while in it.
    pub(crate) state: &'static str,
    /// Load aimed at, 0 to 1.
    pub(crate) load: f64,
    /// Shortest and longest stay, seconds.
    pub(crate) stay: (f64, f64),
}

/// What the signals of one moment follow from.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// 0 to about 1.
    pub(crate) load: f64,
    /// °C, lagged.
    pub(crate) temperature: f64,
    /// 0 tight to 1 empty, lagged.
    pub(crate) leak: f64,
    /// 0 standing to 1 moving, lagged.
    pub(crate) motion: f64,
    /// 0 new to 1 worn out.
    pub(crate) wear: f64,
    pub(crate) effects: Effects,
}

/// All there is to know of a kind.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) signals: &'static [Signal],
    pub(crate) regimes: &'static [Regime],
    pub(crate) faults: &'static [FaultKind],
    /// Time constants in seconds.
    pub(crate) thermal_lag: f64,
    pub(crate) load_lag: f64,
    /// Temperature (°C) that load, ambient and faults would settle at: (load, ambient, effects, motion).
    pub(crate) warmth: fn(f64, f64, &Effects, f64) -> f64,
    pub(crate) observe: fn(&Conditions) -> [f64; MOST_SIGNALS],
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::RoboticArm, Self::ConveyorBelt, Self::Pump, Self::Press];

    /// The name in scenarios and as the stem of device ids, e.g. `robotic-arm`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its numeric channels, in the order they are sent.
    #[must_use]
    pub fn signals(self) -> &'static [Signal] {
        self.spec().signals
    }

    /// Faults that it can have.
    #[must_use]
    pub fn faults(self) -> &'static [FaultKind] {
        self.spec().faults
    }

    pub(crate) fn spec(self) -> &'static Spec {
        match self {
            Self::RoboticArm => &arm::SPEC,
            Self::ConveyorBelt => &conveyor::SPEC,
            Self::Pump => &pump::SPEC,
            Self::Press => &press::SPEC,
        }
    }
}

/// Everything that a sensor can do wrong is possible on any kind; this is the list of both.
macro_rules! with_sensor_faults {
    ($($kind:ident),*) => {
        &[$(FaultKind::$kind,)* FaultKind::StuckSensor, FaultKind::DropOut, FaultKind::Spike, FaultKind::Drift]
    };
}
use with_sensor_faults;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_fits_its_array_and_has_its_name() {
        for kind in Kind::ALL {
            assert!(kind.signals().len() <= MOST_SIGNALS);
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert!(kind.spec().regimes.len() > 1);
        }
    }
}
