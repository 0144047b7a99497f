//! The scorers' examples in each language, as a new user would make them: `plugin new`, `build`, `check`, `test`.
//!
//! Building takes a minute or more and needs the language's tools; what was built is kept until its sources change.
//! Checks and cases are run each time.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::session::Session;
use crate::fingerprint;
use crate::process::{run, say};
use crate::scorers;

/// The languages, as `plugin new --lang` has them.
const LANGUAGES: [&str; 6] = ["rust", "c", "js", "python", "onnx", "trees"];
/// Those that are models, which their own script exports again.
const MODELS: [&str; 2] = ["onnx", "trees"];
/// What a built example follows from, besides the tools.
const SOURCES: [&str; 9] = [
    "wasm-modules/wit",
    "wasm-modules/drift-rust",
    "wasm-modules/drift-c",
    "wasm-modules/drift-js",
    "wasm-modules/drift-python",
    "wasm-modules/drift-onnx",
    "wasm-modules/drift-trees",
    "wasm-modules/engines",
    "crates/scorer-builder/src",
];
/// The slowest of them, on a machine that fetches all packages first.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Makes, builds, checks and tests all of them.
pub(super) fn examples(session: &mut Session) -> Result<anyhow::Result<String>, String> {
    let tools = session.tools().ok_or("no tools")?;
    // Node.js and npm come with the packages of the other tests.
    let (python, _) = (tools.python_scorers.clone()?, tools.npm.clone()?);
    let environment =
        python.parent().and_then(Path::parent).ok_or("the environment has no folder")?.to_owned();
    let tried = || -> anyhow::Result<String> {
        let engines = scorers::engines(&session.workspace)?;
        let sources = fingerprint::of_folders(&session.workspace.root, &SOURCES)?;
        let hash = fingerprint::of_texts(&[sources.as_bytes(), environment.to_string_lossy().as_bytes()]);
        let parent = session.workspace.target.join("examples");
        fs::create_dir_all(&parent)?;
        let mut built = Vec::new();
        for language in LANGUAGES {
            let name = format!("drift-in-{language}");
            let folder = parent.join(&name);
            let plugin = |words: &[&str]| {
                let mut command = Command::new(session.cli());
                command.arg("plugin").args(words).stdin(Stdio::null()).env("VIRTUAL_ENV", &environment);
                command.env("TWINWRIGHT_ENGINES", &engines);
                command
            };
            let stamp = parent.join(format!("{name}.stamp"));
            if fs::read_to_string(&stamp).ok().as_deref() != Some(&hash) {
                let _ = fs::remove_file(&stamp);
                let _ = fs::remove_dir_all(&folder);
                say(&format!("making the example in {language}"));
                let mut new = plugin(&["new", &name, "--lang", language]);
                run(new.current_dir(&parent), "plugin new", DEADLINE)?;
                if MODELS.contains(&language) {
                    let mut export = Command::new(environment.join("bin/python"));
                    run(
                        export.arg("export.py").current_dir(&folder),
                        &format!("export.py ({language})"),
                        DEADLINE,
                    )?;
                }
                run(
                    plugin(&["build"]).current_dir(&folder),
                    &format!("plugin build ({language})"),
                    DEADLINE,
                )?;
                fs::write(&stamp, &hash)?;
                built.push(language);
            }
            if MODELS.contains(&language) {
                let mut check = plugin(&["check-model", "model.onnx"]);
                run(check.current_dir(&folder), &format!("plugin check-model ({language})"), DEADLINE)?;
            }
            for word in ["check", "test"] {
                run(plugin(&[word]).current_dir(&folder), &format!("plugin {word} ({language})"), DEADLINE)?;
            }
        }
        let built = if built.is_empty() { "none".to_owned() } else { built.join(", ") };
        Ok(format!("{} checked and tested; built again: {built}", LANGUAGES.join(", ")))
    };
    Ok(tried())
}
