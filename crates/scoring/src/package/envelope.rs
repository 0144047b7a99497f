//! The signed form of a manifest: DSSE (Dead Simple Signing Envelope, version 1 of its protocol), because it signs bytes
//! and their type and needs no canonical JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use twinwright_core::time::Micros;

use super::{Manifest, PackageError, SigningKey, Trust};
use crate::text::{hexadecimal, tame};

/// Type of the payload, which is signed with it.
pub const PAYLOAD_TYPE: &str = "application/vnd.twinwright.scorer+json";
/// Larger envelopes are not read.
const LARGEST: usize = 256 << 10;
/// More signatures are not looked at.
const MOST_SIGNATURES: usize = 16;

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Id of the key.
    pub keyid: String,
    /// The 64 bytes in base64.
    pub sig: String,
}

/// A manifest's bytes with signatures over them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

/// A manifest that somebody trusted has signed, and that nothing forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    manifest: Manifest,
    key: String,
}

impl Envelope {
    /// Signs a manifest.
    pub fn sign(manifest: &Manifest, key: &SigningKey) -> Self {
        let mut envelope = Self {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(manifest.to_json()),
            signatures: Vec::new(),
        };
        envelope.add(&manifest.to_json(), key);
        envelope
    }

    /// Adds a signature by another key, for the days when keys change.
    ///
    /// # Errors
    /// [`PackageError::Document`] for a payload that is no base64.
    pub fn sign_too(&mut self, key: &SigningKey) -> Result<(), PackageError> {
        let payload = self.payload()?;
        self.add(&payload, key);
        Ok(())
    }

    fn add(&mut self, payload: &[u8], key: &SigningKey) {
        let keyid = key.verifying().id();
        let sig = STANDARD.encode(key.sign(&authenticated(&self.payload_type, payload)));
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.signatures.push(Signature { keyid, sig });
    }

    /// Reads an envelope; of the manifest in it nothing is read yet.
    ///
    /// # Errors
    /// [`PackageError::Document`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, PackageError> {
        let wrong = |cause: String| PackageError::Document { what: "the signed manifest", cause };
        if bytes.len() > LARGEST {
            return Err(wrong(format!("{} bytes, at most {LARGEST} are read", bytes.len())));
        }
        serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))
    }

    /// The envelope's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    fn payload(&self) -> Result<Vec<u8>, PackageError> {
        STANDARD
            .decode(&self.payload)
            .map_err(|error| PackageError::Document { what: "the signed manifest", cause: error.to_string() })
    }

    /// What the payload says, whoever signed it: to be shown to people, and for nothing else.
    pub fn unverified(&self) -> Option<Manifest> {
        Manifest::from_json(&self.payload().ok()?).ok()
    }

    /// Checks the signatures, and only then reads the manifest. One signature that counts is enough.
    ///
    /// # Errors
    /// [`PackageError`] says of each signature why it does not count.
    pub fn verify(&self, trust: &Trust, now: Micros) -> Result<Verified, PackageError> {
        if self.payload_type != PAYLOAD_TYPE {
            let cause = format!("its type is {:?}, not {PAYLOAD_TYPE}", tame(&self.payload_type));
            return Err(PackageError::Document { what: "the signed manifest", cause });
        }
        if self.signatures.is_empty() {
            return Err(PackageError::Unsigned);
        }
        let payload = self.payload()?;
        let message = authenticated(&self.payload_type, &payload);
        let mut reasons = Vec::new();
        for signature in self.signatures.iter().take(MOST_SIGNATURES) {
            match trust.key(&tame(&signature.keyid), now) {
                Ok(key) if STANDARD.decode(&signature.sig).is_ok_and(|sig| key.verifies(&message, &sig)) => {
                    let manifest = Manifest::from_json(&payload)?;
                    trust.accepts(&manifest)?;
                    return Ok(Verified { manifest, key: key.id() });
                }
                Ok(key) => {
                    reasons.push(format!("the signature of key {} does not fit the manifest", key.id()))
                }
                Err(reason) => reasons.push(reason),
            }
        }
        Err(PackageError::Untrusted { reasons: reasons.join("; ") })
    }
}

impl Verified {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Id of the key that signed.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Hands the component's bytes on if they are the ones that were signed. The same bytes in memory are then
    /// compiled, so nothing can change in between.
    ///
    /// # Errors
    /// [`PackageError::Mismatch`].
    pub fn component<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], PackageError> {
        let differs =
            |field, found: String, signed: String| Err(PackageError::Mismatch { field, found, signed });
        if bytes.len() as u64 != self.manifest.bytes {
            return differs("bytes", bytes.len().to_string(), self.manifest.bytes.to_string());
        }
        let sha256 = hexadecimal(&Sha256::digest(bytes));
        if sha256 != self.manifest.sha256 {
            return differs("sha256", sha256, self.manifest.sha256.clone());
        }
        Ok(bytes)
    }
}

/// What is signed: DSSE's pre-authentication encoding of type and payload.
fn authenticated(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}
