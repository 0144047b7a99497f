//! Scorers for suites: the WebAssembly components that are published.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use twinwright_core::scoring::Scorer;
use twinwright_scoring::{EngineConfig, LoadedScorer, ScoringEngine};
use twinwright_training::suites::{ScorerHost, SuiteError};

use super::python::Python;

/// Lends the components of a folder.
pub(super) struct WasmHost {
    engine: ScoringEngine,
    folder: PathBuf,
    loaded: BTreeMap<String, LoadedScorer>,
    python: Option<Python>,
}

impl WasmHost {
    pub(super) fn new(folder: PathBuf, python: Option<Python>) -> anyhow::Result<Self> {
        // The limits of the product, but for time: a measurement on a busy machine is not to end in the stand-in.
        let config = EngineConfig {
            deadline: Duration::from_secs(30),
            prepare_deadline: Duration::from_secs(30),
            ..EngineConfig::default()
        };
        Ok(Self { engine: ScoringEngine::new(config)?, folder, loaded: BTreeMap::new(), python })
    }

    /// Names, versions and hashes of the scorers that were used.
    pub(super) fn used(&self) -> Vec<String> {
        self.loaded.values().map(|loaded| format!("{} ({})", loaded.id(), &loaded.sha256()[..16])).collect()
    }
}

impl ScorerHost for WasmHost {
    fn prepare(&mut self, scorer: &str, baseline_json: &[u8]) -> Result<Box<dyn Scorer>, SuiteError> {
        let failed = |cause: String| SuiteError::Scorer { scorer: scorer.to_owned(), cause };
        if !self.loaded.contains_key(scorer) {
            let path = self.folder.join(format!("{scorer}.wasm"));
            let bytes = std::fs::read(&path)
                .map_err(|error| failed(format!("{} cannot be read: {error}", path.display())))?;
            let loaded = self.engine.load(&bytes).map_err(|error| failed(error.to_string()))?;
            self.loaded.insert(scorer.to_owned(), loaded);
        }
        let prepared =
            self.loaded[scorer].instantiate(baseline_json).map_err(|error| failed(error.to_string()))?;
        Ok(Box::new(prepared))
    }

    fn references(
        &mut self,
        values: &[f64],
        width: usize,
        fit_rows: usize,
        calibration_end: usize,
    ) -> Result<Vec<(String, Vec<f64>)>, SuiteError> {
        let Some(python) = &mut self.python else { return Ok(Vec::new()) };
        python.scores(values, width, fit_rows, calibration_end).map_err(|error| SuiteError::Scorer {
            scorer: "references".to_owned(),
            cause: format!("{error:#}"),
        })
    }
}
