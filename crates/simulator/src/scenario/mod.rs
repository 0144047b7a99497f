//! Scenarios: which machines stand in which line, and what befalls them when. A JSON file:
//!
//! ```json
//! {"name": "leak", "lines": [{"id": "line-a", "equipment": [{"id": "pump-001", "kind": "pump"}]}],
//!  "faults": [{"device": "pump-001", "fault": "leak", "from": {"fraction": 0.5}, "to": {"seconds": 90}}]}
//! ```

mod built_in;
mod check;

use crate::equipment::Kind;
use crate::error::Error;
use crate::fault::FaultKind;
use serde::{Deserialize, Serialize};

/// Largest scenario text that is read.
const MOST_BYTES: usize = 64 << 20;

/// Lines, equipment and faults of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What happens in it, for people.
    #[serde(default)]
    pub description: String,
    /// The production lines.
    pub lines: Vec<LineSpec>,
    /// What befalls the machines.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
    /// A run without end repeats the faults after so many seconds; fractions are of it.
    #[serde(default = "ten_minutes")]
    pub cycle_seconds: f64,
}

/// A production line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSpec {
    /// Twin id of the line.
    pub id: String,
    /// Name for people; the id if empty.
    #[serde(default)]
    pub name: String,
    /// The machines that it contains.
    pub equipment: Vec<EquipmentSpec>,
}

/// A machine of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquipmentSpec {
    /// IoT Hub device id and twin id.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
}

/// A fault, by time from the start of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// Which machine.
    pub device: String,
    /// What breaks.
    pub fault: FaultKind,
    /// Onset.
    pub from: Moment,
    /// End; none = the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Moment>,
    /// How long it takes to reach full severity; none = half of its time for faults that develop, else at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub develops: Option<Moment>,
    /// Severity when full grown, above 0, up to 1.
    #[serde(default = "full")]
    pub severity: f64,
    /// Which signal, for faults of a sensor; none = its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

/// A time within a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Part of the run, 0 to 1.
    Fraction(f64),
    /// Seconds from its start.
    Seconds(f64),
}

fn ten_minutes() -> f64 {
    600.0
}

fn full() -> f64 {
    1.0
}

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// Text that is too large or no scenario, and all that [`Scenario::check`] finds.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MOST_BYTES {
            return Err(Error::TooLarge { bytes: text.len(), limit: MOST_BYTES });
        }
        let scenario: Self = serde_json::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The scenario as JSON text that [`Scenario::parse`] reads.
    ///
    /// # Errors
    /// [`Error::Syntax`] if a number in it has no JSON form.
    pub fn to_json(&self) -> Result<String, Error> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// All machines, in order.
    pub fn equipment(&self) -> impl Iterator<Item = &EquipmentSpec> {
        self.lines.iter().flat_map(|line| &line.equipment)
    }
}
