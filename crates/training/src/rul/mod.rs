//! Remaining useful life and failure forecast, learnt from machines that ran until they failed.
//!
//! [`fit`] takes runs to failure and gives a [`LifeModel`], a JSON document that the scorer `remaining-life` reads:
//! boosted trees, or ridge regression where runs are few. Errors are estimated on machines that the fit did not see
//! (folds of whole runs); from them come the interval, the chance of a failure within a time, and [`lead`]: how long
//! before a failure an alert would have come. [`read`] reads the NASA turbofan files.

mod fit;
pub mod lead;
pub mod read;
mod regimes;

pub use fit::{LifeCandidate, LifeOptions, LifeRun, fit};
pub use twinwright_kernels::life::{LifeModel, Unit};
