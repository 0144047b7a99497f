//! Which crates there are to build.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{BuildError, Which};

/// What a scorer says of itself to people, `manifest.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name, equal to the crate's and the descriptor's.
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
    pub limits: serde_json::Value,
    /// Equipment models it is for.
    #[serde(default)]
    pub equipment: Vec<String>,
    /// Signals it needs.
    #[serde(default)]
    pub signals: Vec<String>,
    /// SHA-256 of the model it carries.
    #[serde(default)]
    pub model_sha256: Option<String>,
}

/// A crate of the guests' workspace.
#[derive(Clone, Debug)]
pub struct Module {
    /// The crate's name, which is its folder's.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Present where it is published.
    pub manifest: Option<Manifest>,
}

/// All crates in name order; a crate is a folder with a `Cargo.toml` that is no workspace's (scorers in
/// other languages have none).
pub(crate) fn find(wasm_modules_dir: &Path, which: Which) -> Result<Vec<Module>, BuildError> {
    let entries = std::fs::read_dir(wasm_modules_dir)
        .map_err(|cause| BuildError::File { path: wasm_modules_dir.to_owned(), cause })?;
    let mut modules = Vec::new();
    for entry in entries.flatten() {
        let folder = entry.path();
        let is_crate = |text: String| !text.lines().any(|line| line.trim() == "[workspace]");
        if !std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(is_crate) {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let manifest = read_manifest(&folder.join("manifest.json"), &name)?;
        if which == Which::All || manifest.is_some() {
            modules.push(Module { name, folder, manifest });
        }
    }
    modules.sort_by(|left, right| left.name.cmp(&right.name));
    if modules.is_empty() {
        return Err(BuildError::NoModules { folder: wasm_modules_dir.to_owned() });
    }
    Ok(modules)
}

pub(crate) fn read_manifest(path: &Path, name: &str) -> Result<Option<Manifest>, BuildError> {
    let wrong = |cause: String| BuildError::Manifest { path: path.to_owned(), cause };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(BuildError::File { path: path.to_owned(), cause }),
    };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if manifest.name != name {
        return Err(wrong(format!("its name {} must be the folder's, {name}", manifest.name)));
    }
    Ok(Some(manifest))
}
