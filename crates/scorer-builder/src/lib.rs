//! Builds the scorers of `wasm-modules` into WebAssembly components.
//!
//! A plain Rust installation has no WebAssembly target, and machines differ in how they can get one: [`toolchain`]
//! finds a way by itself and says which it took. [`compile`] runs cargo there; [`component`] wraps the core modules.
//! [`build_one`] builds a single scorer in a folder of its own, in Rust, Python, JavaScript or C, or puts a model at the end
//! of its engine.
//! Nothing else is needed: no `wasm-tools`, no `cargo-component`.

use std::path::{Path, PathBuf};

mod carried;
mod compile;
mod component;
mod error;
mod modules;
mod one;
mod process;
mod toolchain;

pub use error::BuildError;
pub use modules::{Manifest, Module};
pub use one::{build_one, encode_core};
pub use toolchain::Toolchain;

/// A component that was built.
#[derive(Clone, Debug)]
pub struct BuiltScorer {
    /// The crate's name, e.g. `ewma-chart`.
    pub name: String,
    /// The component's file, `<out_dir>/<name>.wasm`.
    pub path: PathBuf,
    /// Which toolchain built it, in words.
    pub how: String,
}

/// What to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Scorers with a `manifest.json`: those that are published.
    Published,
    /// Every crate, also the misbehaving ones of the host's tests.
    All,
}

/// Builds the published scorers under `wasm_modules_dir` (a cargo workspace) and encodes each as
/// `<out_dir>/<name>.wasm`, with its `<name>.manifest.json` beside it.
///
/// `target_dir` is cargo's for the guests (`<target_dir>/wasm` is used, so that the caller's own lock is not
/// waited for); `progress` gets a line now and then.
///
/// # Errors
/// [`BuildError`]; [`BuildError::NoToolchain`] says what to install.
pub fn build(
    wasm_modules_dir: &Path,
    target_dir: &Path,
    out_dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<BuiltScorer>, BuildError> {
    build_which(Which::Published, wasm_modules_dir, target_dir, out_dir, progress)
}

/// As [`build`], with a choice.
///
/// # Errors
/// As [`build`].
pub fn build_which(
    which: Which,
    wasm_modules_dir: &Path,
    target_dir: &Path,
    out_dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<BuiltScorer>, BuildError> {
    let modules = modules::find(wasm_modules_dir, which)?;
    let toolchain = toolchain::find(wasm_modules_dir, progress)?;
    progress(&format!("building {} scorers with {toolchain}", modules.len()));
    let guest_target = target_dir.join("wasm");
    let core_modules = compile::compile(&toolchain, wasm_modules_dir, &guest_target, &modules, progress)?;
    let out = |path: &Path| {
        let path = path.to_owned();
        move |cause| BuildError::File { path, cause }
    };
    std::fs::create_dir_all(out_dir).map_err(out(out_dir))?;
    let mut built = Vec::new();
    for (module, core_module) in modules.iter().zip(core_modules) {
        let bytes = component::encode(&module.name, &core_module)?;
        let path = out_dir.join(format!("{}.wasm", module.name));
        component::replace(&path, &bytes).map_err(out(&path))?;
        if module.manifest.is_some() {
            let manifest = out_dir.join(format!("{}.manifest.json", module.name));
            let text = std::fs::read(module.folder.join("manifest.json")).map_err(out(&manifest))?;
            component::replace(&manifest, &text).map_err(out(&manifest))?;
        }
        progress(&format!("built {} ({} kB)", path.display(), bytes.len() / 1000));
        built.push(BuiltScorer { name: module.name.clone(), path, how: toolchain.to_string() });
    }
    Ok(built)
}
