//! Why a package is not accepted.

/// What is wrong with a package, a key or a trust document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// A document cannot be read.
    #[error("{what} cannot be read: {cause}")]
    Document {
        /// Which document.
        what: &'static str,
        /// Where and why.
        cause: String,
    },
    /// A key cannot be used.
    #[error("{what} is no ed25519 key: {cause}; make one with: twinwright plugin keygen")]
    Key {
        /// Which half.
        what: &'static str,
        /// Why.
        cause: String,
    },
    /// Nobody signed.
    #[error("the package carries no signature; sign it with: twinwright plugin sign")]
    Unsigned,
    /// No signature is by a key that counts.
    #[error("no signature counts: {reasons}")]
    Untrusted {
        /// One sentence part a signature.
        reasons: String,
    },
    /// The component is not the one that was signed.
    #[error(
        "the component is not the one that was signed ({field}: {found}, signed is {signed}); publish it anew"
    )]
    Mismatch {
        /// What differs.
        field: &'static str,
        /// What is there.
        found: String,
        /// What the manifest says.
        signed: String,
    },
    /// The component was revoked.
    #[error("{scorer} was revoked: its hash is in the trust document's list")]
    Revoked {
        /// Name and version.
        scorer: String,
    },
    /// It is older than what is still accepted.
    #[error("{scorer} is below {minimum}, the lowest version that the trust document accepts")]
    BelowMinimum {
        /// Name and version.
        scorer: String,
        /// The lowest.
        minimum: String,
    },
    /// The manifest breaks a rule.
    #[error("the manifest's {field} is wrong: {rule}")]
    Manifest {
        /// Which field.
        field: &'static str,
        /// What is allowed.
        rule: String,
    },
}
