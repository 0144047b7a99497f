//! Published packages: `scorers/v=1/packages/<name>/<version>.json` (the signed manifest) and
//! `scorers/v=1/<sha256>.wasm` (the component). Both are only ever created; the manifest comes last, so a package is
//! there whole or not at all.

use bytes::Bytes;
use twinwright_core::time::Micros;
use twinwright_history::StoreError;
use twinwright_history::store::{Created, Store};
use twinwright_scoring::package::{Envelope, PackageError, Trust, Verified};

const PACKAGES: &str = "scorers/v=1/packages";
/// Packages that are listed at the most.
const MOST: usize = 10_000;

/// Why a package cannot be stored or taken.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The package itself.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Storage.
    #[error("the registry cannot be reached: {0}")]
    Store(#[from] StoreError),
    /// It is not there.
    #[error("{id} was never published; see: twinwright plugin list")]
    Missing {
        /// Name and version.
        id: String,
    },
    /// A manifest of this name and version is there already.
    #[error("{id} is published already and never changes; give your change a new version")]
    Taken {
        /// Name and version.
        id: String,
    },
    /// The manifest stored under a name says another one.
    #[error("the package stored as {id} says that it is {found}; it is refused")]
    Misplaced {
        /// Where it is.
        id: String,
        /// What it says.
        found: String,
    },
}

/// The packages of a store.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
}

/// Path of a component.
pub fn component_path(sha256: &str) -> String {
    format!("scorers/v=1/{sha256}.wasm")
}

fn package_path(name: &str, version: &str) -> String {
    format!("{PACKAGES}/{name}/{version}.json")
}

impl Registry {
    /// Packages of a store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Publishes a package that verifies. The same package again is no error.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn publish(
        &self,
        envelope: &Envelope,
        component: &[u8],
        trust: &Trust,
        now: Micros,
    ) -> Result<Verified, RegistryError> {
        let verified = envelope.verify(trust, now)?;
        let component = verified.component(component)?;
        let draft = &verified.manifest().draft;
        let path = component_path(&verified.manifest().sha256);
        if self.store.create(&path, Bytes::copy_from_slice(component)).await? == Created::AlreadyThere {
            // Somebody may have put other bytes under this name: then nothing could ever be loaded from it.
            let there = self.store.read(&path).await?.unwrap_or_default();
            verified.component(&there)?;
        }
        let text = Bytes::from(envelope.to_json());
        let path = package_path(&draft.name, &draft.version);
        if self.store.create(&path, text.clone()).await? == Created::AlreadyThere
            && self.store.read(&path).await? != Some(text)
        {
            return Err(RegistryError::Taken { id: draft.id() });
        }
        Ok(verified)
    }

    /// The signed manifest of a package, not yet verified.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn envelope(&self, name: &str, version: &str) -> Result<Envelope, RegistryError> {
        let stored = self.store.read(&package_path(name, version)).await?;
        let stored = stored.ok_or_else(|| RegistryError::Missing { id: format!("{name}@{version}") })?;
        Ok(Envelope::from_json(&stored)?)
    }

    /// A package whose signature counts now.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn package(
        &self,
        name: &str,
        version: &str,
        trust: &Trust,
        now: Micros,
    ) -> Result<Verified, RegistryError> {
        let verified = self.envelope(name, version).await?.verify(trust, now)?;
        let (id, found) = (format!("{name}@{version}"), verified.manifest().id());
        if id == found { Ok(verified) } else { Err(RegistryError::Misplaced { id, found }) }
    }

    /// The component of a verified package: the bytes that were signed, or an error.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn component(&self, verified: &Verified) -> Result<Bytes, RegistryError> {
        let stored = self.store.read(&component_path(&verified.manifest().sha256)).await?;
        let stored = stored.ok_or_else(|| RegistryError::Missing { id: verified.manifest().id() })?;
        verified.component(&stored)?;
        Ok(stored)
    }

    /// Names and versions, in the order of their paths.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self) -> Result<Vec<(String, String)>, StoreError> {
        let entries = self.store.list(PACKAGES, None, MOST).await?;
        let parse = |path: &str| {
            let (name, file) = path.strip_prefix(PACKAGES)?.strip_prefix('/')?.split_once('/')?;
            Some((name.to_owned(), file.strip_suffix(".json")?.to_owned()))
        };
        Ok(entries.iter().filter_map(|entry| parse(&entry.path)).collect())
    }
}
