//! Staging: a whole new folder is made beside the old one and takes its place.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::fingerprint::files_below;
use crate::workspace::HANDLER;

/// What a person or a run left in the folder; it moves on into the new one.
const KEPT: [&str; 2] = ["local.settings.json", ".twinwright"];

/// What is staged.
pub(crate) struct Parts<'a> {
    /// The checkout.
    pub(crate) root: &'a Path,
    /// The built handler.
    pub(crate) binary: &'a Path,
    /// Components and their manifests.
    pub(crate) scorers: &'a [PathBuf],
}

/// What was staged, for people.
#[derive(Debug)]
pub(crate) struct Staged {
    folder: PathBuf,
    /// Path in the folder and size in bytes.
    files: Vec<(String, u64)>,
}

/// Makes the folder anew. Until the last moment the old one stays as it was.
pub(crate) fn stage(parts: &Parts<'_>, out: &Path) -> anyhow::Result<Staged> {
    let context = || format!("cannot stage {}", out.display());
    ensure_ours(parts.root, out)?;
    let parent = out.parent().with_context(context)?;
    let name = out.file_name().with_context(context)?.to_string_lossy().into_owned();
    fs::create_dir_all(parent).with_context(context)?;
    // Two of us at once would take each other's half-made folder for a leftover.
    let lock = File::create(parent.join(format!(".{name}.lock"))).with_context(context)?;
    lock.lock().with_context(context)?;
    let (new, old) = (parent.join(format!(".{name}.new")), parent.join(format!(".{name}.old")));
    recover(out, &old).with_context(context)?;
    remove(&new).with_context(context)?;
    fill(parts, &new)?;
    if out.exists() {
        fs::rename(out, &old).with_context(context)?;
    }
    fs::rename(&new, out).with_context(context)?;
    recover(out, &old).with_context(context)?;
    settings(parts.root, out)?;
    let files = files_below(out, &|name| name != ".twinwright").with_context(context)?;
    let sized = files.iter().map(|path| {
        let name = path.strip_prefix(out).unwrap_or(path).display().to_string();
        Ok((name, fs::metadata(path)?.len()))
    });
    Ok(Staged { folder: out.to_owned(), files: sized.collect::<io::Result<_>>().with_context(context)? })
}

/// Replacing a folder is deleting it: only what looks like a staged app, or is empty, may go.
fn ensure_ours(root: &Path, out: &Path) -> anyhow::Result<()> {
    ensure!(!root.starts_with(out), "{} holds this checkout; choose another --out", out.display());
    let Ok(mut entries) = fs::read_dir(out) else {
        ensure!(!out.exists(), "{} is not a folder; choose another --out", out.display());
        return Ok(());
    };
    let staged = out.join("host.json").is_file() && out.join(HANDLER).is_file();
    if entries.next().is_some() && (!staged || out.join(".git").exists() || out.join("Cargo.toml").exists()) {
        bail!("{} holds something else than a staged app; choose another --out or empty it", out.display());
    }
    Ok(())
}

/// Finishes what a former run may have left undone: moves what is kept, and removes the old folder.
fn recover(out: &Path, old: &Path) -> io::Result<()> {
    if !old.exists() {
        return Ok(());
    }
    if !out.exists() {
        return fs::rename(old, out);
    }
    for name in KEPT {
        if old.join(name).exists() && !out.join(name).exists() {
            fs::rename(old.join(name), out.join(name))?;
        }
    }
    remove(old)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fill(parts: &Parts<'_>, new: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(new.join("scorers")).with_context(|| format!("cannot make {}", new.display()))?;
    let copy = |from: &Path, to: &Path| {
        fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
    };
    for name in ["host.json", ".funcignore"] {
        copy(&parts.root.join(name), &new.join(name))?;
    }
    let config = parts.root.join("twinwright.toml");
    if config.is_file() {
        copy(&config, &new.join("twinwright.toml"))?;
    }
    for function in functions(parts.root)? {
        let folder = new.join(&function);
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        copy(
            &parts.root.join("functions").join(&function).join("function.json"),
            &folder.join("function.json"),
        )?;
    }
    let binary = new.join(HANDLER);
    copy(parts.binary, &binary)?;
    set_mode(&binary, 0o755)?;
    for scorer in parts.scorers {
        let name = scorer.file_name().context("a scorer has no name")?;
        copy(scorer, &new.join("scorers").join(name))?;
    }
    Ok(())
}

/// Names of the functions, the folders with a `function.json`.
fn functions(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join("functions");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("function.json").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    ensure!(!names.is_empty(), "no folder of {} holds a function.json", folder.display());
    Ok(names)
}

/// `func start` reads its settings here; the example serves until somebody writes their own.
fn settings(root: &Path, out: &Path) -> anyhow::Result<()> {
    let (example, own) = (root.join("local.settings.example.json"), out.join("local.settings.json"));
    if example.is_file() && !own.exists() {
        fs::copy(&example, &own).with_context(|| format!("cannot write {}", own.display()))?;
        // Connection strings will be written here.
        set_mode(&own, 0o600)?;
    }
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, permissions)
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> anyhow::Result<()> {
    Ok(())
}

impl fmt::Display for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.files.iter().map(|(_, size)| size).sum();
        write!(f, "staged {} ({} files, {})", self.folder.display(), self.files.len(), size_text(total))?;
        for (name, size) in &self.files {
            write!(f, "\n  {:>10}  {name}", size_text(*size))?;
        }
        Ok(())
    }
}

/// A size for people.
fn size_text(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests;
