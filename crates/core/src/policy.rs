//! What the plant engineer declares of an equipment model: sensors, scorer, alert rule, what may be stopped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Range and habits of a sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignalPolicy {
    /// Lowest plausible value, in `unit`.
    pub min: f64,
    /// Highest plausible value, in `unit`.
    pub max: f64,
    /// Unit, shown to people and used to tell a unit mix-up from a broken sensor.
    pub unit: Option<String>,
    /// So many equal values in a row mean a stuck sensor; 0 switches the rule off.
    pub stuck_after_rows: u32,
}

impl Default for SignalPolicy {
    fn default() -> Self {
        Self { min: f64::NEG_INFINITY, max: f64::INFINITY, unit: None, stuck_after_rows: 600 }
    }
}

/// When an alert opens, becomes critical and clears (ISA-18.2: on-delay, off-delay, hysteresis).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertPolicy {
    /// The score above which a row counts towards opening; 1.0 is the calibrated limit.
    pub limit: f64,
    /// Rows in a row above the limit before the alert opens.
    pub on_delay_rows: u32,
    /// The score above which a row counts towards critical.
    pub critical_limit: f64,
    /// Rows in a row above the critical limit before the alert becomes critical.
    pub critical_delay_rows: u32,
    /// Part of the limit below which a row counts towards clearing.
    pub hysteresis: f64,
    /// Rows in a row below it before the alert clears.
    pub off_delay_rows: u32,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            limit: 1.0,
            on_delay_rows: 5,
            critical_limit: 2.0,
            critical_delay_rows: 5,
            hysteresis: 0.6,
            off_delay_rows: 10,
        }
    }
}

/// What a critical alert may do to the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCritical {
    /// Nothing.
    Never,
    /// Leave a pending command that a person approves.
    #[default]
    Ask,
    /// Send the command at once.
    Stop,
}

/// The command of a critical alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandPolicy {
    /// Whether and how the command is sent.
    pub on_critical: OnCritical,
    /// Direct method that stops the machine.
    pub method: String,
    /// No second command for the same device within so many seconds.
    pub cooldown_seconds: u32,
    /// Seconds the device has to answer (IoT Hub allows 5 to 300).
    pub response_timeout_seconds: u32,
    /// A pending command that nobody approved expires after so many seconds: stopping a machine for what it did
    /// long ago helps nobody.
    pub expires_seconds: u32,
}

impl Default for CommandPolicy {
    fn default() -> Self {
        Self {
            on_critical: OnCritical::Ask,
            method: "emergencyStop".to_owned(),
            cooldown_seconds: 600,
            response_timeout_seconds: 30,
            expires_seconds: 3_600,
        }
    }
}

/// In place of a scorer's name: the first of those that the baseline names.
pub const AUTOMATIC: &str = "auto";

/// Everything declared of one equipment model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EquipmentPolicy {
    /// Device ids of this model; `*` stands for any characters.
    pub devices: Vec<String>,
    /// Scorer to use; [`AUTOMATIC`] is the one that training chose for the baseline.
    pub scorer: String,
    /// Signals that choose the operating regime; they are not scored themselves.
    pub settings: Vec<String>,
    /// Signals left out of baselines (counters, ids).
    pub ignore: Vec<String>,
    /// Sensors by signal name.
    pub signals: BTreeMap<String, SignalPolicy>,
    /// Alert rule.
    pub alert: AlertPolicy,
    /// Command rule.
    pub command: CommandPolicy,
    /// What to do first, shown with the alert; by top-cause signal, `*` for any other.
    pub advice: BTreeMap<String, String>,
    /// A device that sent nothing for so many seconds is silent; 0 switches the rule off.
    pub silent_after_seconds: u32,
}

impl Default for EquipmentPolicy {
    fn default() -> Self {
        Self {
            devices: Vec::new(),
            scorer: AUTOMATIC.to_owned(),
            settings: Vec::new(),
            ignore: Vec::new(),
            signals: BTreeMap::new(),
            alert: AlertPolicy::default(),
            command: CommandPolicy::default(),
            advice: BTreeMap::new(),
            silent_after_seconds: 300,
        }
    }
}

/// Equipment models by name; a device belongs to the first (by name) with a matching pattern, else to `generic`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Equipment(pub BTreeMap<String, EquipmentPolicy>);

/// The model of devices that no pattern matches.
pub const GENERIC: &str = "generic";

impl Equipment {
    /// Name of the device's equipment model.
    pub fn model_of(&self, device: &str) -> &str {
        let matching = self.0.iter().find(|(_, policy)| policy.devices.iter().any(|p| matches(p, device)));
        matching.map_or(GENERIC, |(name, _)| name)
    }

    /// Policy of a model; `None` for one that is not declared (`generic` may be left undeclared).
    pub fn policy(&self, model: &str) -> Option<&EquipmentPolicy> {
        self.0.get(model)
    }

    /// First fault of the whole declaration, in words.
    ///
    /// # Errors
    /// Names the model, the key and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        for (name, policy) in &self.0 {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                return Err(format!("equipment.{name}: a name has 1 to 64 letters, digits, - or _"));
            }
            let alert = &policy.alert;
            if !(alert.limit > 0.0 && alert.critical_limit >= alert.limit) {
                return Err(format!("equipment.{name}.alert: needs 0 < limit <= critical_limit"));
            }
            if !(alert.hysteresis > 0.0 && alert.hysteresis <= 1.0) {
                return Err(format!("equipment.{name}.alert.hysteresis: needs a number above 0, at most 1"));
            }
            if alert.on_delay_rows == 0 || alert.critical_delay_rows == 0 || alert.off_delay_rows == 0 {
                return Err(format!("equipment.{name}.alert: delays are at least 1 row"));
            }
            if !(5..=300).contains(&policy.command.response_timeout_seconds) {
                return Err(format!(
                    "equipment.{name}.command.response_timeout_seconds: IoT Hub takes 5 to 300"
                ));
            }
            for (signal, sensor) in &policy.signals {
                if sensor.min.is_nan() || sensor.max.is_nan() || sensor.min >= sensor.max {
                    return Err(format!("equipment.{name}.signals.{signal}: needs min < max"));
                }
            }
        }
        Ok(())
    }
}

/// Whether a pattern with `*` matches the whole text; linear in the text for each `*`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(head) = parts.next() else { return text.is_empty() };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_ids() {
        for (pattern, text, expected) in [
            ("robotic-arm-*", "robotic-arm-001", true),
            ("robotic-arm-*", "xrobotic-arm-001", false),
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("*-press", "big-press", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
