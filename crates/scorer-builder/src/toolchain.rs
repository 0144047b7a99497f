//! Finding a Rust toolchain that can compile for WebAssembly.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::BuildError;
use crate::process::{output_of, run_within};

/// The guests' target: no WASI, hence no imports.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// rustup asks a server that may be out of reach; without an answer there is another way to try.
const ADD_DEADLINE: Duration = Duration::from_secs(60);
/// Where the distribution keeps its own toolchain, whatever the path says.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";
const SYSTEM_CARGO: &str = "/usr/bin/cargo";

/// Two numbers at a time: every host that runs components has it, and kernels are loops over numbers. And no source of
/// random numbers but the one that a scorer brings: the target has none, and the crate getrandom asks.
const FLAGS: &str = "-Ctarget-feature=+simd128 --cfg getrandom_backend=\"custom\"";

/// How the scorers are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The default toolchain has the target.
    Installed,
    /// rustup has just added the target to the default toolchain.
    Added,
    /// The distribution's toolchain builds the standard library for the target from its source.
    FromSource {
        /// The linker, which that toolchain lacks.
        linker: PathBuf,
    },
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed => write!(f, "cargo (the {TARGET} target is installed)"),
            Self::Added => write!(f, "cargo (rustup added the {TARGET} target)"),
            Self::FromSource { .. } => {
                write!(
                    f,
                    "the distribution's cargo (standard library from source, 1-2 minutes the first time)"
                )
            }
        }
    }
}

pub(crate) fn find(folder: &Path, progress: &mut dyn FnMut(&str)) -> Result<Toolchain, BuildError> {
    let sysroot = output_of(Command::new("rustc").current_dir(folder).args(["--print", "sysroot"]));
    let sysroot = sysroot.map(PathBuf::from);
    let has_target = |sysroot: &PathBuf| sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir();
    if sysroot.as_ref().is_some_and(has_target) {
        return Ok(Toolchain::Installed);
    }
    let mut tried = vec![format!("the installed toolchain lacks {TARGET}")];
    progress(&format!("adding the {TARGET} target with rustup"));
    let mut add = Command::new("rustup");
    match run_within(add.current_dir(folder).args(["target", "add", TARGET]), ADD_DEADLINE) {
        Ok(()) => return Ok(Toolchain::Added),
        Err(cause) => tried.push(format!("rustup target add: {cause}")),
    }
    match from_source(sysroot.as_deref()) {
        Ok(linker) => Ok(Toolchain::FromSource { linker }),
        Err(cause) => {
            tried.push(cause);
            Err(BuildError::NoToolchain { tried: tried.join("; ") })
        }
    }
}

/// The linker for the distribution's toolchain, if that toolchain and its library source are there.
fn from_source(default_sysroot: Option<&Path>) -> Result<PathBuf, String> {
    let sysroot = output_of(Command::new(SYSTEM_RUSTC).args(["--print", "sysroot"]))
        .map(PathBuf::from)
        .ok_or_else(|| format!("no {SYSTEM_RUSTC}"))?;
    if !sysroot.join("lib/rustlib/src/rust/library/std").is_dir() {
        return Err(format!("no standard library source under {}", sysroot.display()));
    }
    if !Path::new(SYSTEM_CARGO).is_file() {
        return Err(format!("no {SYSTEM_CARGO}"));
    }
    let host = output_of(Command::new(SYSTEM_RUSTC).arg("-vV"))
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned)))
        .unwrap_or_default();
    let beside = |sysroot: &Path| sysroot.join("lib/rustlib").join(&host).join("bin/rust-lld");
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    default_sysroot
        .map(beside)
        .into_iter()
        .chain([beside(&sysroot)])
        .chain(
            std::env::split_paths(&on_path)
                .flat_map(|folder| [folder.join("rust-lld"), folder.join("wasm-ld")]),
        )
        .find(|linker| linker.is_file())
        .ok_or_else(|| "no linker for WebAssembly (rust-lld or wasm-ld; package lld)".to_owned())
}

/// Cargo, set up for this toolchain.
pub(crate) fn cargo(toolchain: &Toolchain) -> Command {
    let mut command = match toolchain {
        Toolchain::Installed | Toolchain::Added => Command::new("cargo"),
        Toolchain::FromSource { .. } => Command::new(SYSTEM_CARGO),
    };
    // Flags and wrappers are meant for the caller's own target.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
    ] {
        command.env_remove(name);
    }
    command.args(["build", "--release", "--target", TARGET]);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS);
    if let Toolchain::FromSource { linker } = toolchain {
        command
            .arg("-Zbuild-std=std,panic_abort")
            .env("RUSTC", SYSTEM_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    command
}
