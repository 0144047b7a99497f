//! What is published: a component, a manifest that says what it is, and signatures over the manifest.
//!
//! [`Manifest`] is the statement, [`Envelope`] the signed form of it (DSSE, so that other tools can verify it too),
//! [`SigningKey`] and [`VerifyingKey`] the two halves of an ed25519 key, [`Trust`] what an installation accepts: keys
//! with their validity, what is revoked, and the lowest version of each scorer. [`Envelope::verify`] is the only way
//! to a [`Verified`] manifest, and [`Verified::component`] the only way from there to bytes that may be parsed.
//!
//! Nothing here does IO or asks a clock.

mod envelope;
mod error;
mod keys;
mod manifest;
mod trust;

pub use envelope::{Envelope, PAYLOAD_TYPE, Signature, Verified};
pub use error::PackageError;
pub use keys::{SigningKey, VerifyingKey};
pub use manifest::{Draft, LimitsAsked, Manifest, WORLD};
pub use trust::{Trust, TrustedKey};
