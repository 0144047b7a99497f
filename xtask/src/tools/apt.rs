//! Packages of the distribution, where we may install them.

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use crate::process::{on_path, quietly, say};

const DEADLINE: Duration = Duration::from_secs(15 * 60);
/// One installation at a time, and whether the lists of packages are fresh.
static FRESH: Mutex<bool> = Mutex::new(false);

/// Installs packages, or says what somebody else has to install.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<(), String> {
    let names = packages.join(" ");
    if !on_path("apt-get") {
        return Err(format!(
            "this machine has no apt-get; install {names} (or what is like it here) by other means"
        ));
    }
    if !is_root() {
        return Err(format!("run `sudo apt-get install {names}`; only root may"));
    }
    let mut fresh = FRESH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    say(&format!("apt-get installs {names}: {why}"));
    if !*fresh {
        run(&["update"], "apt-get update")?;
        *fresh = true;
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    run(&arguments, "apt-get install")
}

fn run(arguments: &[&str], what: &str) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    // Somebody else's installation is waited for.
    command
        .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    quietly(&mut command, what, DEADLINE).map_err(|error| format!("{error:#}"))
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
