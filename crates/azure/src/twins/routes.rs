use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Pages, TwinsClient};
use crate::{Error, encode::segment, http::Call, retry::Safety};

/// Which events go to which endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRoute {
    /// Identifier.
    pub id: String,
    /// Endpoint, made in the control plane (locally: in the platform's settings).
    pub endpoint_name: String,
    /// Filter, `true` for every event.
    pub filter: String,
}

impl TwinsClient {
    /// Creates or replaces an event route.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `EventRouteFilterInvalid`.
    pub async fn put_event_route(&self, route: &EventRoute) -> Result<(), Error> {
        let what = format!("put event route {}", route.id);
        let url = self.url(&["eventroutes", &segment(&what, &route.id)?], &[])?;
        let body = json!({ "endpointName": route.endpoint_name, "filter": route.filter });
        let call = Call::new(what, Method::PUT, url).json(&body)?;
        self.transport.succeed(&call, Safety::Idempotent).await.map(drop)
    }

    /// All event routes.
    ///
    /// # Errors
    /// None yet: the pages report them.
    pub fn list_event_routes(&self) -> Result<Pages<EventRoute>, Error> {
        let url = self.url(&["eventroutes"], &[])?;
        Ok(Pages::links(self.clone(), "list event routes".to_owned(), url, read))
    }

    /// Deletes an event route; `false` means that there was none.
    ///
    /// # Errors
    /// A refusal with the service's code.
    pub async fn delete_event_route(&self, id: &str) -> Result<bool, Error> {
        let what = format!("delete event route {id}");
        let url = self.url(&["eventroutes", &segment(&what, id)?], &[])?;
        Ok(self.find(&Call::new(what, Method::DELETE, url)).await?.is_some())
    }
}

fn read(what: &str, value: Value) -> Result<EventRoute, Error> {
    serde_json::from_value(value).map_err(|error| Error::answer(what, format!("an event route: {error}")))
}
