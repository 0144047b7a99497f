//! `plugin sign` and `plugin verify`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_app::clock::now;
use twinwright_core::time::iso;
use twinwright_scoring::package::{Draft, Envelope, Verified};
use twinwright_scoring::{EngineConfig, LoadedScorer, ScoringEngine};

use super::keys::{key_path, read_key, read_trust, trust_path};
use crate::args::{SignOptions, VerifyOptions};
use crate::output::Output;

/// Where the signed manifest of a component is.
pub(super) fn signed_path(component: &Path) -> PathBuf {
    component.with_extension("signed.json")
}

/// Reads a component.
pub(super) fn read_component(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path)
        .with_context(|| format!("cannot read {}; build it with: twinwright plugin build", path.display()))
}

/// An engine with the limits of the defaults, and machine code kept for the next command.
pub(super) fn engine() -> anyhow::Result<ScoringEngine> {
    Ok(ScoringEngine::new(config())?)
}

/// One that counts the fuel of calls.
pub(super) fn metered() -> anyhow::Result<ScoringEngine> {
    Ok(ScoringEngine::new(EngineConfig { metered: true, ..config() })?)
}

/// The limits of the defaults, and machine code kept for the next command.
pub(super) fn config() -> EngineConfig {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cache_dir = home.map(|home| home.join(".cache/twinwright/scorers"));
    EngineConfig { cache_dir, instances: 16, ..EngineConfig::default() }
}

/// Loads a component.
pub(super) fn load(path: &Path) -> anyhow::Result<(Vec<u8>, LoadedScorer)> {
    let bytes = read_component(path)?;
    let loaded = engine()?.load(&bytes).with_context(|| format!("{}", path.display()))?;
    Ok((bytes, loaded))
}

/// The author's manifest of a component.
pub(super) fn draft(component: &Path) -> anyhow::Result<Draft> {
    let own = component.with_extension("manifest.json");
    let beside = component.with_file_name("manifest.json");
    let above = component.parent().and_then(Path::parent).map(|folder| folder.join("manifest.json"));
    let path = [Some(own), Some(beside.clone()), above].into_iter().flatten().find(|path| path.is_file());
    let path = path.with_context(|| format!("no manifest; write {}", beside.display()))?;
    Draft::from_json(&fs::read(&path)?).with_context(|| format!("{}", path.display()))
}

/// Runs `plugin sign`. A package that is signed already gets one more signature.
pub(super) fn sign(options: &SignOptions, output: Output) -> anyhow::Result<()> {
    let key = read_key(&options.key.clone().unwrap_or_else(|| key_path(&options.data.data)))?;
    let (bytes, loaded) = load(&options.component)?;
    let path = signed_path(&options.component);
    let fresh = draft(&options.component)?.complete(&bytes, loaded.descriptor(), &iso(now()))?;
    let mut envelope = Envelope::sign(&fresh, &key);
    if let Ok(text) = fs::read(&path)
        && let Ok(mut known) = Envelope::from_json(&text)
        && let Some(signed) = known.unverified()
        && signed.sha256 == fresh.sha256
        && signed.draft == fresh.draft
    {
        known.sign_too(&key)?;
        envelope = known;
    }
    fs::write(&path, envelope.to_json()).with_context(|| format!("cannot write {}", path.display()))?;
    let shown =
        json!({ "signed": path, "release": fresh.id(), "sha256": fresh.sha256, "key": key.verifying().id() });
    output.result(&shown, || {
        format!("{} signed by key {}: {}", fresh.id(), key.verifying().id(), path.display())
    });
    Ok(())
}

/// The signed manifest beside a component, verified with it.
pub(super) fn verified(component: &Path, trust: &Path) -> anyhow::Result<(Envelope, Verified, Vec<u8>)> {
    let path = signed_path(component);
    if !path.is_file() {
        bail!("{} is not signed; sign it with: twinwright plugin sign {0}", component.display());
    }
    let envelope = Envelope::from_json(&fs::read(&path)?)?;
    let verified =
        envelope.verify(&read_trust(trust)?, now()).with_context(|| format!("{}", path.display()))?;
    let bytes = read_component(component)?;
    verified.component(&bytes)?;
    Ok((envelope, verified, bytes))
}

/// Runs `plugin verify`.
pub(super) fn verify(options: &VerifyOptions, output: Output) -> anyhow::Result<()> {
    let trust = options.trust.clone().unwrap_or_else(|| trust_path(&options.data.data));
    let (_, verified, _) = verified(&options.component, &trust)?;
    let shown = json!({ "release": verified.manifest().id(), "key": verified.key(), "manifest": verified.manifest() });
    output.result(&shown, || {
        format!("{} is signed by key {}, which counts", verified.manifest().id(), verified.key())
    });
    Ok(())
}
