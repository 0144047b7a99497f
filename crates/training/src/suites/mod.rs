//! Suites: public data sets with known faults, read in their own formats and scored by their own protocols.
//!
//! A suite goes the way of the product: [`crate::choose`] and [`crate::fit`] make a baseline document of the training
//! rows, a scorer reads that document and scores the stream row by row, the alert state machine of the core
//! decides. [`ScorerHost`] lends the scorers, so that this crate need not know WebAssembly; there is no other way
//! to a score. [`settings`] is the frozen file; its hash stands in every report.
//!
//! [`skab`], [`nab`], [`tep`] (detection), [`cmapss`] (remaining life), [`secom`] (quality), [`steel`] (energy) are the suites; [`detection`] counts rows and events, [`changes`] scores change points,
//! [`vus`] is the volume under the precision-recall surface, [`controls`] are the detectors that know nothing,
//! [`bootstrap`] the intervals; [`report`] and [`page`] are what comes out. Another suite is one more line in [`all`].

pub mod bootstrap;
pub mod changes;
pub mod cmapss;
pub mod controls;
pub mod detection;
mod error;
pub mod nab;
mod nab_score;
pub mod page;
pub mod play;
mod read;
pub mod report;
pub mod secom;
pub mod settings;
pub mod skab;
pub mod steel;
pub mod tep;
pub mod vus;

use std::path::Path;

use twinwright_core::scoring::Scorer;

pub use error::SuiteError;
pub use report::{Bound, Figure, Report, Table};
pub use settings::Settings;

/// Lends scorers, prepared with a baseline.
pub trait ScorerHost {
    /// A scorer by name (e.g. `ewma-chart`), prepared with the bytes of a baseline document.
    ///
    /// # Errors
    /// [`SuiteError::Scorer`] where there is none of the name, or it refuses the baseline.
    fn prepare(&mut self, scorer: &str, baseline_json: &[u8]) -> Result<Box<dyn Scorer>, SuiteError>;

    /// Scores of other people's methods on the same rows (row-major, `width` a row), by name, for comparison: fitted on
    /// the first `fit_rows`, with 1.0 as their limit from the rows up to `calibration_end`. None by default.
    ///
    /// # Errors
    /// [`SuiteError::Scorer`] where they cannot be run.
    fn references(
        &mut self,
        values: &[f64],
        width: usize,
        fit_rows: usize,
        calibration_end: usize,
    ) -> Result<Vec<(String, Vec<f64>)>, SuiteError> {
        let _ = (values, width, fit_rows, calibration_end);
        Ok(Vec::new())
    }

    /// Predictions of other people's methods for a task that is no detection, by name: the `request` holds the data, and
    /// under `task` which it is (see `references/prognostics.py`). None by default.
    ///
    /// # Errors
    /// [`SuiteError::Scorer`] where they cannot be run.
    fn predictions(&mut self, request: &serde_json::Value) -> Result<Vec<(String, Vec<f64>)>, SuiteError> {
        let _ = request;
        Ok(Vec::new())
    }
}

/// A data set with its protocol.
pub trait Suite: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it is, in a line.
    fn about(&self) -> &'static str;

    /// Reads the folder and scores it.
    ///
    /// # Errors
    /// [`SuiteError`]: nothing of the format in the folder, a line that cannot be read, rows that give no baseline.
    fn run(
        &self,
        folder: &Path,
        settings: &Settings,
        host: &mut dyn ScorerHost,
    ) -> Result<Report, SuiteError>;
}

/// All suites.
pub fn all() -> Vec<&'static dyn Suite> {
    vec![&skab::Skab, &nab::Nab, &tep::Tep, &cmapss::Cmapss, &secom::Secom, &steel::Steel]
}

/// A suite by name.
pub fn find(name: &str) -> Option<&'static dyn Suite> {
    all().into_iter().find(|suite| suite.name() == name)
}
