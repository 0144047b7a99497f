use reqwest::Method;
use serde_json::Value;

use super::{Model, Pages, TwinsClient, wire};
use crate::{Error, encode::segment, http::Call, retry::Safety};

impl TwinsClient {
    /// Uploads DTDL interfaces, all or none (the service takes 250 at a time). A model that another one extends or embeds
    /// is in the same call or there already.
    ///
    /// # Errors
    /// A refusal: `ModelAlreadyExists` ([`Error::is_conflict`]), `DTDLParserError`, … A lost answer is not tried again.
    pub async fn add_models(&self, models: &[Value]) -> Result<Vec<Model>, Error> {
        let what = format!("add {} models", models.len());
        if models.is_empty() || models.len() > 250 {
            return Err(Error::input(&what, "the service takes 1 to 250 models at a time"));
        }
        let call = Call::new(what, Method::POST, self.url(&["models"], &[])?).json(&models)?;
        let answer = self.transport.succeed(&call, Safety::Once).await?;
        let added: Vec<Value> = answer.parse(&call.what)?;
        added.into_iter().map(|model| wire::model(&call.what, model)).collect()
    }

    /// Reads a model with its definition.
    ///
    /// # Errors
    /// All but "not found", which is `None`.
    pub async fn get_model(&self, id: &str) -> Result<Option<Model>, Error> {
        let what = format!("get model {id}");
        let url = self.url(&["models", &segment(&what, id)?], &[("includeModelDefinition", "true")])?;
        let call = Call::new(what, Method::GET, url);
        match self.find(&call).await? {
            Some(answer) => wire::model(&call.what, answer.parse(&call.what)?).map(Some),
            None => Ok(None),
        }
    }

    /// All models, with their definitions if `definitions` says so.
    ///
    /// # Errors
    /// None yet: the pages report them.
    pub fn list_models(&self, definitions: bool) -> Result<Pages<Model>, Error> {
        let definitions = if definitions { "true" } else { "false" };
        let url = self.url(&["models"], &[("includeModelDefinition", definitions)])?;
        Ok(Pages::links(self.clone(), "list models".to_owned(), url, wire::model))
    }

    /// A model and all that it extends or embeds, with their definitions.
    ///
    /// # Errors
    /// [`Error::Input`] when the id cannot be sent; the pages report the rest.
    pub fn list_dependencies(&self, id: &str) -> Result<Pages<Model>, Error> {
        let url = self.url(&["models"], &[("dependenciesFor", id), ("includeModelDefinition", "true")])?;
        Ok(Pages::links(self.clone(), format!("list what model {id} needs"), url, wire::model))
    }

    /// Deletes a model; `false` means that there was none.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `ModelReferencesNotDeleted`.
    pub async fn delete_model(&self, id: &str) -> Result<bool, Error> {
        let what = format!("delete model {id}");
        let url = self.url(&["models", &segment(&what, id)?], &[])?;
        Ok(self.find(&Call::new(what, Method::DELETE, url)).await?.is_some())
    }
}
