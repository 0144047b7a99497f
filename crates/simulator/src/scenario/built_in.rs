//! Scenarios that need no file.

use super::{EquipmentSpec, FaultSpec, LineSpec, Moment, Scenario, ten_minutes};
use crate::equipment::Kind;
use crate::error::Error;
use crate::fault::FaultKind;

/// Machines of a line in [`Scenario::many`].
const MACHINES_A_LINE: usize = 20;
/// Of so many machines, one gets a fault in [`Scenario::many`].
const ONE_FAULTY_OF: usize = 50;
const MOST_OF_MANY: usize = 1_000_000;

impl Scenario {
    /// The line of the original recipe, with nothing wrong.
    #[must_use]
    pub fn healthy() -> Self {
        Self {
            name: "healthy".into(),
            description: "one line with a robotic arm and a conveyor belt, nothing wrong".into(),
            lines: vec![LineSpec {
                id: "production-line-a".into(),
                name: "Production Line A".into(),
                equipment: vec![
                    EquipmentSpec { id: "robotic-arm-001".into(), kind: Kind::RoboticArm },
                    EquipmentSpec { id: "conveyor-belt-001".into(), kind: Kind::ConveyorBelt },
                ],
            }],
            faults: Vec::new(),
            cycle_seconds: ten_minutes(),
        }
    }

    /// The same line with one fault that develops and one that is sudden and ends.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            name: "demo".into(),
            description: "bearing wear develops on the robotic arm, then the conveyor belt jams for a while"
                .into(),
            faults: vec![
                FaultSpec {
                    device: "robotic-arm-001".into(),
                    fault: FaultKind::BearingWear,
                    from: Moment::Fraction(0.35),
                    to: None,
                    develops: Some(Moment::Fraction(0.35)),
                    severity: 1.0,
                    signal: None,
                },
                FaultSpec {
                    device: "conveyor-belt-001".into(),
                    fault: FaultKind::Jam,
                    from: Moment::Fraction(0.6),
                    to: Some(Moment::Fraction(0.75)),
                    develops: None,
                    severity: 1.0,
                    signal: None,
                },
            ],
            ..Self::healthy()
        }
    }

    /// `count` machines (at most a million), arms and conveyor belts in turn, twenty a line; each fiftieth has a fault in
    /// the second half of the run.
    #[must_use]
    pub fn many(count: usize) -> Self {
        let count = count.min(MOST_OF_MANY);
        let width = count.to_string().len().max(3);
        let mut lines: Vec<LineSpec> = Vec::with_capacity(count.div_ceil(MACHINES_A_LINE));
        let mut faults = Vec::new();
        for index in 0..count {
            if index % MACHINES_A_LINE == 0 {
                let number = lines.len() + 1;
                lines.push(LineSpec {
                    id: format!("production-line-{number:03}"),
                    name: format!("Production Line {number}"),
                    equipment: Vec::with_capacity(MACHINES_A_LINE.min(count - index)),
                });
            }
            let kind = if index % 2 == 0 { Kind::RoboticArm } else { Kind::ConveyorBelt };
            let id = format!("{}-{:0width$}", kind.name(), index / 2 + 1);
            if index % ONE_FAULTY_OF == ONE_FAULTY_OF - 1 {
                let choices: [FaultKind; 3] =
                    [FaultKind::BearingWear, FaultKind::Overheating, FaultKind::Misalignment];
                let part = (index / ONE_FAULTY_OF % 5) as f64 * 0.05;
                faults.push(FaultSpec {
                    device: id.clone(),
                    fault: choices[index / ONE_FAULTY_OF % choices.len()],
                    from: Moment::Fraction(0.5 + part),
                    to: Some(Moment::Fraction(0.75 + part)),
                    develops: None,
                    severity: 1.0,
                    signal: None,
                });
            }
            if let Some(line) = lines.last_mut() {
                line.equipment.push(EquipmentSpec { id, kind });
            }
        }
        Self {
            name: format!("many:{count}"),
            description: format!(
                "{count} machines in {} lines, one of {ONE_FAULTY_OF} with a fault",
                lines.len()
            ),
            lines,
            faults,
            cycle_seconds: ten_minutes(),
        }
    }

    /// `healthy`, `demo` or `many:<number>`.
    ///
    /// # Errors
    /// [`Error::UnknownScenario`] for any other name.
    pub fn built_in(name: &str) -> Result<Self, Error> {
        let many = |number: &str| number.parse().ok().filter(|count| (1..=MOST_OF_MANY).contains(count));
        match name {
            "healthy" => Ok(Self::healthy()),
            "demo" => Ok(Self::demo()),
            _ => name
                .strip_prefix("many:")
                .and_then(many)
                .map(Self::many)
                .ok_or_else(|| Error::UnknownScenario(name.to_owned())),
        }
    }
}
