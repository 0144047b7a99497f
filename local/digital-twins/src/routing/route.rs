//! A route as clients write it, and ready for use.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::filter::{self, Filter};
use super::{CloudEvent, Queues};
use crate::answer::Refusal;

/// Longest identifier of a route.
const LONGEST_ID: usize = 64;

/// A route as clients write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventRoute {
    pub(crate) id: String,
    pub(crate) endpoint_name: String,
    pub(crate) filter: String,
}

/// A route whose filter was understood.
#[derive(Debug)]
pub(crate) struct CompiledRoute {
    pub(crate) route: EventRoute,
    filter: Filter,
}

impl EventRoute {
    /// From the body of a request.
    pub(crate) fn read(id: &str, body: &Value, queues: &Queues) -> Result<Self, Refusal> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(endpoint) = text("endpointName") else {
            return Err(Refusal::bad(
                "EventRouteEndpointInvalid",
                "the route has no endpointName: name one of the endpoints of this instance",
            ));
        };
        let Some(filter) = text("filter") else {
            return Err(Refusal::bad(
                "EventRouteFilterInvalid",
                "the route has no filter: give one, 'true' lets every event through",
            ));
        };
        if queues.get(endpoint).is_none() {
            let known = queues.endpoints().join(", ");
            let known = if known.is_empty() { "none is configured".to_owned() } else { known };
            let message =
                format!("the endpoint '{endpoint}' does not exist: create it first (known: {known})");
            return Err(Refusal::bad("EventRouteEndpointInvalid", message));
        }
        Ok(Self { id: id.to_owned(), endpoint_name: endpoint.to_owned(), filter: filter.to_owned() })
    }

    pub(crate) fn compile(self) -> Result<CompiledRoute, String> {
        let filter = filter::parse(&self.filter)?;
        Ok(CompiledRoute { route: self, filter })
    }

    pub(crate) fn wire(&self) -> Value {
        json!({"id": self.id, "endpointName": self.endpoint_name, "filter": self.filter})
    }
}

impl CompiledRoute {
    pub(crate) fn admits(&self, event: &CloudEvent) -> bool {
        self.filter.admits(event)
    }
}

pub(crate) fn check_route_id(id: &str) -> Result<(), Refusal> {
    let fits = (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits {
        return Ok(());
    }
    let message = format!(
        "the identifier of a route has 1 to {LONGEST_ID} letters, digits, hyphens, underscores or dots"
    );
    Err(Refusal::bad("EventRouteIdInvalid", message))
}
