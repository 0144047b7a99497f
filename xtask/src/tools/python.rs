//! Python packages, in virtual environments.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Found, apt, ensure_folder};
use crate::fingerprint;
use crate::process::{output_of, quietly, say};

const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// The interpreter of an environment with the packages of `tests/<name>/requirements.txt`.
pub(crate) fn install(root: &Path, name: &str, why: &str) -> Found {
    install_file(&root.join("tests").join(name).join("requirements.txt"), name, why)
}

/// The interpreter of an environment with the packages of a requirements file.
pub(crate) fn install_file(requirements: &Path, name: &str, why: &str) -> Found {
    let wanted = fs::read(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let version = || output_of(Command::new("python3").arg("--version"));
    let version = match version() {
        Some(version) => version,
        None => {
            apt::install(&["python3", "python3-venv"], "acceptance tests run Microsoft's Python SDKs")?;
            version().ok_or("python3 was installed and does not run")?
        }
    };
    // An environment belongs to one interpreter: another version, another environment.
    let hash = fingerprint::of_texts(&[&wanted, version.as_bytes()]);
    let folder = ensure_folder(&format!("python-{name}"), &hash, |folder| {
        say(&format!("pip installs tests/{name}/requirements.txt: {why}"));
        environment(folder)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--requirement",
        ]);
        quietly(pip.arg(requirements), "pip install", DEADLINE).map_err(|error| format!("{error:#}"))
    })?;
    Ok(folder.join("bin/python"))
}

/// Debian's Python makes environments only with a package of its own.
fn environment(folder: &Path) -> Result<(), String> {
    let make =
        || quietly(Command::new("python3").args(["-m", "venv"]).arg(folder), "python3 -m venv", DEADLINE);
    if make().is_ok() {
        return Ok(());
    }
    apt::install(&["python3-venv"], "Python makes virtual environments with it")?;
    make().map_err(|error| format!("{error:#}"))
}
