//! Where imports may read and write: decided before anything is opened.
//!
//! A request names two addresses, and the service would open whatever it is told. So only two kinds are taken: files
//! below one configured folder, and blobs whose address begins with a configured account. Symbolic links and `..`
//! cannot lead out of the folder; redirects are not followed; what a blob service answers is never passed on.

use std::path::{Path, PathBuf};

use url::Url;

/// The account that Azurite has when nothing else is configured, with its published key.
const AZURITE: (&str, &str) = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
);

/// Where import jobs may read and write.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// `file:` addresses must be below this folder. Without it they are refused.
    pub folder: Option<PathBuf>,
    /// Blob addresses must begin with one of these.
    pub accounts: Vec<BlobAccount>,
}

impl Default for JobSettings {
    /// No folder; Azurite on this machine at its usual port.
    fn default() -> Self {
        let account = |host: &str| BlobAccount {
            address: format!("http://{host}:10000/{}", AZURITE.0),
            name: AZURITE.0.to_owned(),
            key: Some(AZURITE.1.to_owned()),
        };
        Self { folder: None, accounts: vec![account("127.0.0.1"), account("localhost")] }
    }
}

/// An account of Azure Storage or Azurite that jobs may use.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobAccount {
    /// What addresses begin with, as in `http://127.0.0.1:10000/devstoreaccount1`.
    pub address: String,
    /// Name of the account.
    pub name: String,
    /// Its key in base64, for addresses without a shared access signature. On Azure the instance's identity does this.
    pub key: Option<String>,
}

impl std::fmt::Debug for BlobAccount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BlobAccount").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A place that may be used.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Blob { url: Url, account: BlobAccount },
}

/// Decides about addresses.
#[derive(Debug)]
pub(crate) struct Places {
    settings: JobSettings,
}

impl Places {
    pub(crate) fn new(settings: JobSettings) -> Self {
        Self { settings }
    }

    /// The place that an input address means.
    pub(crate) fn input(&self, address: &str) -> Result<Place, String> {
        let place = self.place(address)?;
        if let Place::File(path) = &place {
            let whole =
                path.canonicalize().map_err(|error| format!("'{address}' cannot be read: {error}"))?;
            self.inside(&whole, address)?;
            if !whole.is_file() {
                return Err(format!("'{address}' is no file"));
            }
            return Ok(Place::File(whole));
        }
        Ok(place)
    }

    /// The place that an output address means.
    pub(crate) fn output(&self, address: &str) -> Result<Place, String> {
        let place = self.place(address)?;
        if let Place::File(path) = &place {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(format!("'{address}' names no file"));
            };
            let parent = parent
                .canonicalize()
                .map_err(|error| format!("the folder of '{address}' cannot be used: {error}"))?;
            self.inside(&parent, address)?;
            let whole = parent.join(name);
            // A link could lead anywhere, and something that is no file could block the job for ever.
            match whole.symlink_metadata() {
                Ok(found) if !found.is_file() => {
                    return Err(format!("'{address}' exists and is no plain file"));
                }
                _ => return Ok(Place::File(whole)),
            }
        }
        Ok(place)
    }

    fn inside(&self, path: &Path, address: &str) -> Result<(), String> {
        let folder = self.settings.folder.as_ref().and_then(|folder| folder.canonicalize().ok());
        match folder {
            Some(folder) if path.starts_with(&folder) => Ok(()),
            _ => Err(format!(
                "'{address}' is outside of the folder for import jobs: put the file below that folder"
            )),
        }
    }

    fn place(&self, address: &str) -> Result<Place, String> {
        let url = Url::parse(address).map_err(|error| format!("'{address}' is no address: {error}"))?;
        match url.scheme() {
            "file" => {
                if self.settings.folder.is_none() {
                    return Err(
                        "files cannot be used, since no folder for import jobs is configured".to_owned()
                    );
                }
                let path =
                    url.to_file_path().map_err(|()| format!("'{address}' is no path on this machine"))?;
                Ok(Place::File(path))
            }
            "http" | "https" => self.blob(url),
            other => Err(format!("addresses of the kind '{other}' cannot be used: give a blob or a file")),
        }
    }

    fn blob(&self, url: Url) -> Result<Place, String> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address must not carry a user: use a shared access signature".to_owned());
        }
        let below = |account: &&BlobAccount| {
            let Ok(base) = Url::parse(&account.address) else { return false };
            let path = format!("{}/", base.path().trim_end_matches('/'));
            // The parser has resolved `..` in both, so a prefix of the path is one of the tree.
            base.origin() == url.origin() && url.path().starts_with(&path) && url.path().len() > path.len()
        };
        let account = self.settings.accounts.iter().find(below).cloned();
        let known: Vec<&str> =
            self.settings.accounts.iter().map(|account| account.address.as_str()).collect();
        let account = account.ok_or_else(|| {
            format!(
                "the blob is in none of the accounts that import jobs may use ({}): copy it there or configure its account",
                known.join(", ")
            )
        })?;
        Ok(Place::Blob { url, account })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &Path) -> String {
        Url::from_file_path(path).unwrap().to_string()
    }

    #[test]
    fn files_cannot_be_reached_outside_of_the_folder() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let places =
            Places::new(JobSettings { folder: Some(folder.path().to_owned()), ..JobSettings::default() });
        let inside = folder.path().join("in.ndjson");
        std::fs::write(&inside, "x").unwrap();
        let secret = outside.path().join("secret");
        std::fs::write(&secret, "x").unwrap();
        assert!(places.input(&url(&inside)).is_ok());
        assert!(places.input(&url(&secret)).is_err());
        assert!(places.output(&url(&secret)).is_err());
        let name = secret.file_name().unwrap().to_str().unwrap();
        let folder_name = outside.path().file_name().unwrap().to_str().unwrap();
        let around = format!("file://{}/../{folder_name}/{name}", folder.path().display());
        assert!(places.input(&around).is_err(), "{around}");
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&secret, &link).unwrap();
            assert!(places.input(&url(&link)).is_err());
            assert!(places.output(&url(&link)).is_err());
            let tree = folder.path().join("tree");
            std::os::unix::fs::symlink(outside.path(), &tree).unwrap();
            assert!(places.output(&url(&tree.join("new"))).is_err());
        }
        assert!(places.output(&url(&folder.path().join("new"))).is_ok());
        assert!(places.input(&url(folder.path())).is_err());
        assert!(Places::new(JobSettings::default()).input(&url(&inside)).is_err());
    }

    #[test]
    fn only_blobs_of_configured_accounts_are_reached() {
        let places = Places::new(JobSettings::default());
        assert!(places.input("http://127.0.0.1:10000/devstoreaccount1/c/in.ndjson").is_ok());
        for address in [
            "http://127.0.0.1:10000/devstoreaccount1x/c/b",
            "http://127.0.0.1:10000/devstoreaccount1/../other/c",
            "http://127.0.0.1:10000/devstoreaccount1/",
            "http://127.0.0.1:9999/devstoreaccount1/c/b",
            "http://169.254.169.254/metadata",
            "http://user:secret@127.0.0.1:10000/devstoreaccount1/c/b",
            "http://127.0.0.1.example.com:10000/devstoreaccount1/c/b",
            "ftp://127.0.0.1/x",
            "no address",
        ] {
            assert!(places.input(address).is_err(), "{address}");
        }
    }
}
