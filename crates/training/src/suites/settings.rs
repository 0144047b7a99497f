//! The frozen settings: one TOML file, read whole, its hash beside every figure.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use twinwright_core::policy::AlertPolicy;

use super::SuiteError;
use crate::energy::EnergyOptions;
use crate::quality::QualityOptions;
use crate::rul::LifeOptions;

/// The file that comes with the program.
pub const FROZEN: &str = include_str!("../../settings/quality.toml");

/// Settings of all suites.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Intervals.
    pub bootstrap: Bootstrap,
    /// Pump recordings.
    pub skab: Skab,
    /// Single signals.
    pub nab: Nab,
    /// Chemical plant.
    pub tep: Tep,
    /// Turbofan engines.
    pub cmapss: Cmapss,
    /// Wafers.
    pub secom: Secom,
    /// Load of a steel plant.
    pub steel: Steel,
    /// SHA-256 of the file, the first 16 digits.
    #[serde(skip)]
    pub hash: String,
}

/// How intervals are drawn.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// Samples.
    pub samples: usize,
    /// Seed.
    pub seed: u64,
}

/// Settings of `skab`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skab {
    /// First rows of each recording, which train.
    pub train_rows: usize,
    /// A change point counts as found within so many seconds after it.
    pub change_window_seconds: f64,
    /// Period of the clock that stands beside the change points.
    pub clock_seconds: f64,
    /// Widest tolerance around events of the volume under the precision-recall surface.
    pub vus_window_rows: usize,
    /// Alert rule.
    pub alert: AlertPolicy,
}

/// Settings of `nab`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nab {
    /// Share of a recording that is not scored, and trains.
    pub probation_share: f64,
    /// That share is of so many rows at most.
    pub probation_of_rows: usize,
    /// Alert rule; a detection is a row that raises.
    pub alert: AlertPolicy,
}

/// Settings of `tep`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tep {
    /// Rows of a fault's recording before the fault.
    pub fault_after_rows: usize,
    /// Faults that are shown, but not among those of the target.
    pub left_out: Vec<u32>,
    /// Alert rule.
    pub alert: AlertPolicy,
}

/// Settings of `cmapss`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cmapss {
    /// Within so many cycles a failure is forecast.
    pub horizon_cycles: f64,
    /// An alert must leave so many cycles to be of use.
    pub useful_cycles: f64,
    /// Alert rule.
    pub alert: AlertPolicy,
    /// How models are fitted.
    pub fit: LifeOptions,
}

/// Settings of `secom`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secom {
    /// Shares of the parts that may be inspected, %.
    pub budgets_percent: Vec<usize>,
    /// How models are fitted.
    pub fit: QualityOptions,
}

/// Settings of `steel`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steel {
    /// How models are fitted.
    pub fit: EnergyOptions,
}

impl Settings {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`SuiteError::Settings`] names the key and what is wrong.
    pub fn parse(text: &str) -> Result<Self, SuiteError> {
        let mut settings: Self =
            toml::from_str(text).map_err(|error| SuiteError::Settings(error.to_string()))?;
        let digest = Sha256::digest(text.as_bytes());
        settings.hash = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let share = settings.nab.probation_share;
        if !(0.0..1.0).contains(&share) {
            return Err(SuiteError::Settings(
                "nab.probation_share must be at least 0 and below 1".to_owned(),
            ));
        }
        Ok(settings)
    }

    /// Those that come with the program.
    ///
    /// # Errors
    /// Never, as a test holds; the signature is that of [`Self::parse`].
    pub fn frozen() -> Result<Self, SuiteError> {
        Self::parse(FROZEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frozen_settings_are_sound_and_an_unknown_key_is_refused() {
        assert_eq!(Settings::frozen().unwrap().hash.len(), 16);
        let error = Settings::parse(&FROZEN.replace("train_rows", "trainrows")).unwrap_err();
        assert!(error.to_string().contains("trainrows"), "{error}");
    }
}
