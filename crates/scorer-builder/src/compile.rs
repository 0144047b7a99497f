//! One cargo call for all scorers.

use std::path::{Path, PathBuf};

use crate::process;
use crate::toolchain::{self, TARGET, Toolchain};
use crate::{BuildError, Module};

/// Compiles; the core modules' paths come in the order of `modules`.
pub(crate) fn compile(
    toolchain: &Toolchain,
    folder: &Path,
    target: &Path,
    modules: &[Module],
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, BuildError> {
    // The two ways use different compilers: a shared folder would be rebuilt at every change of the way.
    let target = match toolchain {
        Toolchain::FromSource { .. } => target.join("from-source"),
        Toolchain::Installed | Toolchain::Added => target.to_owned(),
    };
    let mut command = toolchain::cargo(toolchain);
    command.current_dir(folder).env("CARGO_TARGET_DIR", &target);
    for module in modules {
        command.args(["--package", &module.name]);
    }
    process::run(&mut command, &mut |line| {
        if line.starts_with("Compiling") || line.starts_with("Downloading") {
            progress(line);
        }
    })?
    .map_err(|output| BuildError::Compile { toolchain: toolchain.to_string(), output })?;
    let built = target.join(TARGET).join("release");
    Ok(modules.iter().map(|module| built.join(format!("{}.wasm", module.name.replace('-', "_")))).collect())
}
