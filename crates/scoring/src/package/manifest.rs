//! What a package says of its component.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::PackageError;
use crate::loaded::Descriptor;
use crate::text::{hexadecimal, tame};

/// The world that this host speaks.
pub const WORLD: &str = "twinwright:scoring/scorer@1.0.0";
/// Version of the manifest's form.
const FORMAT: u32 = 1;
/// Entries of a list and characters of a text at the most.
const LONGEST_LIST: usize = 256;
const LONGEST_TEXT: usize = 1_000;

/// Limits that an author asks for; the installation's ceilings hold all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsAsked {
    /// Milliseconds of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// MiB of an instance's memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
}

/// `manifest.json` beside a scorer's source: what its author writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Name, equal to the descriptor's.
    pub name: String,
    /// Version, equal to the descriptor's.
    pub version: String,
    /// World of the contract it is written for.
    pub world: String,
    /// One line for people.
    pub summary: String,
    /// Who answers for it.
    pub author: String,
    /// Limits it needs.
    #[serde(default)]
    pub limits: LimitsAsked,
    /// Equipment models it is for, by name or DTMI; none: any.
    #[serde(default)]
    pub equipment: Vec<String>,
    /// Signals it needs in the baseline; none: any.
    #[serde(default)]
    pub signals: Vec<String>,
    /// SHA-256 of the model it carries, hexadecimal, if it carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_sha256: Option<String>,
}

/// The statement that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form.
    pub format: u32,
    /// What the author wrote.
    #[serde(flatten)]
    pub draft: Draft,
    /// SHA-256 of the component, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Version of its state blobs, from its descriptor.
    pub state_format: u32,
    /// When it was signed first, RFC 3339, by the signer's clock; for people.
    pub created: String,
}

impl Draft {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// [`PackageError::Document`], [`PackageError::Manifest`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, PackageError> {
        let draft: Self = serde_json::from_slice(bytes)
            .map_err(|error| PackageError::Document { what: "manifest.json", cause: error.to_string() })?;
        draft.check()?;
        Ok(draft)
    }

    /// Makes the statement about a component that was loaded and described.
    ///
    /// # Errors
    /// [`PackageError::Manifest`] where name or version differ from the descriptor's.
    pub fn complete(
        mut self,
        component: &[u8],
        descriptor: &Descriptor,
        created: &str,
    ) -> Result<Manifest, PackageError> {
        self.check()?;
        self.fits(descriptor)?;
        if let Ok(Some(carried)) = twinwright_model::split(component) {
            let found = hexadecimal(&Sha256::digest(carried.model));
            if self.model_sha256.as_ref().is_some_and(|said| *said != found) {
                let rule =
                    format!("the component carries the model {found}; leave the field out, it is filled in");
                return Err(PackageError::Manifest { field: "model_sha256", rule });
            }
            self.model_sha256 = Some(found);
        }
        Ok(Manifest {
            format: FORMAT,
            sha256: hexadecimal(&Sha256::digest(component)),
            bytes: component.len() as u64,
            state_format: descriptor.state_format,
            created: created.to_owned(),
            draft: self,
        })
    }

    /// Name and version, e.g. `ewma-chart@1.0.0`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Whether the component says the same of itself.
    ///
    /// # Errors
    /// [`PackageError::Manifest`].
    pub fn fits(&self, descriptor: &Descriptor) -> Result<(), PackageError> {
        let differs = |field, own: &str, other: &str| {
            let rule = format!("{own:?} here, but the component's describe says {other:?}; make them equal");
            Err(PackageError::Manifest { field, rule })
        };
        if self.name != descriptor.name {
            return differs("name", &self.name, &descriptor.name);
        }
        if self.version != descriptor.version {
            return differs("version", &self.version, &descriptor.version);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), PackageError> {
        let wrong = |field, rule: String| Err(PackageError::Manifest { field, rule });
        if !is_name(&self.name) {
            return wrong(
                "name",
                format!("{:?}: 1 to 64 lower case letters, digits and hyphens", tame(&self.name)),
            );
        }
        if semver::Version::parse(&self.version).is_err() || self.version.len() > 64 {
            return wrong("version", format!("{:?}: a semantic version like 1.2.0", tame(&self.version)));
        }
        if !self.world.starts_with("twinwright:scoring/scorer@1.") {
            return wrong("world", format!("{:?}: this host speaks {WORLD}", tame(&self.world)));
        }
        if self.summary.len() > LONGEST_TEXT || self.author.len() > LONGEST_TEXT {
            return wrong("summary", format!("summary and author have at most {LONGEST_TEXT} characters"));
        }
        for (field, list) in [("equipment", &self.equipment), ("signals", &self.signals)] {
            if list.len() > LONGEST_LIST || list.iter().any(|entry| entry.is_empty() || entry.len() > 256) {
                return wrong(field, format!("at most {LONGEST_LIST} entries of 1 to 256 characters"));
            }
        }
        match &self.model_sha256 {
            Some(hash) if !is_hash(hash) => {
                wrong("model_sha256", "64 hexadecimal digits in lower case".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Manifest {
    /// Reads the signed statement.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, PackageError> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| PackageError::Document { what: "the manifest", cause: error.to_string() })?;
        manifest.draft.check()?;
        if manifest.format != FORMAT {
            let rule = format!("{}: this host reads format {FORMAT}; update it", manifest.format);
            return Err(PackageError::Manifest { field: "format", rule });
        }
        if !is_hash(&manifest.sha256) {
            let rule = "64 hexadecimal digits in lower case".to_owned();
            return Err(PackageError::Manifest { field: "sha256", rule });
        }
        Ok(manifest)
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // A struct of texts and numbers always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Name and version.
    pub fn id(&self) -> String {
        self.draft.id()
    }
}

/// Whether a text may name a scorer (and a folder of the registry).
pub(crate) fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(word)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
