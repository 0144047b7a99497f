//! Physics-flavoured factory equipment: seeded, with regimes, faults that develop, and labels.
//!
//! A [`Machine`] is one piece of equipment. It is told the time and answers with a [`Reading`]: it has no
//! clock, no thread and no IO, so the same seed and the same times give the same bytes, in whatever batches
//! they are asked for. A [`Plant`] is all machines of a [`Scenario`], whose faults it turns from fractions of
//! a run into times. [`healthy_history`] makes rows to fit a baseline on, [`labels`] writes down the truth
//! that a detection can be measured against.
//!
//! | module      | what it holds                                                       |
//! |-------------|---------------------------------------------------------------------|
//! | `equipment` | the kinds: signals, regimes, and how load and faults show in them   |
//! | `fault`     | what can break, how it develops, what it does to a machine          |
//! | `body`      | the slow state: load, heat, leak, wear, ambient                     |
//! | `machine`   | one device: body + sensors + faults + stop and restart              |
//! | `plant`     | all devices of a scenario                                           |
//! | `scenario`  | the JSON file, its checks, and the built-in ones                    |
//! | `history`   | rows without faults                                                 |
//! | `labels`    | the truth as CSV or JSON lines                                      |
//! | `reading`   | one message and its JSON                                            |
//! | `random`    | the generator; ours, so that its bytes never change with a version  |

mod body;
mod equipment;
mod error;
mod fault;
mod history;
pub mod labels;
mod machine;
mod plant;
mod random;
mod reading;
mod scenario;

pub use equipment::{Kind, Signal};
pub use error::Error;
pub use fault::{Fault, FaultKind};
pub use history::{HISTORY_START_US, healthy_history, write_csv};
pub use machine::Machine;
pub use plant::{Plant, PlantConfig, Truth};
pub use reading::{Label, Reading, iso_time};
pub use scenario::{EquipmentSpec, FaultSpec, LineSpec, Moment, Scenario};
