//! Stores named by text, as configuration does.

use super::{AzureConfig, AzureCredentialKind, Store, parse_connection_string};
use crate::StoreError;

/// Container of `azurite:` where the text names none.
const DEFAULT_CONTAINER: &str = "twinwright";

impl Store {
    /// Opens a store by name:
    ///
    /// - `folder:/path` - files below a folder;
    /// - `memory:` - gone with the process;
    /// - `azure://account/container` - Azure Blob Storage by managed identity; `?client_id=…` for a user-assigned one;
    /// - `azurite:/path/to/file` - the emulator; the file holds its connection string, so that no key stands in
    ///   configuration; `?container=…` where it is not `twinwright`.
    ///
    /// # Errors
    /// [`StoreError`] for other text, and for a store that cannot be opened.
    pub fn from_url(text: &str) -> Result<Self, StoreError> {
        let unknown = || {
            StoreError::invalid(format!(
                "{text} names no store: write folder:/path, memory:, azure://account/container or azurite:/path/to/connection-string-file"
            ))
        };
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
        let (place, options) =
            rest.split_once('?').map_or((rest, None), |(place, options)| (place, Some(options)));
        let option = |name: &str| {
            let pair =
                options?.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
            pair.map(|(_, value)| value.to_owned())
        };
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::memory()),
            "folder" if !rest.is_empty() => Self::folder(rest),
            "azure" => {
                let (account, container) =
                    place.strip_prefix("//").and_then(|place| place.split_once('/')).ok_or_else(unknown)?;
                if account.is_empty() || container.is_empty() || container.contains('/') {
                    return Err(unknown());
                }
                let credential = AzureCredentialKind::ManagedIdentity { client_id: option("client_id") };
                Self::azure(AzureConfig {
                    account: account.to_owned(),
                    container: container.to_owned(),
                    endpoint: None,
                    credential,
                })
            }
            "azurite" if !place.is_empty() => {
                let connection = std::fs::read_to_string(place).map_err(|error| {
                    StoreError::invalid(format!(
                        "the emulator's connection string cannot be read from {place}: write it there ({error})"
                    ))
                })?;
                let container = option("container").unwrap_or_else(|| DEFAULT_CONTAINER.to_owned());
                Self::azure(parse_connection_string(connection.trim(), &container)?)
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_a_store_or_says_how() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        std::fs::write(folder.path().join("connection"), "UseDevelopmentStorage=true\n").unwrap();
        for good in [
            "memory:".to_owned(),
            format!("folder:{path}/data"),
            "azure://plant1/history?client_id=00000000-0000-0000-0000-000000000001".to_owned(),
            format!("azurite:{path}/connection"),
            format!("azurite:{path}/connection?container=other"),
        ] {
            assert!(Store::from_url(&good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "data",
            "folder:",
            "memory:x",
            "azure://plant1",
            "azure:///x",
            "s3://bucket",
            "azurite:/none",
        ] {
            assert!(matches!(Store::from_url(bad), Err(StoreError::Invalid { .. })), "{bad}");
        }
    }
}
