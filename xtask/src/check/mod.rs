//! The rules of the Functions host and of its publishing tool, held against a staged folder.
//!
//! A broken rule shows on Azure only, and late: a handler without its executable bit, a function that is never
//! found. Sources of the rules: azure-functions-host (custom handlers, function descriptors) and
//! azure-functions-core-tools (zip creation).

mod elf;
mod functions;
mod host_json;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

/// Largest JSON file of a function app that is read.
const JSON_LIMIT: u64 = 1 << 20;
/// First bytes of a WebAssembly component (a core module has version 1, layer 0).
const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
/// Most entries looked at; a staged app has a few dozen.
const ENTRY_LIMIT: usize = 10_000;

/// Every broken rule, in words that say what to do; empty where the folder can be published.
pub(crate) fn check_staged(folder: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    if !folder.is_dir() {
        return vec![format!("{} is not a folder; run `cargo xtask package`", folder.display())];
    }
    let has_routes = host_json::check(folder, &mut problems);
    functions::check(folder, has_routes, &mut problems);
    check_tree(folder, &mut problems);
    check_scorers(folder, &mut problems);
    problems
}

/// What must not be published, at any depth.
fn check_tree(folder: &Path, problems: &mut Vec<String>) {
    let mut open = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(inner) = open.pop() {
        let Ok(entries) = fs::read_dir(&inner) else {
            problems.push(format!("{} cannot be read", inner.display()));
            continue;
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > ENTRY_LIMIT {
                return problems.push(format!("more than {ENTRY_LIMIT} entries; stage only the app"));
            }
            let (path, name) = (entry.path(), entry.file_name());
            let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                problems.push(format!("{shown} is a symbolic link; the zip needs the file itself"));
            } else if kind.is_dir() && ["target", ".git"].iter().any(|bad| name == *bad) {
                problems.push(format!("{shown}/ would be published; leave it out"));
            } else if kind.is_dir() && name != ".twinwright" {
                open.push(path);
            }
        }
    }
}

/// Scorers are components, not core modules.
fn check_scorers(folder: &Path, problems: &mut Vec<String>) {
    let entries = fs::read_dir(folder.join("scorers")).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".wasm"));
    names.sort();
    if names.is_empty() {
        problems.push("scorers/ holds no .wasm file; no machine would be scored by a plugin".to_owned());
    }
    for name in names {
        let mut start = [0; 8];
        let read = fs::File::open(folder.join("scorers").join(&name))
            .and_then(|mut file| file.read_exact(&mut start));
        if read.is_err() || start != COMPONENT {
            problems.push(format!(
                "scorers/{name} is not a WebAssembly component; build it with `cargo xtask package`"
            ));
        }
    }
}

/// A JSON file of the folder, or the problem with it.
fn read_json(folder: &Path, name: &str) -> Result<Value, String> {
    let file =
        fs::File::open(folder.join(name)).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let mut text = Vec::new();
    file.take(JSON_LIMIT + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("{name} cannot be read: {error}"))?;
    if text.len() as u64 > JSON_LIMIT {
        return Err(format!("{name} is larger than {JSON_LIMIT} bytes"));
    }
    serde_json::from_slice(&text).map_err(|error| format!("{name} is not JSON: {error}"))
}

#[cfg(test)]
mod tests;
