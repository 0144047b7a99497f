use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;

use super::TwinsClient;
use crate::{Error, encode::segment, http::Call, retry::Safety};

impl TwinsClient {
    /// Reads a component of a twin.
    ///
    /// # Errors
    /// All but "not found", which is `None`.
    pub async fn get_component(&self, id: &str, component: &str) -> Result<Option<Value>, Error> {
        let what = format!("get component {component} of twin {id}");
        let url = self.component(&what, id, component, None)?;
        let call = Call::new(what, Method::GET, url);
        match self.find(&call).await? {
            Some(answer) => answer.parse(&call.what).map(Some),
            None => Ok(None),
        }
    }

    /// Sends one JSON Patch for a component; its paths begin at the component. A lost answer is not tried again.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `ValidationFailed`.
    pub async fn patch_component(&self, id: &str, component: &str, operations: &Value) -> Result<(), Error> {
        let what = format!("patch component {component} of twin {id}");
        let url = self.component(&what, id, component, None)?;
        let call = Call::new(what, Method::PATCH, url).json(operations)?;
        self.transport.succeed(&as_patch(call), Safety::Once).await.map(drop)
    }

    /// Publishes a telemetry message of a component; see [`TwinsClient::publish_telemetry`].
    ///
    /// # Errors
    /// A refusal with the service's code.
    pub async fn publish_component_telemetry(
        &self,
        id: &str,
        component: &str,
        message_id: &str,
        payload: &Value,
    ) -> Result<(), Error> {
        let what = format!("publish telemetry of component {component} of twin {id}");
        let url = self.component(&what, id, component, Some("telemetry"))?;
        let call = Call::new(what, Method::POST, url).json(payload)?.header("message-id", message_id)?;
        self.transport.succeed(&call, Safety::Once).await.map(drop)
    }

    /// Sends one JSON Patch for a relationship. A lost answer is not tried again.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `RelationshipNotFound`.
    pub async fn patch_relationship(&self, source: &str, id: &str, operations: &Value) -> Result<(), Error> {
        let what = format!("patch relationship {id} of twin {source}");
        let path = ["digitaltwins", &segment(&what, source)?, "relationships", &segment(&what, id)?];
        let url = self.url(&path, &[])?;
        let call = Call::new(what, Method::PATCH, url).json(operations)?;
        self.transport.succeed(&as_patch(call), Safety::Once).await.map(drop)
    }

    fn component(
        &self,
        what: &str,
        id: &str,
        component: &str,
        below: Option<&str>,
    ) -> Result<url::Url, Error> {
        let (id, component) = (segment(what, id)?, segment(what, component)?);
        let mut path = vec!["digitaltwins", &id, "components", &component];
        path.extend(below);
        self.url(&path, &[])
    }
}

pub(super) fn as_patch(mut call: Call) -> Call {
    call.content_type = "application/json-patch+json";
    call.body = call.body.or(Some(Bytes::from_static(b"[]")));
    call
}
