use std::{
    fmt,
    path::Path,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, explain, options, sign};
use crate::{
    Error,
    encode::secure_url,
    http::{Call, HttpOptions, Transport},
    retry::{self, Failure, RetryPolicy, Safety, Tried},
    secret::Secret,
};

/// Keys are for machines; a short one is a word that can be guessed.
const SHORTEST_KEY: usize = 16;

/// Posts signed JSON to one address. `Debug` shows the host only, because addresses may carry keys.
pub struct Webhook {
    transport: Transport,
    url: Url,
    key: Secret,
    retry: RetryPolicy,
}

impl Webhook {
    /// A sender to `url` (https, or http on this machine), signing with `key` (16 bytes at least). Redirects are not followed.
    ///
    /// # Errors
    /// [`Error::Settings`] or [`Error::File`] when address, key or extra certificate authorities cannot be used.
    pub fn new(url: &str, key: Secret, settings: &HttpOptions) -> Result<Self, Error> {
        let url = secure_url("the webhook's address", url)?;
        if key.reveal().len() < SHORTEST_KEY {
            let problem =
                format!("it is shorter than {SHORTEST_KEY} bytes; `openssl rand -hex 32` makes a good one");
            return Err(Error::settings("the webhook's key", problem));
        }
        let transport = Transport::new(&url, None, &options(settings), explain)?.cut_long_answers();
        Ok(Self { transport, url, key, retry: settings.retry })
    }

    /// Like [`Webhook::new`], with the key in a file.
    ///
    /// # Errors
    /// Like [`Webhook::new`].
    pub fn from_key_file(url: &str, key_file: &Path, settings: &HttpOptions) -> Result<Self, Error> {
        Self::new(url, Secret::from_file(key_file)?, settings)
    }

    /// Posts `message` under `id`, signed anew for every attempt so that no attempt is too old. Any 2xx is delivery.
    ///
    /// # Errors
    /// A refusal, or what was tried without an answer.
    pub async fn send(&self, id: &str, message: &Value) -> Result<(), Error> {
        let what = format!("post {id} to {}", host(&self.url));
        let body: Bytes =
            serde_json::to_vec(message).map_err(|error| Error::input(&what, error.to_string()))?.into();
        let start = Instant::now();
        retry::run(&self.retry, Safety::Idempotent, &what, |attempts| {
            let call = self.call(&what, id, body.clone());
            let what = &what;
            async move {
                let mut answer = self.transport.once(&call.map_err(Failure::Final)?).await?;
                answer.tried = Tried { attempts, elapsed: start.elapsed() };
                if answer.status.is_success() {
                    return Ok(());
                }
                Err(Failure::Refused(Box::new(self.transport.refusal(what, &answer))))
            }
        })
        .await
    }

    fn call(&self, what: &str, id: &str, body: Bytes) -> Result<Call, Error> {
        let timestamp =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = sign(&self.key, id, timestamp, &body)?;
        let mut call = Call::new(what, Method::POST, self.url.clone())
            .header(ID_HEADER, id)?
            .header(TIMESTAMP_HEADER, &timestamp.to_string())?
            .header(SIGNATURE_HEADER, &signature)?;
        call.body = Some(body);
        Ok(call)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Webhook").field("host", &host(&self.url)).finish_non_exhaustive()
    }
}

/// The part of an address that is no secret.
pub(super) fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}
