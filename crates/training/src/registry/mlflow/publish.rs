//! A model version, with its run and its lineage.

use serde_json::{Value, json};

use super::{Mlflow, MlflowError};
use crate::registry::{MlModelFile, ModelCard};

/// Metrics, parameters and tags of one request at the most, as MLflow limits them.
const METRICS: usize = 1_000;
const PARAMETERS: usize = 100;
/// Characters of a parameter's value at the most.
const TEXT: usize = 500;
/// The tag that names a version's document.
const HASH_TAG: &str = "twinwright.document_hash";
/// Who rules: the alias, or the tag where there are no aliases.
const CHAMPION: &str = "champion";

/// What MLflow knows now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Name of the registered model.
    pub name: String,
    /// Its version there; MLflow counts by itself.
    pub version: String,
    /// The run.
    pub run: String,
    /// Whether the version was there already.
    pub known: bool,
    /// Whether the server keeps the document too.
    pub uploaded: bool,
}

impl Mlflow {
    /// Makes an experiment, a run with metrics and parameters, and a version of the registered model. May be repeated.
    ///
    /// `at` is the time of the run in milliseconds since 1970; `source` is where the document is, by default the
    /// run's own artefacts.
    ///
    /// # Errors
    /// [`MlflowError`]; whoever calls it says so and goes on.
    pub async fn publish(
        &self,
        experiment: &str,
        card: &ModelCard,
        document: &[u8],
        source: Option<&str>,
        at: i64,
    ) -> Result<Published, MlflowError> {
        let name = card.registered_name();
        if let Some((version, run)) = self.known_version(&name, &card.document_hash).await? {
            return Ok(Published { name, version, run, known: true, uploaded: false });
        }
        let experiment = self.experiment(experiment).await?;
        let (run, artifacts) = self.begin_run(&experiment, card, at).await?;
        let logged = self.log(&run, card, at).await;
        let uploaded = self.upload_model(&artifacts, card, &run, document).await;
        let status = if logged.is_ok() { "FINISHED" } else { "FAILED" };
        self.post("runs/update", &json!({ "run_id": run, "status": status, "end_time": at })).await?;
        logged?;
        let existing = self.post("registered-models/create", &json!({ "name": name })).await;
        match existing {
            Err(error) if !error.has_code("RESOURCE_ALREADY_EXISTS") => return Err(error),
            _ => {}
        }
        let own = format!("runs:/{run}/model");
        let body = json!({
            "name": name,
            "source": source.unwrap_or(&own),
            "run_id": run,
            "description": format!("{} {} of {}", card.kind, card.number, card.equipment),
            "tags": tags(card),
        });
        let made = self.post("model-versions/create", &body).await?;
        let version = text(&made["model_version"]["version"], "model-versions/create")?;
        Ok(Published { name, version, run, known: false, uploaded })
    }

    /// Makes a version the champion: by alias, or by a tag where the server has no aliases.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn promote(&self, name: &str, version: &str) -> Result<(), MlflowError> {
        let body = json!({ "name": name, "alias": CHAMPION, "version": version });
        match self.post("registered-models/alias", &body).await {
            Err(error) if error.is_unknown_call() => {
                let body = json!({ "name": name, "version": version, "key": "stage", "value": CHAMPION });
                self.post("model-versions/set-tag", &body).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// The version that is champion by alias; none where there is none.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn champion(&self, name: &str) -> Result<Option<String>, MlflowError> {
        let query = [("name", name), ("alias", CHAMPION)];
        match self.get("registered-models/alias", &query).await {
            Ok(found) => Ok(found["model_version"]["version"].as_str().map(str::to_owned)),
            Err(error)
                if error.has_code("RESOURCE_DOES_NOT_EXIST") || error.has_code("INVALID_PARAMETER_VALUE") =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn experiment(&self, name: &str) -> Result<String, MlflowError> {
        const FIND: &str = "experiments/get-by-name";
        let query = [("experiment_name", name)];
        match self.get(FIND, &query).await {
            Ok(found) => return text(&found["experiment"]["experiment_id"], FIND),
            Err(error) if error.has_code("RESOURCE_DOES_NOT_EXIST") => {}
            Err(error) => return Err(error),
        }
        match self.post("experiments/create", &json!({ "name": name })).await {
            Ok(made) => text(&made["experiment_id"], "experiments/create"),
            // Somebody else was quicker.
            Err(error) if error.has_code("RESOURCE_ALREADY_EXISTS") => {
                text(&self.get(FIND, &query).await?["experiment"]["experiment_id"], FIND)
            }
            Err(error) => Err(error),
        }
    }

    /// The run's id and where its artefacts are.
    async fn begin_run(
        &self,
        experiment: &str,
        card: &ModelCard,
        at: i64,
    ) -> Result<(String, String), MlflowError> {
        let run_name = format!("{} {}/{}", card.kind, card.equipment, card.number);
        let body = json!({
            "experiment_id": experiment, "start_time": at, "run_name": run_name, "tags": tags(card),
        });
        let info = self.post("runs/create", &body).await?["run"]["info"].take();
        let artifacts = info["artifact_uri"].as_str().unwrap_or_default().to_owned();
        Ok((text(&info["run_id"], "runs/create")?, artifacts))
    }

    async fn log(&self, run: &str, card: &ModelCard, at: i64) -> Result<(), MlflowError> {
        let metric = |(name, value): (&String, &f64)| json!({ "key": key(name), "value": value, "timestamp": at, "step": 0 });
        let metrics: Vec<Value> = card.metrics.iter().take(METRICS).map(metric).collect();
        let parameter = |(name, value): (&String, &String)| json!({ "key": key(name), "value": value.chars().take(TEXT).collect::<String>() });
        let parameters: Vec<Value> = card.parameters.iter().take(PARAMETERS).map(parameter).collect();
        // The limit holds for all items together.
        for metrics in metrics.chunks(METRICS - PARAMETERS) {
            self.post("runs/log-batch", &json!({ "run_id": run, "metrics": metrics })).await?;
        }
        if !parameters.is_empty() {
            self.post("runs/log-batch", &json!({ "run_id": run, "params": parameters })).await?;
        }
        Ok(())
    }

    /// Stores the document where the server offers to; elsewhere the blob container has it anyway.
    async fn upload_model(&self, artifacts: &str, card: &ModelCard, run: &str, document: &[u8]) -> bool {
        let Some(place) = artifacts.strip_prefix("mlflow-artifacts:") else { return false };
        let place = place.trim_start_matches('/');
        let model = MlModelFile { card, run }.to_string();
        let files = [("MLmodel", model.as_bytes()), ("model.json", document)];
        for (name, bytes) in files {
            if self.upload(&format!("{place}/model/{name}"), bytes).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn known_version(&self, name: &str, hash: &str) -> Result<Option<(String, String)>, MlflowError> {
        let filter = format!("name='{name}'");
        let query =
            [("filter", filter.as_str()), ("max_results", "200"), ("order_by", "version_number DESC")];
        let found = match self.get("model-versions/search", &query).await {
            // A server without this search gets a second version at worst.
            Err(error) if error.is_unknown_call() || error.has_code("RESOURCE_DOES_NOT_EXIST") => {
                return Ok(None);
            }
            other => other?,
        };
        let ours = |version: &&Value| {
            let tags = version["tags"].as_array().into_iter().flatten();
            tags.into_iter().any(|tag| tag["key"] == HASH_TAG && tag["value"] == hash)
        };
        let version = found["model_versions"].as_array().into_iter().flatten().find(ours);
        Ok(version.and_then(|version| {
            let run = version["run_id"].as_str().unwrap_or_default();
            Some((version["version"].as_str()?.to_owned(), run.to_owned()))
        }))
    }
}

fn tags(card: &ModelCard) -> Vec<Value> {
    let mut tags = vec![
        (HASH_TAG, card.document_hash.clone()),
        ("twinwright.kind", card.kind.clone()),
        ("twinwright.equipment", card.equipment.clone()),
        ("twinwright.number", card.number.to_string()),
        ("twinwright.data_hash", card.data_hash.clone()),
        ("twinwright.code_version", card.code_version.clone()),
    ];
    if let Some((from, to)) = &card.window {
        tags.extend([("twinwright.from", from.clone()), ("twinwright.to", to.clone())]);
    }
    tags.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

/// Names as MLflow allows them.
fn key(name: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '/') { c } else { '_' }
    };
    name.chars().map(safe).take(250).collect()
}

fn text(value: &Value, path: &str) -> Result<String, MlflowError> {
    let cause = || "an id is missing".to_owned();
    let found = value.as_str().map(str::to_owned);
    found.ok_or_else(|| MlflowError::Answer { path: path.to_owned(), cause: cause() })
}
