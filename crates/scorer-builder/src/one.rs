//! One scorer in a folder of its own, in whichever language: what is in the folder says which.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::process::{output_of, run};
use crate::toolchain::{self, TARGET};
use crate::{BuildError, BuiltScorer, carried, component, modules};

/// World of the contract.
const WORLD: &str = "scorer";
/// Built by the Python tools, with every import of WASI answered by a stub.
const PYTHON_TOOL: &str = "componentize-py";

/// Builds the scorer of a folder into `<folder>/dist/<name>.wasm`, with its manifest beside it. The folder holds
/// `Cargo.toml`, `app.py`, `scorer.js` or `scorer.c`, a `manifest.json`, and the contract in `wit/`; or `model.onnx` with
/// `model.json`, for an engine in one of the `engines` folders.
///
/// # Errors
/// [`BuildError`]; a missing tool is named with the command that installs it.
pub fn build_one(
    folder: &Path,
    engines: &[PathBuf],
    progress: &mut dyn FnMut(&str),
) -> Result<BuiltScorer, BuildError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |cause| BuildError::File { path, cause }
    };
    let folder = fs::canonicalize(folder).map_err(file(folder))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let manifest = folder.join("manifest.json");
    let read = modules::read_manifest(&manifest, &name)?.ok_or_else(|| BuildError::Manifest {
        path: manifest.clone(),
        cause: "it is missing; write name, version, world, summary and author".to_owned(),
    })?;
    let wit = [folder.join("wit"), folder.join("../wit")].into_iter().find(|wit| wit.is_dir());
    let wit = || {
        wit.clone().ok_or_else(|| BuildError::Component {
            name: name.clone(),
            cause: "the contract is missing; copy scorer.wit into wit/".to_owned(),
        })
    };
    let out = folder.join("dist");
    fs::create_dir_all(&out).map_err(file(&out))?;
    let path = out.join(format!("{name}.wasm"));
    let has = |name: &str| folder.join(name).is_file();
    let how = if has("Cargo.toml") {
        rust(&folder, &name, &path, progress)?
    } else if has("app.py") {
        python(&folder, &wit()?, &path, progress)?
    } else if has("scorer.js") {
        javascript(&folder, &wit()?, &path, progress)?
    } else if has("scorer.c") {
        c(&folder, &name, &wit()?, &path, progress)?
    } else if has(carried::MODEL) {
        carried::build(&folder, &read, engines, &path)?
    } else {
        return Err(BuildError::NoModules { folder });
    };
    let copy = out.join(format!("{name}.manifest.json"));
    let text = fs::read(&manifest).map_err(file(&manifest))?;
    component::replace(&copy, &text).map_err(file(&copy))?;
    Ok(BuiltScorer { name, path, how })
}

fn failed(how: &str, output: String) -> BuildError {
    BuildError::Compile { toolchain: how.to_owned(), output }
}

fn missing(program: &str, install: &str) -> BuildError {
    BuildError::Missing { program: program.to_owned(), install: install.to_owned() }
}

fn rust(
    folder: &Path,
    name: &str,
    path: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<String, BuildError> {
    let toolchain = toolchain::find(folder, progress)?;
    let target = folder.join("target");
    let mut command = toolchain::cargo(&toolchain);
    command.current_dir(folder).env("CARGO_TARGET_DIR", &target);
    run(&mut command, progress)?.map_err(|output| failed(&toolchain.to_string(), output))?;
    let module = target.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
    let bytes = component::encode(name, &module)?;
    component::replace(path, &bytes).map_err(|cause| BuildError::File { path: path.to_owned(), cause })?;
    Ok(toolchain.to_string())
}

/// A tool of the folder's own virtual environment, else of `TWINWRIGHT_PYTHON`'s, else of the path.
fn python_tool(folder: &Path, tool: &str) -> Option<PathBuf> {
    let environments = [Some(folder.join(".venv")), std::env::var_os("VIRTUAL_ENV").map(PathBuf::from)];
    let in_environments = environments.into_iter().flatten().map(|root| root.join("bin").join(tool));
    in_environments.chain(on_path(tool)).find(|path| path.is_file())
}

fn on_path(tool: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(tool)).collect()
}

fn python(
    folder: &Path,
    wit: &Path,
    path: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<String, BuildError> {
    let tool = python_tool(folder, PYTHON_TOOL).ok_or_else(|| {
        missing(PYTHON_TOOL, "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1")
    })?;
    progress("building with componentize-py, half a minute");
    let mut command = Command::new(&tool);
    command
        .current_dir(folder)
        .arg("-d")
        .arg(wit)
        .args(["-w", WORLD, "componentize", "app", "--stub-wasi", "-o"])
        .arg(path);
    run(&mut command, progress)?.map_err(|output| failed(PYTHON_TOOL, output))?;
    Ok(output_of(Command::new(&tool).arg("--version")).unwrap_or_else(|| PYTHON_TOOL.to_owned()))
}

/// Calls the library: its own program cannot find the contract by path.
const COMPONENTIZE: &str = "
import { componentize } from '@bytecodealliance/componentize-js';
import { writeFileSync } from 'node:fs';
const [wit, out] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: 'scorer.js', witPath: wit, worldName: 'scorer',
  disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
});
writeFileSync(out, component);
";

fn javascript(
    folder: &Path,
    wit: &Path,
    path: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<String, BuildError> {
    if output_of(Command::new("node").arg("--version")).is_none() {
        return Err(missing("node", "install Node.js 20 or newer, https://nodejs.org"));
    }
    if !folder.join("node_modules/@bytecodealliance/componentize-js").is_dir() {
        progress("npm install");
        let mut install = Command::new("npm");
        install.current_dir(folder).args(["install", "--no-audit", "--no-fund"]);
        run(&mut install, progress)?.map_err(|output| failed("npm install", output))?;
    }
    progress("building with componentize-js, half a minute");
    let script = folder.join("dist/componentize.mjs");
    fs::write(&script, COMPONENTIZE).map_err(|cause| BuildError::File { path: script.clone(), cause })?;
    let mut command = Command::new("node");
    command.current_dir(folder).arg(&script).arg(wit).arg(path);
    let done = run(&mut command, progress)?.map_err(|output| failed("componentize-js", output));
    let _ = fs::remove_file(&script);
    done.map(|()| "componentize-js".to_owned())
}

fn c(
    folder: &Path,
    name: &str,
    wit: &Path,
    path: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<String, BuildError> {
    let core = folder.join("dist").join(format!("{name}.core.wasm"));
    let (mut command, how) = c_compiler(folder)?;
    progress(&format!("building with {how}"));
    command
        .current_dir(folder)
        .args(["-O3", "-s", "-mexec-model=reactor", "-msimd128", "-Wall", "-o"])
        .arg(&core)
        .arg("scorer.c");
    run(&mut command, progress)?.map_err(|output| failed(&how, output))?;
    let bytes = fs::read(&core).map_err(|cause| BuildError::File { path: core.clone(), cause })?;
    let encoded = encode_core(name, &bytes, wit)?;
    let _ = fs::remove_file(&core);
    component::replace(path, &encoded).map_err(|cause| BuildError::File { path: path.to_owned(), cause })?;
    Ok(how)
}

/// Makes a component of a core module whose compiler knows nothing of the contract; `wit` is the contract's folder.
///
/// # Errors
/// [`BuildError::Component`].
pub fn encode_core(name: &str, core: &[u8], wit: &Path) -> Result<Vec<u8>, BuildError> {
    let encode = || {
        let mut bytes = core.to_vec();
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(wit)?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
        ComponentEncoder::default().validate(true).module(&bytes).and_then(|mut encoder| encoder.encode())
    };
    encode().map_err(|error| BuildError::Component { name: name.to_owned(), cause: format!("{error:#}") })
}

/// A C compiler with a library for WebAssembly: wasi-sdk where its variable says so, else zig.
fn c_compiler(folder: &Path) -> Result<(Command, String), BuildError> {
    if let Some(sdk) = std::env::var_os("WASI_SDK_PATH").map(PathBuf::from) {
        let mut command = Command::new(sdk.join("bin/clang"));
        command.arg("--target=wasm32-wasi");
        return Ok((command, "wasi-sdk".to_owned()));
    }
    if let Some(python) = python_tool(folder, "python")
        && output_of(Command::new(&python).args(["-m", "ziglang", "version"])).is_some()
    {
        let mut command = Command::new(python);
        command.args(["-m", "ziglang", "cc", "-target", "wasm32-wasi"]);
        return Ok((command, "zig of the Python package ziglang".to_owned()));
    }
    if output_of(Command::new("zig").arg("version")).is_some() {
        let mut command = Command::new("zig");
        command.args(["cc", "-target", "wasm32-wasi"]);
        return Ok((command, "zig".to_owned()));
    }
    Err(missing(
        "zig",
        "python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1, or set WASI_SDK_PATH",
    ))
}
