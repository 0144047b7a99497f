//! Baselines: fit, calibrate, evaluate. The smallest honest trainer, without IO and without a clock.
//!
//! [`fit`] splits the rows by time. The older part gives the regimes (k-means on the settings alone), each
//! regime's mean and deviation, the covariance of its window means (Ledoit-Wolf) and the spread of its EWMA
//! charts. The newer part, which the fit never saw, gives the alarm limits, by running the very kernels that
//! will score: a limit taken from the fitting rows would alarm several times too often. [`evaluate`] compares a
//! candidate with the baseline in force and says whether to promote it, and why.
//!
//! Beside them stand trained models of the same kind: [`rul`] (remaining life, failure forecast), [`quality`] (the
//! chance of a bad part) and [`energy`] (the load of the next day), on the learners of [`learners`]; [`registry`] says
//! where a model came from and tells it to MLflow.
//!
//! The same rows give the same document, byte for byte. What this crate must not know: where rows come from,
//! where documents go, what time it is.

mod calibrate;
mod choose;
mod clean;
mod covariance;
mod drift;
pub mod energy;
mod error;
mod evaluate;
mod faults;
mod files;
mod fit;
mod gates;
pub mod learners;
mod mixture;
mod model;
mod principal;
pub mod quality;
mod regimes;
pub mod registry;
mod rows;
pub mod rul;
mod settled;
mod statistics;
pub mod suites;
mod windows;

pub use calibrate::SCORERS;
pub use choose::{Choice, choose};
pub use drift::drift;
pub use error::TrainError;
pub use evaluate::{Evaluation, Verdict, evaluate};
pub use faults::Fault;
pub use fit::{Candidate, Options, fit};
pub use gates::gates;
pub use rows::Matrix;
