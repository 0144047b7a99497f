//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// Package and binary of the custom handler.
pub(crate) const HANDLER: &str = "twinwright-functions";
/// Binary of the command line.
pub(crate) const CLI: &str = "twinwright";

/// The checkout and its target folder.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the configuration puts it.
    pub(crate) target: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

impl Workspace {
    /// Finds both.
    pub(crate) fn find() -> anyhow::Result<Self> {
        // Asked when it runs, not when it was compiled: where two checkouts share a target folder, cargo takes the
        // program that it built for one of them as fresh for the other.
        let package = std::env::var_os("CARGO_MANIFEST_DIR");
        let package = package.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().context("this package has no parent folder")?.to_owned();
        let output = cargo_in(&root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo metadata failed in {}", root.display());
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata said something else")?;
        Ok(Self { root, target: metadata.target_directory })
    }

    /// Cargo in the checkout.
    pub(crate) fn cargo(&self) -> Command {
        cargo_in(&self.root)
    }

    /// A built binary.
    pub(crate) fn binary(&self, name: &str, release: bool, triple: Option<&str>) -> PathBuf {
        let mut folder = self.target.clone();
        folder.extend(triple);
        folder.join(if release { "release" } else { "debug" }).join(name)
    }
}

fn cargo_in(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null());
    // Cargo set these for this program; build scripts of others would be run again because of them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}
