use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TwinsClient;
use crate::{Error, encode::segment, http::Call, retry::Safety};

/// An import job: models, twins and relationships from one NDJSON blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportJob {
    /// Identifier.
    pub id: String,
    /// The NDJSON blob.
    pub input_blob_uri: String,
    /// Where the service writes its log.
    pub output_blob_uri: String,
    /// `notstarted`, `running`, `failed`, `succeeded`, `cancelling` or `cancelled`.
    pub status: String,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Value>,
}

impl ImportJob {
    /// Whether it goes on no more.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "succeeded" | "cancelled")
    }
}

impl TwinsClient {
    /// Starts an import job.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `JobLimitReached` or a conflict where the id is used. A lost answer is
    /// not tried again: ask for the job by its id.
    pub async fn create_import_job(&self, id: &str, input: &str, output: &str) -> Result<ImportJob, Error> {
        let what = format!("create import job {id}");
        let url = self.url(&["jobs", "imports", &segment(&what, id)?], &[])?;
        let body = json!({ "inputBlobUri": input, "outputBlobUri": output });
        let call = Call::new(what, Method::PUT, url).json(&body)?;
        self.transport.succeed(&call, Safety::Once).await?.parse(&call.what)
    }

    /// Reads an import job.
    ///
    /// # Errors
    /// All but "not found", which is `None`.
    pub async fn get_import_job(&self, id: &str) -> Result<Option<ImportJob>, Error> {
        let what = format!("get import job {id}");
        let url = self.url(&["jobs", "imports", &segment(&what, id)?], &[])?;
        let call = Call::new(what, Method::GET, url);
        match self.find(&call).await? {
            Some(answer) => answer.parse(&call.what).map(Some),
            None => Ok(None),
        }
    }
}
