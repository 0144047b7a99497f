//! One message of a device, and its JSON.

use crate::fault::FaultKind;
use std::fmt::Write as _;
use std::sync::Arc;

/// What is truly wrong at a moment. It never goes into a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Label {
    /// The gravest fault at that moment.
    pub fault: FaultKind,
    /// Above 0, up to 1.
    pub severity: f64,
}

/// What a device measured at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// IoT Hub device id.
    pub device_id: Arc<str>,
    /// µs since 1970 UTC.
    pub time_us: i64,
    /// Name and value, rounded as the device sends it; a sensor that dropped out is absent.
    pub signals: Vec<(&'static str, f64)>,
    /// Name and text.
    pub states: Vec<(&'static str, &'static str)>,
    /// The truth, for measuring detection.
    pub label: Option<Label>,
}

impl Reading {
    /// The value of a signal, if it was sent.
    #[must_use]
    pub fn signal(&self, name: &str) -> Option<f64> {
        self.signals.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The message body: `{"deviceId":…,"timestamp":…,signals…,"operationalStatus":…}`, as the simulator of the
    /// original recipe sends it (UTC without a zone, as Python's `utcnow().isoformat()` writes it).
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::with_capacity(176);
        self.write_json(&mut text);
        text
    }

    /// As [`Reading::to_json`], appended to a text that can be kept and used again.
    pub fn write_json(&self, text: &mut String) {
        text.push_str("{\"deviceId\":");
        push_text(text, &self.device_id);
        text.push_str(",\"timestamp\":\"");
        push_time(text, self.time_us);
        text.push('"');
        for (name, value) in &self.signals {
            text.push_str(",\"");
            text.push_str(name);
            text.push_str("\":");
            push_number(text, *value);
        }
        for (name, value) in &self.states {
            text.push_str(",\"");
            text.push_str(name);
            text.push_str("\":");
            push_text(text, value);
        }
        text.push('}');
    }
}

/// ISO 8601 text in UTC with six digits of a second and no zone, e.g. `2026-03-01T08:00:00.250000`.
#[must_use]
pub fn iso_time(time_us: i64) -> String {
    let mut text = String::with_capacity(26);
    push_time(&mut text, time_us);
    text
}

fn push_text(text: &mut String, value: &str) {
    text.push('"');
    for symbol in value.chars() {
        match symbol {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            plain => text.push(plain),
        }
    }
    text.push('"');
}

/// Readings are rounded to at most three digits, and whole numbers are written several times faster than floats.
fn push_number(text: &mut String, value: f64) {
    let thousandths = (value * 1_000.0).round();
    if thousandths.abs() >= 1e15 || thousandths / 1_000.0 != value {
        // Debug writes 45.0 where Display writes 45: a float stays a float for typed readers.
        let _ = write!(text, "{value:?}");
        return;
    }
    let whole = thousandths as i64;
    if whole < 0 {
        text.push('-');
    }
    let (before, mut after) = (whole.abs() / 1_000, whole.abs() % 1_000);
    let mut width = 3;
    while width > 1 && after % 10 == 0 {
        after /= 10;
        width -= 1;
    }
    let digits = if before == 0 { 1 } else { before.ilog10() + 1 };
    push_digits(text, before, digits);
    text.push('.');
    push_digits(text, after, width);
}

/// Days to civil date after Hinnant, "chrono-compatible low-level date algorithms"; a date crate's formatter costs
/// more than the whole reading.
fn push_time(text: &mut String, time_us: i64) {
    let days = time_us.div_euclid(86_400_000_000);
    let within = time_us.rem_euclid(86_400_000_000);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);

    push_digits(text, year, 4);
    text.push('-');
    push_digits(text, month, 2);
    text.push('-');
    push_digits(text, day, 2);
    text.push('T');
    push_digits(text, within / 3_600_000_000, 2);
    text.push(':');
    push_digits(text, within / 60_000_000 % 60, 2);
    text.push(':');
    push_digits(text, within / 1_000_000 % 60, 2);
    text.push('.');
    push_digits(text, within % 1_000_000, 6);
}

fn push_digits(text: &mut String, value: i64, width: u32) {
    // Years outside 0-9999 (a mad clock) are written in full.
    if value < 0 || value >= 10_i64.pow(width) {
        let _ = write!(text, "{value}");
        return;
    }
    for place in (0..width).rev() {
        let digit = u8::try_from(value / 10_i64.pow(place) % 10).unwrap_or(0);
        text.push(char::from(b'0' + digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_civil() {
        assert_eq!(iso_time(0), "1970-01-01T00:00:00.000000");
        assert_eq!(iso_time(-1), "1969-12-31T23:59:59.999999");
        assert_eq!(iso_time(951_782_400_000_000), "2000-02-29T00:00:00.000000");
        assert_eq!(iso_time(1_767_225_599_250_000), "2025-12-31T23:59:59.250000");
        let _ = (iso_time(i64::MAX), iso_time(i64::MIN));
    }

    #[test]
    fn json_is_of_the_recipe() {
        let reading = Reading {
            device_id: "robotic-arm-001".into(),
            time_us: 1_752_300_000_123_456,
            signals: vec![("temperature", 45.0), ("vibration", 2.517), ("pressure", 119.8)],
            states: vec![("operationalStatus", "running")],
            label: Some(Label { fault: FaultKind::Jam, severity: 1.0 }),
        };
        assert_eq!(
            reading.to_json(),
            "{\"deviceId\":\"robotic-arm-001\",\"timestamp\":\"2025-07-12T06:00:00.123456\",\
             \"temperature\":45.0,\"vibration\":2.517,\"pressure\":119.8,\"operationalStatus\":\"running\"}"
        );
    }

    #[test]
    fn numbers_are_written_as_a_float_would_be() {
        for value in [0.0, 1.0, -1.5, 45.0, 0.001, -0.001, 0.01, 119.8, 2.517, 1e14, 1e18, 0.123_456, 999.999]
        {
            let mut text = String::new();
            push_number(&mut text, value);
            assert_eq!(text.parse::<f64>().unwrap(), value);
            assert_eq!(text, format!("{value:?}"));
        }
    }

    #[test]
    fn a_strange_id_stays_json() {
        let reading = Reading {
            device_id: "a\"\\\n".into(),
            time_us: 0,
            signals: Vec::new(),
            states: Vec::new(),
            label: None,
        };
        let value: serde_json::Value = serde_json::from_str(&reading.to_json()).unwrap();
        assert_eq!(value["deviceId"], "a\"\\\n");
    }
}
