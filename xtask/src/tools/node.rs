//! npm packages: the Node device SDK, Azurite, and the browser's remote control.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Found, apt, ensure_folder};
use crate::fingerprint;
use crate::process::{on_path, quietly, say};

const DEADLINE: Duration = Duration::from_secs(15 * 60);
/// `node FOLDER` is Azurite: one value serves those who start a script and those who look for packages.
const ENTRY: &str = "// Started as `node <this folder>`.\nrequire(\"azurite/dist/src/azurite.js\");\n";

/// The folder with `node_modules`.
pub(crate) fn install(root: &Path) -> Found {
    let source = root.join("tests/sdk");
    let read = |name: &str| {
        let path = source.join(name);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (package, lock) = (read("package.json")?, read("package-lock.json")?);
    if !on_path("node") || !on_path("npm") {
        apt::install(
            &["nodejs", "npm"],
            "Azurite, the Node device SDK and the dashboard's test run on Node.js",
        )?;
    }
    let hash = fingerprint::of_texts(&[&package, &lock, ENTRY.as_bytes()]);
    ensure_folder("npm", &hash, |folder| {
        say("npm installs tests/sdk/package.json: Azurite, the Node device SDK, and what drives a browser");
        let files = [
            ("package.json", package.as_slice()),
            ("package-lock.json", &lock),
            ("index.js", ENTRY.as_bytes()),
        ];
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).map_err(|error| format!("{name}: {error}"))?;
        }
        let mut npm = Command::new("npm");
        // None of them needs its install script, and what does not run cannot surprise.
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(folder);
        quietly(&mut npm, "npm ci", DEADLINE).map_err(|error| format!("{error:#}"))
    })
}
