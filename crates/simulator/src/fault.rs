//! What can break, how it develops over time, and what it does to a machine.

use serde::{Deserialize, Serialize};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// Vibration ramps and grows rough, later the temperature follows.
    BearingWear,
    /// Heat without any mechanical cause: a blocked fan, a failing winding.
    Overheating,
    /// Pressure decays.
    Leak,
    /// Steady extra vibration, some drag and warmth.
    Misalignment,
    /// The movement is blocked at once.
    Jam,
    /// One sensor keeps showing the value it had.
    StuckSensor,
    /// One sensor is absent from the messages.
    DropOut,
    /// One sensor shows single wild values.
    Spike,
    /// One sensor walks away from the truth.
    Drift,
}

impl FaultKind {
    /// The name in scenarios and labels, e.g. `bearing-wear`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BearingWear => "bearing-wear",
            Self::Overheating => "overheating",
            Self::Leak => "leak",
            Self::Misalignment => "misalignment",
            Self::Jam => "jam",
            Self::StuckSensor => "stuck-sensor",
            Self::DropOut => "drop-out",
            Self::Spike => "spike",
            Self::Drift => "drift",
        }
    }

    /// Whether it is the sensor that is at fault, not the machine.
    #[must_use]
    pub fn is_sensor(self) -> bool {
        matches!(self, Self::StuckSensor | Self::DropOut | Self::Spike | Self::Drift)
    }

    /// Whether it grows; the others are there at once.
    #[must_use]
    pub fn develops(self) -> bool {
        matches!(self, Self::BearingWear | Self::Overheating | Self::Leak | Self::Misalignment | Self::Drift)
    }
}

/// One fault of one machine, in absolute times.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What breaks.
    pub kind: FaultKind,
    /// Onset, µs since 1970 UTC.
    pub from_us: i64,
    /// End (repair), exclusive; `i64::MAX` for never.
    pub to_us: i64,
    /// How long it takes to reach its full severity, µs; 0 = at once.
    pub develops_us: i64,
    /// Severity when full grown, 0 to 1.
    pub severity: f64,
    /// Sensor faults: index of the signal.
    pub signal: usize,
    /// Comes back every so many µs; 0 = once.
    pub every_us: i64,
}

impl Fault {
    /// Severity at a time: 0 when it is not there, else above 0.
    #[must_use]
    pub fn severity_at(&self, time_us: i64) -> f64 {
        if time_us < self.from_us {
            return 0.0;
        }
        let mut age = time_us.saturating_sub(self.from_us);
        if self.every_us > 0 {
            age %= self.every_us;
        }
        if age >= self.to_us.saturating_sub(self.from_us) {
            return 0.0;
        }
        if self.develops_us <= 0 || age >= self.develops_us {
            return self.severity;
        }
        // Never exactly 0 while it is there: the first row of a fault carries its label.
        let part = ((age as f64 + 1.0) / self.develops_us as f64).min(1.0);
        self.severity * part
    }
}

/// What all faults of a machine together do to its body; each from 0, about 1 at full severity.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Effects {
    pub(crate) vibration: f64,
    pub(crate) roughness: f64,
    pub(crate) heat: f64,
    pub(crate) leak: f64,
    pub(crate) drag: f64,
    pub(crate) block: f64,
}

impl Effects {
    pub(crate) fn add(&mut self, kind: FaultKind, severity: f64) {
        match kind {
            FaultKind::BearingWear => {
                self.vibration += severity;
                self.roughness += severity;
                self.drag += 0.5 * severity;
                // Heat comes only when the damage is advanced: that order is how wear is told from overheating.
                self.heat += 0.9 * (severity - 0.25).max(0.0);
            }
            FaultKind::Overheating => self.heat += severity,
            FaultKind::Leak => self.leak += severity,
            FaultKind::Misalignment => {
                self.vibration += 0.5 * severity;
                self.drag += 0.7 * severity;
                self.heat += 0.2 * severity;
            }
            FaultKind::Jam => {
                self.block += severity;
                self.heat += severity;
                self.vibration += 0.8 * severity;
            }
            FaultKind::StuckSensor | FaultKind::DropOut | FaultKind::Spike | FaultKind::Drift => {}
        }
    }

    /// Several faults at once can not block more than all movement, nor lose more than all pressure.
    pub(crate) fn bounded(mut self) -> Self {
        self.block = self.block.min(1.0);
        self.leak = self.leak.min(1.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> Fault {
        Fault {
            kind: FaultKind::BearingWear,
            from_us: 100,
            to_us: 300,
            develops_us: 100,
            severity: 0.8,
            signal: 0,
            every_us: 0,
        }
    }

    #[test]
    fn severity_grows_holds_and_ends() {
        let fault = fault();
        assert_eq!(fault.severity_at(99), 0.0);
        assert!(fault.severity_at(100) > 0.0);
        assert!((fault.severity_at(149) - 0.4).abs() < 1e-9);
        assert_eq!(fault.severity_at(250), 0.8);
        assert_eq!(fault.severity_at(300), 0.0);
        assert_eq!(fault.severity_at(i64::MIN), 0.0);
        assert_eq!(fault.severity_at(i64::MAX), 0.0);
    }

    #[test]
    fn a_repeating_fault_comes_back() {
        let fault = Fault { every_us: 1_000, ..fault() };
        assert_eq!(fault.severity_at(900), 0.0);
        assert_eq!(fault.severity_at(1_250), 0.8);
        assert_eq!(fault.severity_at(1_301), 0.0);
    }

    #[test]
    fn names_are_the_names_in_json() {
        for kind in crate::Kind::RoboticArm.faults() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
