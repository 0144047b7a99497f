//! Azure Blob Storage and its emulator Azurite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use object_store::azure::{AzureAuthorizer, AzureCredential, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{
    ClientOptions, CredentialProvider, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector,
};
use object_store::{BackoffConfig, RetryConfig};

use super::{Kind, Store};
use crate::StoreError;

/// The emulator's well-known account and key, printed in its documentation: no secret.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// One request; a commit that takes longer is better made again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// All tries of one call: below the host's function timeout, so that the caller hears of it.
const RETRY_TIMEOUT: Duration = Duration::from_secs(45);
const RETRIES: usize = 6;

/// Gives bearer tokens for `https://storage.azure.com/`, new ones before the old expire.
pub trait BlobTokens: std::fmt::Debug + Send + Sync {
    /// A token that is valid for some minutes, or why there is none.
    fn token(&self) -> BoxFuture<'_, Result<String, Box<dyn std::error::Error + Send + Sync>>>;
}

/// Who we are to the storage account.
#[derive(Clone)]
pub enum AzureCredentialKind {
    /// The account key of an emulator's connection string, base64. Accounts in the cloud have keys switched off.
    EmulatorKey(String),
    /// Tokens of the caller's own identity code.
    Tokens(Arc<dyn BlobTokens>),
    /// The managed identity of the Function App or virtual machine that this runs on.
    ManagedIdentity {
        /// Client id of a user-assigned identity; none for the system-assigned one.
        client_id: Option<String>,
    },
}

// By hand: a derived one would print the key into logs.
impl std::fmt::Debug for AzureCredentialKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::EmulatorKey(_) => "emulator key",
            Self::Tokens(_) => "tokens",
            Self::ManagedIdentity { .. } => "managed identity",
        })
    }
}

/// One container of one storage account.
#[derive(Clone, Debug)]
pub struct AzureConfig {
    /// Account name.
    pub account: String,
    /// Container name.
    pub container: String,
    /// Blob endpoint where it is not `https://<account>.blob.core.windows.net`, e.g. `http://127.0.0.1:10000/devstoreaccount1`.
    pub endpoint: Option<String>,
    /// Credential.
    pub credential: AzureCredentialKind,
}

impl AzureConfig {
    fn endpoint(&self) -> String {
        let cloud = || format!("https://{}.blob.core.windows.net", self.account);
        self.endpoint.as_deref().map_or_else(cloud, |endpoint| endpoint.trim_end_matches('/').to_owned())
    }

    fn options(&self) -> ClientOptions {
        ClientOptions::new()
            // Only the emulator speaks plain HTTP.
            .with_allow_http(matches!(self.credential, AzureCredentialKind::EmulatorKey(_)))
            .with_timeout(REQUEST_TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
    }

    fn build(&self) -> object_store::Result<MicrosoftAzure> {
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(8),
                base: 2.0,
            },
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
        };
        let builder = MicrosoftAzureBuilder::new()
            .with_account(&self.account)
            .with_container_name(&self.container)
            .with_endpoint(self.endpoint())
            .with_retry(retry)
            .with_http_connector(super::patience::PatientConnector)
            .with_client_options(self.options());
        let builder = match &self.credential {
            AzureCredentialKind::EmulatorKey(key) => builder.with_access_key(key),
            AzureCredentialKind::Tokens(tokens) => {
                builder.with_credentials(Arc::new(TokenCredentials(Arc::clone(tokens))))
            }
            AzureCredentialKind::ManagedIdentity { client_id } => {
                let mut builder = builder.with_credential_type("managed_identity");
                if let Some(client_id) = client_id {
                    builder = builder.with_client_id(client_id);
                }
                // Set by App Service and Functions; elsewhere the instance metadata service answers.
                match std::env::var("IDENTITY_ENDPOINT") {
                    Ok(endpoint) => builder.with_msi_endpoint(endpoint),
                    Err(_) => builder,
                }
            }
        };
        builder.build()
    }
}

impl Store {
    /// One container of an Azure storage account or of Azurite. No request is made yet. A process-wide rustls crypto
    /// provider must be installed before.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the configuration cannot be used.
    pub fn azure(config: AzureConfig) -> Result<Self, StoreError> {
        let objects = config.build().map_err(|error| {
            let (account, container) = (&config.account, &config.container);
            StoreError::invalid(format!(
                "storage {account}/{container} cannot be used, check its settings: {error}"
            ))
        })?;
        Ok(Self {
            objects: Arc::new(objects),
            kind: Kind::Azure,
            near: None,
            azure: Some(Arc::new(config)),
            listings: Arc::default(),
        })
    }
}

/// Reads an emulator's connection string (`UseDevelopmentStorage=true`, or AccountName, AccountKey, BlobEndpoint).
///
/// # Errors
/// [`StoreError::Invalid`] that names the part that is missing, never its value.
pub fn parse_connection_string(text: &str, container: &str) -> Result<AzureConfig, StoreError> {
    let part = |name: &str| {
        let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let missing = |name: &str| {
        StoreError::invalid(format!(
            "the storage connection string has no {name}: copy it whole from the emulator"
        ))
    };
    let (account, key, endpoint) = if part("UseDevelopmentStorage").is_some_and(|yes| yes == "true") {
        let endpoint = format!("http://127.0.0.1:10000/{EMULATOR_ACCOUNT}");
        (EMULATOR_ACCOUNT.to_owned(), EMULATOR_KEY.to_owned(), endpoint)
    } else {
        (
            part("AccountName").ok_or_else(|| missing("AccountName"))?,
            part("AccountKey").ok_or_else(|| missing("AccountKey"))?,
            part("BlobEndpoint").ok_or_else(|| missing("BlobEndpoint"))?,
        )
    };
    let credential = AzureCredentialKind::EmulatorKey(key);
    Ok(AzureConfig { account, container: container.to_owned(), endpoint: Some(endpoint), credential })
}

/// Whether a 409 or 412 to a create-only write says that the name is taken. A container that is just being deleted
/// answers 409 as well, and to take that for "stored" would lose the batch.
pub(super) fn is_taken(answer: &str) -> bool {
    const OTHER_CONFLICTS: [&str; 6] = [
        "ContainerBeingDeleted",
        "ContainerBeingCreated",
        "ContainerDisabled",
        "AccountBeingCreated",
        "LeaseIdMissing",
        "OperationNotAllowed",
    ];
    !OTHER_CONFLICTS.iter().any(|code| answer.contains(code))
}

/// `PUT <endpoint>/<container>?restype=container` (Create Container of the Blob service's REST reference).
pub(super) async fn create_container(config: &AzureConfig) -> Result<(), StoreError> {
    let container = &config.container;
    let unavailable = |cause: String| StoreError::Unavailable { path: container.clone(), cause };
    let build = config.build().map_err(|error| unavailable(error.to_string()))?;
    let credential =
        build.credentials().get_credential().await.map_err(|error| unavailable(error.to_string()))?;
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = "PUT".parse().map_err(|_| unavailable("method".to_owned()))?;
    let url = format!("{}/{container}?restype=container", config.endpoint());
    *request.uri_mut() = url.parse().map_err(|_| StoreError::invalid(format!("{url} is no URL")))?;
    AzureAuthorizer::new(&credential, &config.account)
        .try_authorize(&mut request)
        .map_err(|error| unavailable(error.to_string()))?;
    let client = ReqwestConnector::default()
        .connect(&config.options())
        .map_err(|error| unavailable(error.to_string()))?;
    let answer = client.execute(request).await.map_err(|error| unavailable(error.to_string()))?;
    match answer.status().as_u16() {
        201 | 409 => Ok(()),
        401 | 403 => {
            Err(StoreError::Denied { path: container.clone(), cause: format!("status {}", answer.status()) })
        }
        400 => Err(StoreError::invalid(format!(
            "{container} is no container name: use 3 to 63 lower-case letters, digits and single hyphens"
        ))),
        _ => Err(unavailable(format!("status {}", answer.status()))),
    }
}

#[derive(Debug)]
struct TokenCredentials(Arc<dyn BlobTokens>);

#[async_trait]
impl CredentialProvider for TokenCredentials {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        match self.0.token().await {
            Ok(token) => Ok(Arc::new(AzureCredential::BearerToken(token))),
            Err(source) => Err(object_store::Error::Generic { store: "MicrosoftAzure", source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_read_and_its_key_never_shown() {
        let text = "DefaultEndpointsProtocol=http;AccountName=local;AccountKey=c2VjcmV0a2V5==;BlobEndpoint=http://127.0.0.1:1/local;";
        let config = parse_connection_string(text, "history").unwrap();
        assert_eq!(
            (config.account.as_str(), config.endpoint.as_deref()),
            ("local", Some("http://127.0.0.1:1/local"))
        );
        assert!(
            matches!(&config.credential, AzureCredentialKind::EmulatorKey(key) if key == "c2VjcmV0a2V5==")
        );
        assert!(!format!("{config:?}").contains("c2VjcmV0"));
        let error =
            parse_connection_string("AccountName=a;AccountKey=c2VjcmV0", "x").unwrap_err().to_string();
        assert!(error.contains("BlobEndpoint") && !error.contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn a_conflict_is_not_always_a_taken_name() {
        assert!(is_taken("<Code>BlobAlreadyExists</Code>"));
        assert!(is_taken("<Code>ConditionNotMet</Code>"));
        assert!(!is_taken("<Code>ContainerBeingDeleted</Code>"));
    }
}
