//! Everything that can be wrong with a scenario is found before the run, not in its middle.

use super::{FaultSpec, Moment, Scenario};
use crate::equipment::Kind;
use crate::error::Error;
use std::collections::HashMap;

const MOST_DEVICES: usize = 1_000_000;
const MOST_FAULTS: usize = 1_000_000;
/// A machine looks at all of its faults at each step.
const MOST_FAULTS_OF_A_DEVICE: usize = 1_000;
/// A hundred years: beyond it µs and fractions lose their meaning.
const LONGEST_SECONDS: f64 = 3.2e9;

impl Scenario {
    /// Checks ids, faults and numbers.
    ///
    /// # Errors
    /// The first thing that is wrong, with what to change.
    pub fn check(&self) -> Result<(), Error> {
        let count = self.equipment().count();
        if count > MOST_DEVICES {
            return Err(Error::TooMany { what: "devices", count, limit: MOST_DEVICES });
        }
        if self.faults.len() > MOST_FAULTS {
            return Err(Error::TooMany { what: "faults", count: self.faults.len(), limit: MOST_FAULTS });
        }
        if !(self.cycle_seconds >= 1.0 && self.cycle_seconds <= LONGEST_SECONDS) {
            let (field, value) = ("cycleSeconds", self.cycle_seconds);
            return Err(Error::Setting { field, value, expected: "1 to 3.2e9" });
        }
        let mut kinds: HashMap<&str, (Kind, usize)> = HashMap::with_capacity(count);
        for spec in self.equipment() {
            if !is_device_id(&spec.id) {
                return Err(Error::DeviceId(spec.id.clone()));
            }
            if kinds.insert(&spec.id, (spec.kind, 0)).is_some() {
                return Err(Error::Duplicate(spec.id.clone()));
            }
        }
        for (index, fault) in self.faults.iter().enumerate() {
            let Some((kind, faults)) = kinds.get_mut(fault.device.as_str()) else {
                return Err(Error::UnknownDevice {
                    index,
                    device: fault.device.clone(),
                    hint: self.nearest(&fault.device),
                });
            };
            *faults += 1;
            if *faults > MOST_FAULTS_OF_A_DEVICE {
                let (what, limit) = ("faults of one device", MOST_FAULTS_OF_A_DEVICE);
                return Err(Error::TooMany { what, count: *faults, limit });
            }
            check_fault(index, fault, *kind)?;
        }
        Ok(())
    }

    fn nearest(&self, wanted: &str) -> String {
        // A long list is not searched: it is a hint, not a promise.
        self.equipment()
            .take(1_000)
            .map(|spec| (strsim::damerau_levenshtein(wanted, &spec.id), &spec.id))
            .min()
            .filter(|(distance, _)| *distance <= 4)
            .map_or_else(String::new, |(_, id)| format!("; did you mean {id:?}"))
    }
}

fn check_fault(index: usize, fault: &FaultSpec, kind: Kind) -> Result<(), Error> {
    if !kind.faults().contains(&fault.fault) {
        let possible = kind.faults().iter().map(|known| known.name()).collect::<Vec<_>>().join(", ");
        return Err(Error::Impossible { index, kind: kind.name(), fault: fault.fault.name(), possible });
    }
    if let Some(signal) = &fault.signal
        && !kind.signals().iter().any(|known| known.name == signal)
    {
        let possible = kind.signals().iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
        return Err(Error::UnknownSignal { index, kind: kind.name(), signal: signal.clone(), possible });
    }
    if !(fault.severity > 0.0 && fault.severity <= 1.0) {
        let (field, value) = ("severity", fault.severity);
        return Err(Error::Range { index, field, value, expected: "a number above 0, up to 1" });
    }
    check_moment(index, "from", fault.from)?;
    if let Some(span) = fault.develops {
        check_moment(index, "develops", span)?;
    }
    if let Some(to) = fault.to {
        check_moment(index, "to", to)?;
        let ends_before = match (fault.from, to) {
            (Moment::Fraction(from), Moment::Fraction(to)) => to <= from,
            (Moment::Seconds(from), Moment::Seconds(to)) => to <= from,
            // Only a run's length tells which comes first; the plant keeps such a fault at least one µs long.
            _ => false,
        };
        if ends_before {
            let value = match to {
                Moment::Fraction(value) | Moment::Seconds(value) => value,
            };
            return Err(Error::Range { index, field: "to", value, expected: "a moment after from" });
        }
    }
    Ok(())
}

fn check_moment(index: usize, field: &'static str, moment: Moment) -> Result<(), Error> {
    let (value, most, expected) = match moment {
        Moment::Fraction(value) => (value, 1.0, "a fraction from 0 to 1"),
        Moment::Seconds(value) => (value, LONGEST_SECONDS, "seconds from 0 to 3.2e9"),
    };
    if (0.0..=most).contains(&value) { Ok(()) } else { Err(Error::Range { index, field, value, expected }) }
}

/// The rule of IoT Hub's identity registry for device ids ("Understand the identity registry in your IoT hub").
fn is_device_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:.+%_#*?!(),=@$'".contains(&byte))
}
