//! The scorers as WebAssembly components, built again only when their sources changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use twinwright_scorer_builder::{BuildError, BuiltScorer, Which, build_which};

use crate::fingerprint;
use crate::process::say;
use crate::tools::apt;
use crate::workspace::Workspace;

/// What a component is made from: its crate, the shared kernels, the encoder.
const SOURCES: [&str; 3] = ["wasm-modules", "crates/kernels", "crates/scorer-builder/src"];
/// The same of an engine.
const ENGINES: [&str; 5] = [
    "wasm-modules/engines",
    "wasm-modules/wit",
    "crates/kernels/src",
    "crates/model/src",
    "crates/scorer-builder/src",
];
/// The distribution's way to compile for WebAssembly, where rustup cannot download.
const DISTRIBUTION: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const STAMP: &str = ".built-from";

/// What a folder of scorers was built from.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Stamp {
    sources: String,
    files: Vec<String>,
}

/// Those to publish, in `<target>/scorers`; answers their files.
pub(crate) fn published(workspace: &Workspace) -> anyhow::Result<Vec<PathBuf>> {
    ensure(workspace, Which::Published, &workspace.target.join("scorers"))
}

/// The engines that read models; answers their folder. The first time takes some minutes: tract is large.
pub(crate) fn engines(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = workspace.target.join("engines");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    make(workspace, &ENGINES, &folder, &|| {
        let (modules, target) =
            (workspace.root.join("wasm-modules/engines"), workspace.target.join("engines-build"));
        build_which(Which::All, &modules, &target, &folder, &mut say)
    })?;
    Ok(folder)
}

/// All of them, also those that misbehave for the tests of the host; answers their folder.
pub(crate) fn all(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = workspace.target.join("test-scorers");
    ensure(workspace, Which::All, &folder)?;
    Ok(folder)
}

fn ensure(workspace: &Workspace, which: Which, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    make(workspace, &SOURCES, folder, &|| {
        build_which(which, &workspace.root.join("wasm-modules"), &workspace.target, folder, &mut say)
    })
}

/// Builds into a folder unless it holds what the sources give.
fn make(
    workspace: &Workspace,
    sources: &[&str],
    folder: &Path,
    build: &dyn Fn() -> Result<Vec<BuiltScorer>, BuildError>,
) -> anyhow::Result<Vec<PathBuf>> {
    let sources =
        fingerprint::of_folders(&workspace.root, sources).context("cannot read the scorers' sources")?;
    if let Some(files) = unchanged(folder, &sources) {
        say(&format!("the scorers in {} are as their sources are", folder.display()));
        return Ok(files);
    }
    let _ = fs::remove_file(folder.join(STAMP));
    let built = match build() {
        Err(BuildError::NoToolchain { tried }) => {
            say(&format!("no Rust toolchain for WebAssembly yet ({tried})"));
            apt::install(
                &DISTRIBUTION,
                "they compile the scorers to WebAssembly where rustup has no wasm target",
            )
            .map_err(anyhow::Error::msg)
            .context("the scorers cannot be built; run `rustup target add wasm32-unknown-unknown`")?;
            build()?
        }
        built => built?,
    };
    if let Some(scorer) = built.first() {
        say(&format!("{} scorers were built with {}", built.len(), scorer.how));
    }
    finish(folder, sources, &built).with_context(|| format!("cannot tidy {}", folder.display()))
}

/// The files, if the folder holds exactly what these sources give.
fn unchanged(folder: &Path, sources: &str) -> Option<Vec<PathBuf>> {
    let stamp: Stamp = serde_json::from_slice(&fs::read(folder.join(STAMP)).ok()?).ok()?;
    let files: Vec<PathBuf> = stamp.files.iter().map(|name| folder.join(name)).collect();
    (stamp.sources == sources && files.iter().all(|file| file.is_file())).then_some(files)
}

/// Removes scorers that no longer exist and writes the stamp.
fn finish(folder: &Path, sources: String, built: &[BuiltScorer]) -> anyhow::Result<Vec<PathBuf>> {
    let wanted: Vec<String> = built
        .iter()
        .flat_map(|scorer| [format!("{}.wasm", scorer.name), format!("{}.manifest.json", scorer.name)])
        .collect();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if wanted.contains(&name) {
            files.push(name);
        } else if name.ends_with(".wasm") || name.ends_with(".manifest.json") {
            fs::remove_file(folder.join(name))?;
        }
    }
    files.sort();
    let paths = files.iter().map(|name| folder.join(name)).collect();
    fs::write(folder.join(STAMP), serde_json::to_vec(&Stamp { sources, files })?)?;
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_while_sources_and_files_do() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.wasm", "a.manifest.json", "gone.wasm", "gone.manifest.json", "note.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let path = folder.path().join("a.wasm");
        let built = [BuiltScorer { name: "a".to_owned(), path: path.clone(), how: String::new() }];
        let files = finish(folder.path(), "hash".to_owned(), &built).unwrap();
        assert_eq!(files, [folder.path().join("a.manifest.json"), path.clone()]);
        assert!(!folder.path().join("gone.wasm").exists() && folder.path().join("note.txt").exists());
        assert_eq!(unchanged(folder.path(), "hash"), Some(files));
        assert_eq!(unchanged(folder.path(), "other"), None);
        fs::remove_file(path).unwrap();
        assert_eq!(unchanged(folder.path(), "hash"), None);
    }
}
