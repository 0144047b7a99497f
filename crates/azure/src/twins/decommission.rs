use reqwest::Method;
use serde_json::json;

use super::TwinsClient;
use super::component::as_patch;
use crate::{Error, encode::segment, http::Call, retry::Safety};

impl TwinsClient {
    /// Decommissions a model: no new twins can be made of it.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `ModelReferencesNotDecommissioned` or `ModelNotFound`.
    pub async fn decommission_model(&self, id: &str) -> Result<(), Error> {
        let what = format!("decommission model {id}");
        let url = self.url(&["models", &segment(&what, id)?], &[])?;
        let operations = json!([{ "op": "replace", "path": "/decommissioned", "value": true }]);
        let call = as_patch(Call::new(what, Method::PATCH, url).json(&operations)?);
        self.transport.succeed(&call, Safety::Idempotent).await.map(drop)
    }
}
