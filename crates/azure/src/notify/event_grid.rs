use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{explain, options, webhook::host};
use crate::{
    Error,
    encode::secure_url,
    http::{Call, HttpOptions, Transport},
    identity::{EVENT_GRID_SCOPE, TokenSource},
    retry::Safety,
};

/// A topic refuses larger requests.
const LARGEST_REQUEST: usize = 1024 * 1024;

/// An event in the Event Grid schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Unique id; an event that is sent again has the same.
    pub id: String,
    /// Type, such as `Twinwright.AlertRaised`.
    pub kind: String,
    /// Path of what it is about, such as `devices/pump-1`.
    pub subject: String,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// Its content.
    pub data: Value,
}

/// Publishes to a custom topic of Event Grid (schema "Event Grid", REST version 2018-01-01) with an Entra token.
pub struct EventGrid {
    transport: Transport,
    url: Url,
}

impl EventGrid {
    /// A sender to a topic's endpoint, such as `https://plant.westeurope-1.eventgrid.azure.net/api/events`. The identity
    /// needs the role `EventGrid Data Sender`.
    ///
    /// # Errors
    /// [`Error::Settings`] or [`Error::File`] when the address or the extra certificate authorities cannot be used.
    pub fn new(endpoint: &str, tokens: TokenSource, settings: &HttpOptions) -> Result<Self, Error> {
        let mut url = secure_url("the endpoint of the Event Grid topic", endpoint)?;
        if url.path() == "/" {
            url.set_path("/api/events");
        }
        url.query_pairs_mut().clear().append_pair("api-version", "2018-01-01");
        let identity = Some((tokens, EVENT_GRID_SCOPE.to_owned()));
        let transport = Transport::new(&url, identity, &options(settings), explain)?.cut_long_answers();
        Ok(Self { transport, url })
    }

    /// Publishes events in one request. Event Grid delivers at least once, so trying again does no harm.
    ///
    /// # Errors
    /// A refusal, or what was tried without an answer.
    pub async fn send(&self, events: &[Event]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let what = format!("publish {} events to {}", events.len(), host(&self.url));
        let body: Vec<_> = events
            .iter()
            .map(|event| {
                json!({
                    "id": event.id,
                    "eventType": event.kind,
                    "subject": event.subject,
                    "eventTime": event.time.to_rfc3339_opts(SecondsFormat::Micros, true),
                    "data": event.data,
                    "dataVersion": "1.0",
                })
            })
            .collect();
        let call = Call::new(&what, Method::POST, self.url.clone()).json(&body)?;
        if call.body.as_ref().is_some_and(|body| body.len() > LARGEST_REQUEST) {
            return Err(Error::input(&what, "a topic takes 1 MiB at most; send fewer events at a time"));
        }
        self.transport.succeed(&call, Safety::Idempotent).await.map(drop)
    }
}

impl fmt::Debug for EventGrid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EventGrid").field("host", &host(&self.url)).finish_non_exhaustive()
    }
}
