//! The platform's signing key and trust document: `keys/scorer.pem` and `keys/trust.json` in its data folder.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_scoring::package::{SigningKey, Trust};

use crate::connection::private_file;
use crate::output::Output;

/// Where the private key is.
pub(super) fn key_path(data: &Path) -> PathBuf {
    data.join("keys").join("scorer.pem")
}

/// Where the trust document is.
pub fn trust_path(data: &Path) -> PathBuf {
    data.join("keys").join("trust.json")
}

/// Makes a key and a trust document that names it, where there is none; answers the document's path.
///
/// # Errors
/// The folder cannot be written, or what is in it cannot be read.
pub fn ensure(data: &Path) -> anyhow::Result<PathBuf> {
    if !key_path(data).exists() {
        make(data, "this platform")?;
    }
    Ok(fs::canonicalize(trust_path(data))?)
}

fn make(data: &Path, owner: &str) -> anyhow::Result<SigningKey> {
    let folder = data.join("keys");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let key = SigningKey::generate()?;
    let mut trust = if trust_path(data).exists() { read_trust(&trust_path(data))? } else { Trust::default() };
    trust.add(&key.verifying(), owner);
    // The document first: a key that nobody trusts signs nothing, but one without a document would be kept for good.
    private_file(&trust_path(data), trust.to_json().as_bytes())?;
    private_file(&key_path(data), key.to_pem().as_bytes())?;
    Ok(key)
}

/// Reads a trust document.
pub(super) fn read_trust(path: &Path) -> anyhow::Result<Trust> {
    let text = fs::read(path).with_context(|| {
        format!("cannot read {}; make a key with: twinwright plugin keygen", path.display())
    })?;
    Trust::from_json(&text).with_context(|| format!("{}", path.display()))
}

/// Reads a private key that only its user can read.
pub(super) fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let say = || format!("cannot read {}; make a key with: twinwright plugin keygen", path.display());
    if fs::metadata(path).with_context(say)?.mode() & 0o077 != 0 {
        bail!("{} is open to other users; close it with: chmod 600 {0}", path.display());
    }
    Ok(SigningKey::from_pem(&fs::read_to_string(path).with_context(say)?)?)
}

/// Runs `plugin keygen`.
pub(super) fn keygen(data: &Path, owner: &str, output: Output) -> anyhow::Result<()> {
    let path = key_path(data);
    if path.exists() {
        let id = read_key(&path)?.verifying().id();
        bail!(
            "{} holds key {id} already; move it away to make a new one (the old one stays trusted)",
            path.display()
        );
    }
    let key = make(data, owner)?;
    let id = key.verifying().id();
    let shown =
        json!({ "key": id, "private": path, "trust": trust_path(data), "public": key.verifying().to_pem() });
    output.result(&shown, || {
        format!(
            "key {id} of {owner}\n  private  {}\n  trusted  {}\n{}",
            path.display(),
            trust_path(data).display(),
            key.verifying().to_pem().trim()
        )
    });
    Ok(())
}
