//! The peer: the same scorer through the crate extism, in a workspace of its own (`xtask/peers/extism`), because it brings
//! an engine of its own and needs a newer compiler than the project does.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::super::Context;
use crate::process::{run, watch};

/// What extism's engine needs.
const LEAST: (u32, u32) = (1, 96);
/// Toolchains besides the project's that may be newer: the distribution's, and what rustup has.
const TOOLCHAINS: [Toolchain; 4] = [
    Toolchain { cargo: "cargo", rustc: "rustc", name: None },
    Toolchain { cargo: "/usr/bin/cargo", rustc: "/usr/bin/rustc", name: None },
    Toolchain { cargo: "cargo", rustc: "rustc", name: Some("beta") },
    Toolchain { cargo: "cargo", rustc: "rustc", name: Some("nightly") },
];
const TARGET: &str = "wasm32-unknown-unknown";
/// An engine is compiled the first time.
const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);
const DEADLINE: Duration = Duration::from_secs(5 * 60);

/// Rows a second that one core scores through extism.
pub(super) fn rows_per_s(context: &Context) -> anyhow::Result<f64> {
    let workspace = &context.workspace;
    let folder = workspace.root.join("xtask/peers/extism");
    let target = workspace.target.join("extism-peer");
    let is_new = |toolchain: &&Toolchain| toolchain.version().is_some_and(|version| version >= LEAST);
    let Some(newer) = TOOLCHAINS.iter().find(is_new) else {
        bail!("it needs Rust {}.{}: rustup toolchain install nightly", LEAST.0, LEAST.1);
    };
    let mut guest = Command::new("cargo");
    guest
        .args([
            "build",
            "--locked",
            "--profile",
            "guest",
            "--package",
            "extism-peer-guest",
            "--target",
            TARGET,
        ])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Ctarget-feature=+simd128");
    let mut host = newer.command(newer.cargo);
    host.args(["build", "--locked", "--release", "--package", "extism-peer"]).env("RUSTC", newer.rustc);
    for (command, what) in [(&mut guest, "extism's guest"), (&mut host, "extism's host")] {
        command.current_dir(&folder).env("CARGO_TARGET_DIR", &target);
        run(command, &format!("building {what}"), BUILD_DEADLINE)?;
    }
    let built: PathBuf = [TARGET, "guest", "extism_peer_guest.wasm"].iter().collect();
    let mut command = Command::new(target.join("release/extism-peer"));
    command.arg(target.join(built));
    let mut told = String::new();
    watch(&mut command, "extism-peer", DEADLINE, &mut |line| told.push_str(line))?;
    let told: Value = serde_json::from_str(&told).context("it told no figure")?;
    told["extism_rows_per_s_core"].as_f64().context("it told another figure")
}

struct Toolchain {
    cargo: &'static str,
    rustc: &'static str,
    /// What rustup calls it.
    name: Option<&'static str>,
}

impl Toolchain {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(name) = self.name {
            command.env("RUSTUP_TOOLCHAIN", name).env("RUSTUP_AUTO_INSTALL", "0");
        }
        command
    }

    /// Major and minor of the compiler.
    fn version(&self) -> Option<(u32, u32)> {
        let told = self.command(self.rustc).arg("--version").output().ok()?.stdout;
        let told = String::from_utf8(told).ok()?;
        let mut numbers = told.split_whitespace().nth(1)?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}
