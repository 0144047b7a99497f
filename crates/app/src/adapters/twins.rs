//! Azure Digital Twins behind [`TwinPort`].

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use twinwright_azure::Error;
use twinwright_azure::identity::TokenSource;
use twinwright_azure::twins::{PatchOutcome, TwinsClient};
use twinwright_core::time::{SECOND, parse_iso};

use super::{file, options};
use crate::config::Twins;
use crate::ports::{TwinAnswer, TwinPort, TwinVersion};

/// Wait after a 429 that names no time.
const THROTTLE_PAUSE: i64 = SECOND;
/// Rows of a query at the most.
const MAX_ROWS: usize = 10_000;

/// Twins over REST.
#[derive(Debug)]
pub struct AzureTwins {
    client: TwinsClient,
}

impl AzureTwins {
    /// A client by the configuration; `None` when no twins are configured.
    ///
    /// # Errors
    /// The URL, the CA file or the identity cannot be used.
    pub fn new(config: &Twins) -> Result<Option<Self>, Error> {
        if config.url.is_empty() {
            return Ok(None);
        }
        let tokens = match file(&config.token_file) {
            Some(path) => TokenSource::static_file(path),
            None => TokenSource::managed_or_developer()?,
        };
        Ok(Some(Self { client: TwinsClient::new(&config.url, tokens, &options(&config.ca_file))? }))
    }

    /// The client itself.
    pub fn client(&self) -> &TwinsClient {
        &self.client
    }

    /// Runs a query and collects its rows.
    ///
    /// # Errors
    /// The service's words.
    pub async fn query(&self, sql: &str) -> Result<Vec<Value>, Error> {
        self.client.query_all(sql)?.collect(MAX_ROWS).await
    }
}

#[async_trait]
impl TwinPort for AzureTwins {
    async fn version(&self, twin: &str) -> TwinAnswer<TwinVersion> {
        match self.client.get_twin(twin).await {
            Ok(Some(found)) => {
                let observed_at = found.body.get("observedAt").and_then(Value::as_str).and_then(parse_iso);
                let shows_life =
                    found.body.get("health").is_some_and(|health| health.get("remainingLife").is_some());
                TwinAnswer::Done(TwinVersion { etag: found.etag, observed_at, shows_life })
            }
            Ok(None) => TwinAnswer::NotFound,
            Err(error) => TwinAnswer::Unavailable(error.to_string()),
        }
    }

    async fn patch(&self, twin: &str, patch: String, etag: &str) -> TwinAnswer<String> {
        match self.client.patch_twin(twin, Bytes::from(patch), Some(etag)).await {
            PatchOutcome::Patched { etag: Some(etag) } => TwinAnswer::Done(etag),
            // Without an ETag the next write has to read the twin first.
            PatchOutcome::Patched { etag: None } => TwinAnswer::Done(String::new()),
            PatchOutcome::NotFound => TwinAnswer::NotFound,
            PatchOutcome::PreconditionFailed => TwinAnswer::Changed,
            PatchOutcome::Invalid { code, message } => TwinAnswer::Refused(format!("{code}: {message}")),
            PatchOutcome::Throttled { retry_after } => {
                let pause = retry_after.and_then(|after| i64::try_from(after.as_micros()).ok());
                TwinAnswer::Throttled(pause.unwrap_or(THROTTLE_PAUSE))
            }
            PatchOutcome::Unavailable { cause } => TwinAnswer::Unavailable(cause),
        }
    }
}
