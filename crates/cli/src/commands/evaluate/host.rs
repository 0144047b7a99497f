//! Scorers for suites: the WebAssembly components that are published.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use twinwright_core::scoring::Scorer;
use twinwright_scoring::{EngineConfig, LoadedScorer, ScoringEngine};
use twinwright_training::suites::{ScorerHost, SuiteError};

use super::python::{ANOMALY, PROGNOSTICS, Python};

/// Lends the components of a folder.
pub(super) struct WasmHost {
    engine: ScoringEngine,
    folder: PathBuf,
    loaded: BTreeMap<String, LoadedScorer>,
    references: Option<References>,
}

/// Other people's methods; a program is started when it is first asked.
#[derive(Default)]
struct References {
    anomaly: Option<Python>,
    prognostics: Option<Python>,
}

impl WasmHost {
    pub(super) fn new(folder: PathBuf, references: bool) -> anyhow::Result<Self> {
        // The limits of the product, but for time: a measurement on a busy machine is not to end in the stand-in.
        let config = EngineConfig {
            deadline: Duration::from_secs(30),
            prepare_deadline: Duration::from_secs(30),
            ..EngineConfig::default()
        };
        let references = references.then(References::default);
        Ok(Self { engine: ScoringEngine::new(config)?, folder, loaded: BTreeMap::new(), references })
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
        let Some(references) = &mut self.references else { return Ok(Vec::new()) };
        let python = started(&mut references.anomaly, ANOMALY)?;
        python.scores(values, width, fit_rows, calibration_end).map_err(|error| failed(&error))
    }

    fn predictions(&mut self, request: &serde_json::Value) -> Result<Vec<(String, Vec<f64>)>, SuiteError> {
        let Some(references) = &mut self.references else { return Ok(Vec::new()) };
        started(&mut references.prognostics, PROGNOSTICS)?.ask(request).map_err(|error| failed(&error))
    }
}

fn started<'a>(place: &'a mut Option<Python>, program: &str) -> Result<&'a mut Python, SuiteError> {
    match place {
        Some(python) => Ok(python),
        None => Ok(place.insert(Python::start(program).map_err(|error| failed(&error))?)),
    }
}

fn failed(error: &anyhow::Error) -> SuiteError {
    SuiteError::Scorer { scorer: "references".to_owned(), cause: format!("{error:#}") }
}
