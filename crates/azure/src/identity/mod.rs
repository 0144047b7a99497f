//! Where tokens come from. A [`TokenSource`] hands out the `Authorization` header for a scope, and keeps it until
//! five minutes before it ends. The first caller in need renews it; the others wait for that one.
//!
//! In Azure that is the managed identity, on a developer's machine the Azure CLI's or Azure Developer CLI's sign-in, and
//! on the local platform a token in a private file or a shared access signature.

mod provider;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use azure_core::credentials::TokenCredential;
use reqwest::header::HeaderValue;

use crate::{Error, connection::ConnectionString};
use provider::{Fresh, Provider};

/// Scope of Azure Digital Twins.
pub const DIGITAL_TWINS_SCOPE: &str = "https://digitaltwins.azure.net/.default";
/// Scope of IoT Hub's service side.
pub const IOT_HUB_SCOPE: &str = "https://iothubs.azure.net/.default";
/// Scope of Event Grid topics.
pub const EVENT_GRID_SCOPE: &str = "https://eventgrid.azure.net/.default";

/// A token is renewed so long before its end.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// After a failed renewal the old token, if it is still good, serves so long before the next try.
const PAUSE: Duration = Duration::from_secs(30);
/// Callers that come so soon after a failure get the same failure, so that a dead endpoint does not queue them up.
const SAME_FAILURE: Duration = Duration::from_secs(2);
/// Asking for a token takes no longer. The command line tools are slow.
const LONGEST_REQUEST: Duration = Duration::from_secs(45);

/// Hands out tokens. Clones share the cache. `Debug` shows the kind only.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    provider: Provider,
    state: Mutex<HashMap<String, Entry>>,
    /// Held by whoever renews.
    renewal: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Entry {
    token: Option<Cached>,
    failed: Option<(Instant, String)>,
}

struct Cached {
    header: HeaderValue,
    renew_at: SystemTime,
    ends_at: SystemTime,
}

impl TokenSource {
    /// The managed identity where Azure offers one (`IDENTITY_ENDPOINT` is set; `AZURE_CLIENT_ID` names a user-assigned
    /// one), the developer's own sign-in elsewhere (`az login` or `azd auth login`).
    ///
    /// # Errors
    /// [`Error::Identity`] when the credential cannot be set up.
    pub fn managed_or_developer() -> Result<Self, Error> {
        Ok(Self::new(Provider::managed_or_developer(|name| std::env::var(name).ok())?))
    }

    /// Any credential of the Azure SDK.
    #[must_use]
    pub fn from_credential(credential: Arc<dyn TokenCredential>) -> Self {
        Self::new(Provider::Entra { credential, name: "a credential of the Azure SDK" })
    }

    /// A bearer token in a private file (mode 0600), as the local platform writes it. The file is read again every five
    /// minutes, and when the token is refused.
    #[must_use]
    pub fn static_file(path: impl Into<PathBuf>) -> Self {
        Self::new(Provider::File(path.into()))
    }

    /// Shared access signatures made with a connection string, each good for an hour.
    #[must_use]
    pub fn sas(connection: ConnectionString) -> Self {
        Self::new(Provider::Sas(connection))
    }

    /// Shared access signatures made with the connection string in a private file (mode 0600), which is read again for
    /// every signature, so that a rolled key is picked up.
    #[must_use]
    pub fn sas_file(path: impl Into<PathBuf>) -> Self {
        Self::new(Provider::SasFile(path.into()))
    }

    fn new(provider: Provider) -> Self {
        Self(Arc::new(Inner { provider, state: Mutex::default(), renewal: tokio::sync::Mutex::default() }))
    }

    /// The `Authorization` header for a scope, such as [`DIGITAL_TWINS_SCOPE`]. Files and signatures are good for any
    /// scope. The header is marked as sensitive.
    ///
    /// # Errors
    /// [`Error::Identity`] or [`Error::File`], when there is no token and none can be had.
    pub async fn authorization(&self, scope: &str) -> Result<HeaderValue, Error> {
        if let Some(header) = self.cached(scope, SystemTime::now()) {
            return Ok(header);
        }
        let _renewing = self.0.renewal.lock().await;
        if let Some(header) = self.cached(scope, SystemTime::now()) {
            return Ok(header);
        }
        self.renew(scope).await
    }

    /// Another header than the one that a service has just refused, or none if there is no other.
    ///
    /// # Errors
    /// Like [`TokenSource::authorization`].
    pub async fn renewed(&self, scope: &str, refused: &HeaderValue) -> Result<Option<HeaderValue>, Error> {
        let _renewing = self.0.renewal.lock().await;
        // Someone else may have renewed it meanwhile.
        if let Some(header) = self.cached(scope, SystemTime::now()).filter(|header| header != refused) {
            return Ok(Some(header));
        }
        self.state().entry(scope.to_owned()).or_default().token = None;
        Ok(Some(self.renew(scope).await?).filter(|header| header != refused))
    }

    fn cached(&self, scope: &str, now: SystemTime) -> Option<HeaderValue> {
        let state = self.state();
        let token = state.get(scope)?.token.as_ref()?;
        (now < token.renew_at).then(|| token.header.clone())
    }

    async fn renew(&self, scope: &str) -> Result<HeaderValue, Error> {
        if let Some((when, cause)) = self.state().get(scope).and_then(|entry| entry.failed.clone())
            && when.elapsed() < SAME_FAILURE
        {
            return Err(Error::Identity { scope: scope.to_owned(), cause });
        }
        let fetched = tokio::time::timeout(LONGEST_REQUEST, self.0.provider.fetch(scope)).await;
        let now = SystemTime::now();
        let mut state = self.state();
        let entry = state.entry(scope.to_owned()).or_default();
        let error = match fetched {
            Ok(Ok(Fresh { header, ends_at })) => {
                let lifetime = ends_at.duration_since(now).unwrap_or_default();
                // A token shorter than the margin is still worth most of its life.
                let margin = RENEW_BEFORE.min(lifetime / 4);
                entry.failed = None;
                entry.token = Some(Cached { header: header.clone(), renew_at: ends_at - margin, ends_at });
                return Ok(header);
            }
            Ok(Err(error)) => error,
            Err(_) => Error::Identity {
                scope: scope.to_owned(),
                cause: format!(
                    "{} gave no answer in {} s",
                    self.0.provider.name(),
                    LONGEST_REQUEST.as_secs()
                ),
            },
        };
        if let Some(token) = entry.token.as_mut().filter(|token| now < token.ends_at) {
            tracing::warn!(scope, %error, "a token could not be renewed; the old one serves until it ends");
            token.renew_at = (now + PAUSE).min(token.ends_at);
            return Ok(token.header.clone());
        }
        if let Error::Identity { cause, .. } = &error {
            entry.failed = Some((Instant::now(), cause.clone()));
        }
        Err(error)
    }

    fn state(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // Every change to the map is whole in itself, so a panic elsewhere leaves nothing half done.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("TokenSource").field(&self.0.provider.name()).finish()
    }
}
