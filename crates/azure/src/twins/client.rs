use std::{fmt, sync::Arc};

use reqwest::{Method, header::ETAG};
use serde_json::Value;
use url::Url;

use super::{API_VERSION, Pages, Twin, wire};
use crate::{
    Error,
    encode::{secure_url, segment},
    http::{Answer, Call, HttpOptions, Transport},
    identity::{DIGITAL_TWINS_SCOPE, TokenSource},
    retry::Safety,
};

/// A client of one Azure Digital Twins instance, or of the local platform's. Clones share the connections.
#[derive(Clone)]
pub struct TwinsClient {
    pub(super) transport: Arc<Transport>,
    endpoint: Url,
}

impl TwinsClient {
    /// Connects to `endpoint`, such as `https://plant.api.weu.digitaltwins.azure.net`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Settings`] or [`Error::File`] when the address or the extra certificate authorities cannot be used.
    pub fn new(endpoint: &str, tokens: TokenSource, options: &HttpOptions) -> Result<Self, Error> {
        let mut endpoint = secure_url("the address of Azure Digital Twins", endpoint)?;
        endpoint.set_query(None);
        let identity = Some((tokens, DIGITAL_TWINS_SCOPE.to_owned()));
        let transport = Transport::new(&endpoint, identity, options, wire::explain)?;
        Ok(Self { transport: Arc::new(transport), endpoint })
    }

    /// Reads a twin.
    ///
    /// # Errors
    /// All but "not found", which is `None`.
    pub async fn get_twin(&self, id: &str) -> Result<Option<Twin>, Error> {
        let what = format!("get twin {id}");
        let url = self.url(&["digitaltwins", &segment(&what, id)?], &[])?;
        let call = Call::new(what, Method::GET, url);
        match self.find(&call).await? {
            Some(answer) => read_twin(&call.what, &answer).map(Some),
            None => Ok(None),
        }
    }

    /// Creates or replaces a twin. `body` holds `$metadata.$model`, properties and every component of the model.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `ValidationFailed`.
    pub async fn put_twin(&self, id: &str, body: &Value) -> Result<Twin, Error> {
        let what = format!("put twin {id}");
        let url = self.url(&["digitaltwins", &segment(&what, id)?], &[])?;
        let call = Call::new(what, Method::PUT, url).json(body)?;
        read_twin(&call.what, &self.transport.succeed(&call, Safety::Idempotent).await?)
    }

    /// Creates a twin unless there is one of that id (`If-None-Match: *`); `None` means that there is.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `ValidationFailed`.
    pub async fn create_twin(&self, id: &str, body: &Value) -> Result<Option<Twin>, Error> {
        let what = format!("create twin {id}");
        let url = self.url(&["digitaltwins", &segment(&what, id)?], &[])?;
        let call = Call::new(what, Method::PUT, url).json(body)?.header("if-none-match", "*")?;
        // Trying again after a lost answer finds our own twin: that is "there is one", and as true.
        let answer = self.transport.send(&call, Safety::Idempotent, &[]).await?;
        if answer.status.as_u16() == 412 {
            return Ok(None);
        }
        read_twin(&call.what, &self.transport.check(&call.what, answer)?).map(Some)
    }

    /// Deletes a twin; `false` means that there was none. Its relationships must go first.
    ///
    /// # Errors
    /// A refusal with the service's code, such as `RelationshipsNotDeleted`.
    pub async fn delete_twin(&self, id: &str, if_match: Option<&str>) -> Result<bool, Error> {
        let what = format!("delete twin {id}");
        let url = self.url(&["digitaltwins", &segment(&what, id)?], &[])?;
        let mut call = Call::new(what, Method::DELETE, url);
        if let Some(etag) = if_match {
            call = call.header("if-match", etag)?;
        }
        Ok(self.find(&call).await?.is_some())
    }

    /// Publishes a telemetry message of a twin to the event routes. `message_id` lets receivers drop repeats;
    /// `source_time` is RFC 3339.
    ///
    /// # Errors
    /// A refusal with the service's code. A lost answer is not tried again, lest the message go out twice.
    pub async fn publish_telemetry(
        &self,
        id: &str,
        message_id: &str,
        source_time: Option<&str>,
        payload: &Value,
    ) -> Result<(), Error> {
        let what = format!("publish telemetry of twin {id}");
        let url = self.url(&["digitaltwins", &segment(&what, id)?, "telemetry"], &[])?;
        let mut call = Call::new(what, Method::POST, url).json(payload)?.header("message-id", message_id)?;
        if let Some(time) = source_time {
            call = call.header("telemetry-source-time", time)?;
        }
        self.transport.succeed(&call, Safety::Once).await.map(drop)
    }

    /// Runs a query and pages through its rows. Queries may lag writes by some seconds; [`TwinsClient::get_twin`] does not.
    ///
    /// # Errors
    /// None yet: the pages report them.
    pub fn query_all(&self, sql: &str) -> Result<Pages<Value>, Error> {
        Ok(Pages::query(self.clone(), self.url(&["query"], &[])?, sql))
    }

    /// The address of a path whose segments are encoded already.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let base = self.endpoint.path().trim_end_matches('/');
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{base}/{}", segments.join("/")));
        url.query_pairs_mut().extend_pairs(query).append_pair("api-version", API_VERSION);
        if url.as_str().len() > 16 * 1024 {
            return Err(Error::input("make the address", "the ids are too long together"));
        }
        Ok(url)
    }

    /// The service's own links name its public host; behind a gateway that may be another one. Tokens go only to the
    /// endpoint of the settings, so only path and query are taken from a link.
    pub(super) fn follow(&self, what: &str, link: &str) -> Result<Url, Error> {
        let next = self
            .endpoint
            .join(link)
            .map_err(|error| Error::answer(what, format!("the next link: {error}")))?;
        let mut url = self.endpoint.clone();
        url.set_path(next.path());
        url.set_query(next.query());
        Ok(url)
    }

    /// Sends; "not found" is `None`, other refusals are errors.
    pub(super) async fn find(&self, call: &Call) -> Result<Option<Answer>, Error> {
        let answer = self.transport.send(call, Safety::Idempotent, &[]).await?;
        let missing = answer.status.as_u16() == 404 && wire::explain(&answer).0.ends_with("NotFound");
        if missing { Ok(None) } else { self.transport.check(&call.what, answer).map(Some) }
    }
}

fn read_twin(what: &str, answer: &Answer) -> Result<Twin, Error> {
    wire::twin(what, answer.parse(what)?, answer.header(ETAG.as_str()))
}

impl fmt::Debug for TwinsClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TwinsClient")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}
