//! host.json and the executable that it names.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{elf, read_json};

/// Checks host.json and the binary; answers whether it declares HTTP routes of its own.
pub(super) fn check(folder: &Path, problems: &mut Vec<String>) -> bool {
    let host = match read_json(folder, "host.json") {
        Ok(host) => host,
        Err(problem) => {
            problems.push(format!("{problem}; it must lie at the root of the folder"));
            return false;
        }
    };
    if host["version"] != "2.0" {
        problems.push("host.json: version must be \"2.0\"".to_owned());
    }
    let custom = &host["customHandler"];
    if host.get("httpWorker").is_some() {
        problems.push("host.json: httpWorker is the old name; keep only customHandler".to_owned());
    }
    let description = &custom["description"];
    for name in ["workingDirectory", "workerDirectory"] {
        if description[name].as_str().is_some_and(|text| !text.is_empty()) {
            problems.push(format!(
                "host.json: customHandler.description.{name} moves the executable away from the path in the zip, and \
                 it would lose its executable bit; leave it out"
            ));
        }
    }
    match description["defaultExecutablePath"].as_str() {
        None | Some("") => {
            problems.push("host.json: customHandler.description.defaultExecutablePath is missing".to_owned())
        }
        Some(path) => check_executable(folder, path, problems),
    }
    custom.pointer("/http/routes").and_then(Value::as_array).is_some_and(|routes| !routes.is_empty())
}

/// Publishing makes only the entry executable whose path in the zip is, letter by letter, this text.
fn check_executable(folder: &Path, path: &str, problems: &mut Vec<String>) {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if path.contains(['%', '\\']) || !path.split('/').all(plain) {
        return problems.push(format!(
            "host.json: defaultExecutablePath {path:?} must be the path in the zip as it is written there (no ./, \
             no leading /, no \\, no %VARIABLE%), or the file loses its executable bit"
        ));
    }
    let binary = folder.join(path);
    let Ok(metadata) = fs::metadata(&binary) else {
        return problems.push(format!("{path} is missing, and host.json names it as the executable"));
    };
    if !metadata.is_file() {
        return problems.push(format!("{path} is not a file, and host.json names it as the executable"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if metadata.permissions().mode() & 0o111 != 0o111 {
            problems.push(format!("{path} is not executable for all; chmod 755 it"));
        }
    }
    problems.extend(elf::problem(&binary).map(|problem| format!("{path} {problem}")));
}
