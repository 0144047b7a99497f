//! What can be wrong with a scenario or with writing its data.

/// An error of this crate; each says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no JSON of a scenario.
    #[error("scenario can not be read: {0}; see the built-in ones for the shape")]
    Syntax(#[from] serde_json::Error),
    /// The text is larger than any sensible scenario.
    #[error("scenario has {bytes} bytes, the limit is {limit}; split it into several runs")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More devices or faults than a run may have.
    #[error("scenario has {count} {what}, the limit is {limit}; split it into several runs")]
    TooMany {
        /// `devices` or `faults`.
        what: &'static str,
        /// How many were found.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A device id that IoT Hub would refuse.
    #[error(
        "device id {0:?} is not one that IoT Hub takes; use 1 to 128 ASCII letters, digits and -:.+%_#*?!(),=@$'"
    )]
    DeviceId(String),
    /// Two machines with one id.
    #[error("device id {0:?} occurs twice; give each machine its own")]
    Duplicate(String),
    /// A fault on a device that is in no line.
    #[error("fault {index} names device {device:?}, which is in no line{hint}")]
    UnknownDevice {
        /// Position in the list of faults, from 0.
        index: usize,
        /// The name given.
        device: String,
        /// `; did you mean "…"` or nothing.
        hint: String,
    },
    /// A fault that this kind of equipment can not have.
    #[error("fault {index}: a {kind} can not have {fault}; it can have {possible}")]
    Impossible {
        /// Position in the list of faults, from 0.
        index: usize,
        /// Kind of the equipment.
        kind: &'static str,
        /// The fault asked for.
        fault: &'static str,
        /// Names of the faults it can have.
        possible: String,
    },
    /// A sensor fault on a signal that the machine lacks.
    #[error("fault {index}: a {kind} has no signal {signal:?}; it has {possible}")]
    UnknownSignal {
        /// Position in the list of faults, from 0.
        index: usize,
        /// Kind of the equipment.
        kind: &'static str,
        /// The signal asked for.
        signal: String,
        /// Names of its signals.
        possible: String,
    },
    /// A number outside its range.
    #[error("fault {index}: {field} is {value}; give {expected}")]
    Range {
        /// Position in the list of faults, from 0.
        index: usize,
        /// Which field.
        field: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A setting of the plant outside its range.
    #[error("{field} is {value}; give {expected}")]
    Setting {
        /// Which setting.
        field: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// No built-in scenario of that name.
    #[error(
        "no built-in scenario {0:?}; use healthy, demo, many:<number of devices>, or the path of a JSON file"
    )]
    UnknownScenario(String),
    /// Labels or history could not be written.
    #[error("can not write: {0}; check the disk and the rights of the folder")]
    Write(#[from] std::io::Error),
}
