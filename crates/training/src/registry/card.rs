//! A model's lineage.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::TrainError;

/// Lineage of one version of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// `baseline`, `remaining-life`, `part-quality` or `day-ahead-load`.
    pub kind: String,
    /// Equipment model or site.
    pub equipment: String,
    /// The document's number.
    pub number: u64,
    /// When it was made, ISO 8601 UTC.
    pub created: String,
    /// SHA-256 over the rows it was fitted on, hexadecimal.
    pub data_hash: String,
    /// SHA-256 over the document, hexadecimal.
    pub document_hash: String,
    /// Version of the code that fitted it.
    pub code_version: String,
    /// First and last event time of the rows, where the document says so.
    pub window: Option<(String, String)>,
    /// Figures of training and evaluation.
    pub metrics: BTreeMap<String, f64>,
    /// Settings of the fit, as text.
    pub parameters: BTreeMap<String, String>,
    /// The document that it took the place of.
    pub replaces: Option<u64>,
}

impl ModelCard {
    /// Reads the lineage out of a document: a baseline or a model of this crate.
    ///
    /// # Errors
    /// [`TrainError::Numeric`] where it is not one.
    pub fn of(document: &[u8]) -> Result<Self, TrainError> {
        let value: serde_json::Value = serde_json::from_slice(document).map_err(TrainError::numeric)?;
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let id = text("id");
        let (equipment, number) = id
            .rsplit_once('/')
            .and_then(|(equipment, number)| Some((equipment.to_owned(), number.parse().ok()?)))
            .ok_or_else(|| {
                TrainError::numeric(format!("the document's id is {id:?}, not <equipment>/<number>"))
            })?;
        let kind = value["kind"].as_str().unwrap_or("baseline").to_owned();
        let figures = value["metrics"].as_object().into_iter().flatten();
        let edge = |name: &str| value["window"][name].as_str().map(str::to_owned);
        let parameter = |name: &str| {
            let found = value.get(name).filter(|value| value.is_number() || value.is_string())?;
            Some((name.to_owned(), found.as_str().map_or_else(|| found.to_string(), str::to_owned)))
        };
        Ok(Self {
            kind,
            equipment,
            number,
            created: text("created"),
            data_hash: text("data_hash"),
            document_hash: Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect(),
            code_version: match text("code_version") {
                empty if empty.is_empty() => env!("CARGO_PKG_VERSION").to_owned(),
                version => version,
            },
            window: edge("from").zip(edge("to")),
            metrics: figures.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect(),
            parameters: [
                "window_rows",
                "ewma_alpha",
                "gap_reset_seconds",
                "start_rows",
                "cap",
                "limit",
                "unit",
            ]
            .into_iter()
            .filter_map(parameter)
            .collect(),
            replaces: None,
        })
    }

    /// The name under which registries know all versions: letters, digits, `-`, `_` and `.` only.
    pub fn registered_name(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        format!("twinwright-{}-{}", self.kind, self.equipment).chars().map(safe).take(200).collect()
    }
}

/// The `MLmodel` file that makes a folder a model in MLflow's eyes: a flavour of our own, since only our scorers read
/// the document.
#[derive(Clone, Copy, Debug)]
pub struct MlModelFile<'a> {
    /// The lineage.
    pub card: &'a ModelCard,
    /// The run that it belongs to.
    pub run: &'a str,
}

impl std::fmt::Display for MlModelFile<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // JSON strings are YAML strings, whatever is in them.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let card = self.card;
        writeln!(out, "artifact_path: model")?;
        writeln!(out, "flavors:")?;
        writeln!(out, "  twinwright:")?;
        writeln!(out, "    kind: {}", quoted(&card.kind))?;
        writeln!(out, "    document: model.json")?;
        writeln!(out, "    sha256: {}", quoted(&card.document_hash))?;
        writeln!(out, "    version: {}", quoted(&card.code_version))?;
        writeln!(out, "run_id: {}", quoted(self.run))?;
        writeln!(out, "utc_time_created: {}", quoted(&card.created))
    }
}
