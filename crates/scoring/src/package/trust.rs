//! What an installation accepts. The document belongs to the operator, not to the registry: who can write packages
//! must not be able to say who may sign them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use twinwright_core::time::{Micros, parse_iso};

use super::{Manifest, PackageError, VerifyingKey};

/// A key whose signature counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// The 32 bytes in base64.
    pub public: String,
    /// Whose it is, for people.
    #[serde(default)]
    pub owner: String,
    /// Counts from then on, RFC 3339; empty: always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub not_before: String,
    /// Counts until then; empty: for ever. What only this key signed is refused afterwards: sign it with the next key
    /// in time, an envelope holds several signatures.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub not_after: String,
}

/// Keys, revocations and lowest versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Keys whose signatures count.
    pub keys: Vec<TrustedKey>,
    /// Key ids that no longer count, at any time.
    pub revoked_keys: BTreeSet<String>,
    /// SHA-256 of components that are refused whoever signed them.
    pub revoked_components: BTreeSet<String>,
    /// Lowest accepted version by scorer name: an older one with known faults cannot be brought back.
    pub minimum: BTreeMap<String, String>,
}

impl Trust {
    /// Reads the document, and checks every key and time in it.
    ///
    /// # Errors
    /// [`PackageError::Document`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, PackageError> {
        let wrong = |cause: String| PackageError::Document { what: "the trust document", cause };
        let trust: Self = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        for key in &trust.keys {
            if VerifyingKey::from_base64(&key.public).is_none() {
                return Err(wrong(format!("{:?} is not the base64 of 32 bytes", key.public)));
            }
            for time in [&key.not_before, &key.not_after] {
                if !time.is_empty() && parse_iso(time).is_none() {
                    return Err(wrong(format!("{time:?} is no time like 2027-01-01T00:00:00Z")));
                }
            }
        }
        for (name, version) in &trust.minimum {
            if semver::Version::parse(version).is_err() {
                return Err(wrong(format!("minimum of {name}: {version:?} is no semantic version")));
            }
        }
        Ok(trust)
    }

    /// The document's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Adds a key; one that is there stays as it is.
    pub fn add(&mut self, key: &VerifyingKey, owner: &str) {
        let public = key.to_base64();
        if !self.keys.iter().any(|known| known.public == public) {
            let owner = owner.to_owned();
            self.keys.push(TrustedKey { public, owner, not_before: String::new(), not_after: String::new() });
        }
    }

    /// The key of an id, if it counts at this time; else why not.
    pub(super) fn key(&self, id: &str, now: Micros) -> Result<VerifyingKey, String> {
        let known = self.keys.iter().filter_map(|key| Some((key, VerifyingKey::from_base64(&key.public)?)));
        let Some((entry, key)) = known.into_iter().find(|(_, key)| key.id() == id) else {
            return Err(format!("key {id} is not in the trust document"));
        };
        if self.revoked_keys.contains(id) {
            return Err(format!("key {id} was revoked"));
        }
        if parse_iso(&entry.not_before).is_some_and(|from| now < from) {
            return Err(format!("key {id} counts from {} on", entry.not_before));
        }
        if parse_iso(&entry.not_after).is_some_and(|until| now >= until) {
            return Err(format!("key {id} counted until {}", entry.not_after));
        }
        Ok(key)
    }

    /// Whether a manifest with a good signature is still wanted.
    pub(super) fn accepts(&self, manifest: &Manifest) -> Result<(), PackageError> {
        if self.revoked_components.contains(&manifest.sha256) {
            return Err(PackageError::Revoked { scorer: manifest.id() });
        }
        if let Some(minimum) = self.minimum.get(&manifest.draft.name) {
            let version = |text: &str| semver::Version::parse(text).ok();
            if version(&manifest.draft.version) < version(minimum) {
                return Err(PackageError::BelowMinimum { scorer: manifest.id(), minimum: minimum.clone() });
            }
        }
        Ok(())
    }
}
