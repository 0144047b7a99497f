//! `plugin new`: a folder that builds, made from the worked examples of `wasm-modules`.

use std::fs;

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::args::{Language, NewOptions};
use crate::output::Output;

/// Name that the examples use, and that a new scorer's replaces.
const NAME: &str = "drift-";
/// The contract, for the tools of each language.
const WIT: &[u8] = include_bytes!("../../../../../wasm-modules/wit/scorer.wit");

type Files = &'static [(&'static str, &'static [u8])];

macro_rules! example {
    ($folder:literal, $($file:literal),+) => {
        {
            const FILES: Files =
                &[$(($file, include_bytes!(concat!("../../../../../wasm-modules/", $folder, "/", $file)))),+];
            FILES
        }
    };
}

fn files(language: Language) -> (&'static str, Files) {
    match language {
        Language::Python => (
            "python",
            example!("drift-python", "app.py", "twinwright.py", "manifest.json", "golden/drift.json"),
        ),
        Language::Js => (
            "js",
            example!(
                "drift-js",
                "scorer.js",
                "twinwright.js",
                "package.json",
                "manifest.json",
                "golden/drift.json"
            ),
        ),
        Language::C => {
            ("c", example!("drift-c", "scorer.c", "twinwright.h", "manifest.json", "golden/drift.json"))
        }
        Language::Onnx => (
            "onnx",
            example!(
                "drift-onnx",
                "export.py",
                "model.onnx",
                "model.json",
                "manifest.json",
                "golden/blocked.json"
            ),
        ),
        Language::Trees => (
            "trees",
            example!(
                "drift-trees",
                "export.py",
                "model.onnx",
                "model.json",
                "manifest.json",
                "golden/dry.json"
            ),
        ),
        Language::Rust => (
            "rust",
            example!("drift-rust/template", "lib.rs", "Cargo.toml.txt", "manifest.json", "golden/drift.json"),
        ),
    }
}

/// Runs `plugin new`.
pub(super) fn new(options: &NewOptions, output: Output) -> anyhow::Result<()> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if options.name.is_empty() || options.name.len() > 64 || !options.name.chars().all(word) {
        bail!("{:?}: a name has 1 to 64 lower case letters, digits and hyphens", options.name);
    }
    let folder = options.parent.join(&options.name);
    if folder.exists() {
        bail!("{} is there already; choose another name or another --parent", folder.display());
    }
    let (suffix, files) = files(options.lang);
    let mut written = Vec::new();
    let contract = [("wit/scorer.wit", WIT)];
    for (path, bytes) in files.iter().chain(&contract) {
        let target = match *path {
            "lib.rs" => "src/lib.rs",
            "Cargo.toml.txt" => "Cargo.toml",
            path => path,
        };
        let target = folder.join(target);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        // The example's name gives way to the new one; a model's own name is nobody's affair.
        let named = match std::str::from_utf8(bytes) {
            Ok(text) if !path.ends_with(".onnx") => {
                text.replace(&format!("{NAME}{suffix}"), &options.name).into_bytes()
            }
            _ => bytes.to_vec(),
        };
        fs::write(&target, named).with_context(|| format!("cannot write {}", target.display()))?;
        written.push(target);
    }
    output.result(&json!({ "folder": folder, "files": written }), || {
        let shown = folder.display();
        format!(
            "{shown} is made. Next:\n  twinwright plugin build {shown}\n  twinwright plugin check {shown}\n  \
             twinwright plugin bench {shown}"
        )
    });
    Ok(())
}
