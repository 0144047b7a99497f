use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_core::credentials::TokenCredential;
use azure_identity::{
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use reqwest::header::HeaderValue;

use crate::{Error, connection::ConnectionString, error::chain, http::ensure_tls, secret::Secret};

/// How long a shared access signature is good.
const SAS_LIFETIME: Duration = Duration::from_secs(3600);
/// A token file is read again after this, its renewal margin of five minutes taken off.
const FILE_LIFETIME: Duration = Duration::from_secs(600);

pub(super) enum Provider {
    Entra { credential: Arc<dyn TokenCredential>, name: &'static str },
    File(PathBuf),
    Sas(ConnectionString),
    SasFile(PathBuf),
}

pub(super) struct Fresh {
    pub(super) header: HeaderValue,
    pub(super) ends_at: SystemTime,
}

impl Provider {
    pub(super) fn managed_or_developer(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        // The SDK's own HTTP client needs the provider too.
        ensure_tls();
        let fault = |error: azure_core::Error| Error::Identity {
            scope: "any scope".to_owned(),
            cause: chain(&error),
        };
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if set("IDENTITY_ENDPOINT").is_some() {
            let user_assigned_id =
                set("AZURE_CLIENT_ID").map(|id| UserAssignedId::ClientId(id.trim().to_owned()));
            let options = ManagedIdentityCredentialOptions { user_assigned_id, ..Default::default() };
            let credential = ManagedIdentityCredential::new(Some(options)).map_err(fault)?;
            return Ok(Self::Entra { credential, name: "the managed identity" });
        }
        let credential = DeveloperToolsCredential::new(None).map_err(fault)?;
        Ok(Self::Entra { credential, name: "the developer's sign-in" })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Entra { name, .. } => name,
            Self::File(_) => "a token file",
            Self::Sas(_) => "a connection string",
            Self::SasFile(_) => "a connection string file",
        }
    }

    pub(super) async fn fetch(&self, scope: &str) -> Result<Fresh, Error> {
        let now = SystemTime::now();
        match self {
            Self::Entra { credential, .. } => {
                let token = credential.get_token(&[scope], None).await.map_err(|error| Error::Identity {
                    scope: scope.to_owned(),
                    cause: format!("{}: {}", self.name(), chain(&error)),
                })?;
                Ok(Fresh { header: bearer(scope, token.token.secret())?, ends_at: token.expires_on.into() })
            }
            Self::File(path) => {
                let token = read(path.clone()).await?;
                Ok(Fresh { header: bearer(scope, token.reveal())?, ends_at: now + FILE_LIFETIME })
            }
            Self::Sas(connection) => signed(scope, connection, now),
            Self::SasFile(path) => {
                signed(scope, &ConnectionString::parse(read(path.clone()).await?.reveal())?, now)
            }
        }
    }
}

fn signed(scope: &str, connection: &ConnectionString, now: SystemTime) -> Result<Fresh, Error> {
    let ends_at = now + SAS_LIFETIME;
    Ok(Fresh { header: sensitive(scope, connection.signature(ends_at).reveal())?, ends_at })
}

async fn read(path: PathBuf) -> Result<Secret, Error> {
    let shown = path.clone();
    // Files are read off the asynchronous threads.
    tokio::task::spawn_blocking(move || Secret::from_private_file(&path))
        .await
        .map_err(|error| Error::File { path: shown, problem: error.to_string() })?
}

fn bearer(scope: &str, token: &str) -> Result<HeaderValue, Error> {
    sensitive(scope, &format!("Bearer {token}"))
}

fn sensitive(scope: &str, value: &str) -> Result<HeaderValue, Error> {
    let mut header = HeaderValue::from_str(value).map_err(|_| Error::Identity {
        scope: scope.to_owned(),
        cause: "the token holds characters that no token can; it must be one line of text".to_owned(),
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_which_credential() {
        let pick = |set: &'static [&'static str]| {
            Provider::managed_or_developer(|name| set.contains(&name).then(|| "x".to_owned()))
                .map(|p| p.name())
        };
        assert_eq!(pick(&[]).expect("developer"), "the developer's sign-in");
        assert_eq!(pick(&["AZURE_CLIENT_ID"]).expect("developer"), "the developer's sign-in");
        assert_eq!(pick(&["IDENTITY_ENDPOINT"]).expect("managed"), "the managed identity");
    }
}
