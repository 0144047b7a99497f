//! Ed25519 keys as files that other tools read: PKCS #8 and SubjectPublicKeyInfo (RFC 8410) in PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

use super::PackageError;
use crate::text::hexadecimal;

/// What stands before the 32 bytes of the seed: `PrivateKeyInfo` of version 1 with the algorithm 1.3.101.112.
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before the 32 bytes of the public key.
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";
/// Longer files are no keys.
const LONGEST_PEM: usize = 4_096;

/// The half that signs. Its file is for its owner alone.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

/// The half that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey([u8; 32]);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SigningKey").field("id", &self.verifying().id()).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`PackageError::Key`], if the seed cannot be used.
    pub fn generate() -> Result<Self, PackageError> {
        Self::from_seed(rand::random())
    }

    fn from_seed(seed: [u8; 32]) -> Result<Self, PackageError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|error| PackageError::Key { what: "the private key", cause: error.to_string() })?;
        Ok(Self { pair, seed })
    }

    /// Reads `-----BEGIN PRIVATE KEY-----`, as `openssl genpkey -algorithm ed25519` writes it too.
    ///
    /// # Errors
    /// [`PackageError::Key`].
    pub fn from_pem(text: &str) -> Result<Self, PackageError> {
        let wrong = |cause: &str| PackageError::Key { what: "the private key", cause: cause.to_owned() };
        let der = unwrap_pem(text, PRIVATE_LABEL).map_err(|cause| wrong(&cause))?;
        let seed = der.strip_prefix(&PRIVATE_PREFIX[..]).and_then(|seed| seed.try_into().ok());
        Self::from_seed(seed.ok_or_else(|| wrong("it is not a PKCS #8 key of ed25519"))?)
    }

    /// The file's text.
    pub fn to_pem(&self) -> String {
        wrap_pem(&[&PRIVATE_PREFIX[..], &self.seed].concat(), PRIVATE_LABEL)
    }

    /// The other half.
    pub fn verifying(&self) -> VerifyingKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        VerifyingKey(bytes)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl VerifyingKey {
    /// Short name of the key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.
    pub fn id(&self) -> String {
        hexadecimal(&Sha256::digest(self.0))[..16].to_owned()
    }

    /// Reads `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// [`PackageError::Key`].
    pub fn from_pem(text: &str) -> Result<Self, PackageError> {
        let wrong = |cause: &str| PackageError::Key { what: "the public key", cause: cause.to_owned() };
        let der = unwrap_pem(text, PUBLIC_LABEL).map_err(|cause| wrong(&cause))?;
        let bytes = der.strip_prefix(&PUBLIC_PREFIX[..]).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| wrong("it is not a SubjectPublicKeyInfo of ed25519"))
    }

    /// The file's text.
    pub fn to_pem(&self) -> String {
        wrap_pem(&[&PUBLIC_PREFIX[..], &self.0].concat(), PUBLIC_LABEL)
    }

    pub(super) fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The 32 bytes in base64, as the trust document has them.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

fn wrap_pem(der: &[u8], label: &str) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn unwrap_pem(text: &str, label: &str) -> Result<Vec<u8>, String> {
    if text.len() > LONGEST_PEM {
        return Err("the file is too long".to_owned());
    }
    let body = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")))
        .ok_or_else(|| format!("it does not begin with -----BEGIN {label}-----"))?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_survive_their_files() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(again.verifying(), key.verifying());
        assert_eq!(VerifyingKey::from_pem(&key.verifying().to_pem()).unwrap(), key.verifying());
        assert_eq!(VerifyingKey::from_base64(&key.verifying().to_base64()), Some(key.verifying()));
        assert_eq!(key.verifying().id().len(), 16);
        assert!(!format!("{key:?}").contains(&STANDARD.encode(key.seed)));
    }

    /// The first test vector of RFC 8032, section 7.1.
    #[test]
    fn the_published_vector_is_met() {
        let bytes = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        let key = SigningKey::from_seed(seed.try_into().unwrap()).unwrap();
        assert_eq!(key.verifying().0.to_vec(), public);
        assert_eq!(key.sign(b""), bytes(signature));
        assert!(key.verifying().verifies(b"", &bytes(signature)));
    }

    #[test]
    fn what_is_no_key_is_said_so() {
        for text in
            ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", &"x".repeat(9_000)]
        {
            let said = SigningKey::from_pem(text).unwrap_err().to_string();
            assert!(said.contains("plugin keygen"), "{said}");
            assert!(VerifyingKey::from_pem(text).is_err());
        }
    }
}
