//! The check of step 2: what cannot be trusted is flagged, kept in history, and masked for the scorer.
//!
//! Every rule is causal and keeps its state a signal of a device, so that a replay flags the same values.

use serde::{Deserialize, Serialize};

use crate::policy::SignalPolicy;
use crate::time::Micros;

/// Bits of [`crate::frame::Frame::row_flags`].
pub struct RowFlags;

impl RowFlags {
    /// Older than a row of the same device that was seen before: stored, but neither scored nor shown on the twin.
    pub const LATE: u8 = 1;
    /// The device's clock is ahead of the hub's; the enqueued time stands in, the original is in `extra`.
    pub const CLOCK: u8 = 2;
    /// A field that should be a number was none; its text is in `extra`.
    pub const TYPE: u8 = 4;
}

/// Bits of [`crate::frame::SignalColumn::flags`].
pub struct SignalFlags;

impl SignalFlags {
    /// The same value for longer than this sensor ever rests.
    pub const STUCK: u8 = 1;
    /// One value far from its neighbours.
    pub const SPIKE: u8 = 2;
    /// Outside the sensor's range.
    pub const RANGE: u8 = 4;
    /// Outside the range, but inside it in another unit (°F for °C, kPa for psi).
    pub const UNIT: u8 = 8;
}

/// How many recent values the spike rule compares with.
const RECENT: usize = 5;
/// A spike is this many mean absolute deviations away from the median of the recent values.
const SPIKE_DEVIATIONS: f64 = 10.0;
/// Rows before the spike and stuck rules know a sensor well enough.
const LEARNING_ROWS: u32 = 30;
/// Weight of a new value in the running deviation: a memory of about 50 rows.
const DEVIATION_WEIGHT: f64 = 0.02;

/// What the check remembers of one signal of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalMemory {
    recent: [f64; RECENT],
    deviation: f64,
    rows: u32,
    same: u32,
    last_was_far: bool,
    /// Newest value that was not masked, for the twin; NaN before the first.
    pub newest: f64,
}

impl Default for SignalMemory {
    fn default() -> Self {
        Self {
            recent: [0.0; RECENT],
            deviation: 0.0,
            rows: 0,
            same: 0,
            last_was_far: false,
            newest: f64::NAN,
        }
    }
}

impl SignalMemory {
    /// Checks one value and remembers it; the answer is a set of [`SignalFlags`] bits.
    pub fn check(&mut self, value: f64, policy: &SignalPolicy) -> u8 {
        let mut flags = 0;
        if value < policy.min || value > policy.max {
            let other_unit = policy.unit.as_deref().is_some_and(|unit| fits_other_unit(unit, value, policy));
            flags |= if other_unit { SignalFlags::UNIT } else { SignalFlags::RANGE };
        }
        let slot = (self.rows as usize) % RECENT;
        let last = self.recent[(slot + RECENT - 1) % RECENT];
        self.same = if self.rows > 0 && value == last { self.same.saturating_add(1) } else { 0 };
        let known = self.rows >= LEARNING_ROWS;
        if known {
            let distance = (value - median(self.recent)).abs();
            let far = distance > SPIKE_DEVIATIONS * self.deviation && self.deviation > 0.0;
            // A second far value in a row is a step of the process, not a spike of the sensor.
            if far && !self.last_was_far {
                flags |= SignalFlags::SPIKE;
            }
            self.last_was_far = far;
            if policy.stuck_after_rows > 0 && self.same >= policy.stuck_after_rows && self.deviation > 0.0 {
                flags |= SignalFlags::STUCK;
            }
            if flags == 0 {
                self.deviation += DEVIATION_WEIGHT * (distance - self.deviation);
            }
        } else if self.rows > 0 {
            let weight = 1.0 / f64::from(self.rows);
            self.deviation += weight * ((value - last).abs() - self.deviation);
        }
        self.recent[slot] = value;
        self.rows = if self.rows >= u32::MAX - 8 { LEARNING_ROWS } else { self.rows + 1 };
        if flags == 0 {
            self.newest = value;
        }
        flags
    }
}

/// Median of five without sorting: the smallest and the largest of two pairs cannot be it, which leaves three. NaN never
/// gets here, devices cannot send it.
fn median([a, b, c, d, e]: [f64; RECENT]) -> f64 {
    let low = a.min(b).max(c.min(d));
    let high = a.max(b).min(c.max(d));
    low.min(high).max(low.max(high).min(e))
}

/// Whether the value is plausible once converted from a unit that is often mistaken for the declared one.
fn fits_other_unit(unit: &str, value: f64, policy: &SignalPolicy) -> bool {
    let inside = |converted: f64| converted >= policy.min && converted <= policy.max;
    match unit {
        "°C" | "C" | "celsius" => inside((value - 32.0) / 1.8) || inside(value - 273.15),
        "°F" | "F" | "fahrenheit" => inside(value * 1.8 + 32.0),
        "psi" => inside(value * 0.145_038) || inside(value * 14.503_8),
        "bar" => inside(value * 0.01) || inside(value / 14.503_8),
        "kPa" => inside(value * 6.894_76) || inside(value * 100.0),
        _ => false,
    }
}

/// What the check remembers of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceMemory {
    /// Newest event time seen.
    pub newest: Option<Micros>,
    /// One a signal of the device's equipment model, in the model's order.
    pub signals: Vec<SignalMemory>,
}

impl DeviceMemory {
    /// Whether a row of this time is late; otherwise the time becomes the newest.
    pub fn is_late(&mut self, time: Micros) -> bool {
        let late = self.newest.is_some_and(|newest| time < newest);
        if !late {
            self.newest = Some(time);
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_of(values: impl IntoIterator<Item = f64>, policy: &SignalPolicy) -> Vec<u8> {
        let mut memory = SignalMemory::default();
        values.into_iter().map(|value| memory.check(value, policy)).collect()
    }

    fn wobble(row: u32) -> f64 {
        45.0 + f64::from(row % 7) * 0.1
    }

    #[test]
    fn the_median_of_five_is_the_middle_one() {
        for order in 0..3125_usize {
            let digit = |place: u32| [0.0, 1.5, 1.5, -7.0, 40.0][order / 5_usize.pow(place) % 5];
            let values = [0, 1, 2, 3, 4].map(digit);
            let mut sorted = values;
            sorted.sort_unstable_by(f64::total_cmp);
            assert_eq!(median(values), sorted[2], "{values:?}");
        }
    }

    #[test]
    fn a_single_far_value_is_a_spike_and_a_step_is_not() {
        let policy = SignalPolicy::default();
        let spiky = (0..100).map(|row| if row == 60 { 99.0 } else { wobble(row) });
        let flags = flags_of(spiky, &policy);
        assert_eq!(flags.iter().filter(|&&f| f == SignalFlags::SPIKE).count(), 1);
        assert_eq!(flags[60], SignalFlags::SPIKE);
        let step = (0..100).map(|row| if row >= 60 { 99.0 + wobble(row) } else { wobble(row) });
        let flags = flags_of(step, &policy);
        assert_eq!(&flags[61..], &[0; 39], "only the first row of a step is masked");
    }

    #[test]
    fn a_sensor_that_stops_moving_is_stuck_and_a_set_point_is_not() {
        let policy = SignalPolicy { stuck_after_rows: 20, ..SignalPolicy::default() };
        let stuck = flags_of((0..100).map(|row| wobble(row.min(50))), &policy);
        assert_eq!(stuck[70], SignalFlags::STUCK);
        assert_eq!(stuck[60], 0);
        assert!(flags_of(std::iter::repeat_n(5.0, 100), &policy).iter().all(|&f| f == 0));
    }

    #[test]
    fn fahrenheit_for_celsius_is_a_unit_fault_and_nonsense_is_out_of_range() {
        let policy =
            SignalPolicy { min: 0.0, max: 90.0, unit: Some("°C".into()), ..SignalPolicy::default() };
        assert_eq!(flags_of([113.0], &policy), [SignalFlags::UNIT]);
        assert_eq!(flags_of([9_000.0], &policy), [SignalFlags::RANGE]);
        assert_eq!(flags_of([45.0], &policy), [0]);
    }
}
