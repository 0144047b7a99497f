//! The functions' folders.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::read_json;
use crate::fingerprint::files_below;

/// Triggers whose functions may have a retry policy.
const RETRIED: [&str; 4] = ["eventhubtrigger", "timertrigger", "kafkatrigger", "cosmosdbtrigger"];

/// Checks every `function.json`, and that the host finds each.
pub(super) fn check(folder: &Path, has_routes: bool, problems: &mut Vec<String>) {
    let mut functions = 0;
    let mut names = HashSet::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.filter(|entry| entry.path().is_dir()).collect();
    folders.sort_by_key(std::fs::DirEntry::file_name);
    for entry in folders {
        let name = entry.file_name().to_string_lossy().into_owned();
        if [".twinwright", "target", ".git"].contains(&name.as_str()) {
            continue;
        }
        if entry.path().join("function.json").is_file() {
            functions += 1;
            if !names.insert(name.to_lowercase()) {
                problems.push(format!("{name}: another function has this name in other letter case"));
            }
            check_name(&name, problems);
            check_function(folder, &format!("{name}/function.json"), problems);
        }
        for path in files_below(&entry.path(), &|_| true).unwrap_or_default() {
            let shown = path.strip_prefix(folder).unwrap_or(&path);
            if path.ends_with("function.json") && shown.components().count() > 2 {
                problems.push(format!(
                    "{}: the host looks only one level below host.json; move it up",
                    shown.display()
                ));
            }
        }
    }
    if folder.join("function.json").is_file() {
        problems.push("function.json: the host looks one level below host.json; give it a folder".to_owned());
    }
    if functions == 0 && !has_routes {
        problems.push("no folder holds a function.json; the host would start no handler".to_owned());
    }
    if functions > 0 && has_routes {
        problems
            .push("host.json: customHandler.http.routes cannot be mixed with function.json files".to_owned());
    }
}

fn check_name(name: &str, problems: &mut Vec<String>) {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if !letters || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.len() > 127 {
        problems.push(format!(
            "{name}: a function's name starts with a letter and has letters, digits, _ and - only"
        ));
    }
}

fn check_function(folder: &Path, file: &str, problems: &mut Vec<String>) {
    let function = match read_json(folder, file) {
        Ok(function) => function,
        Err(problem) => return problems.push(problem),
    };
    let Some(bindings) = function["bindings"].as_array() else {
        return problems.push(format!("{file}: bindings is missing"));
    };
    let mut names = HashSet::new();
    let mut triggers = Vec::new();
    for binding in bindings {
        let text = |key: &str| binding[key].as_str().unwrap_or_default();
        let (name, kind) = (text("name"), text("type").to_lowercase());
        if name.is_empty() || kind.is_empty() {
            problems.push(format!("{file}: a binding lacks its name or its type"));
        } else if !names.insert(name.to_lowercase()) {
            problems.push(format!(
                "{file}: two bindings are named {name:?}; letter case does not tell them apart"
            ));
        }
        if !["in", "out", "inout"].contains(&text("direction").to_lowercase().as_str()) {
            problems.push(format!("{file}: binding {name:?} needs a direction, in or out"));
        }
        if kind.ends_with("trigger") {
            triggers.push(kind);
        }
    }
    if triggers.len() != 1 {
        problems.push(format!("{file}: needs exactly one trigger and has {}", triggers.len()));
    }
    if let (Some(retry), [trigger]) =
        (function.get("retry").filter(|retry| !retry.is_null()), triggers.as_slice())
    {
        check_retry(file, retry, trigger, problems);
    }
}

fn check_retry(file: &str, retry: &Value, trigger: &str, problems: &mut Vec<String>) {
    if !RETRIED.contains(&trigger) {
        problems
            .push(format!("{file}: functions with a {trigger} have no retry policy; the host refuses it"));
    }
    let needed: &[&str] = match retry["strategy"].as_str().unwrap_or_default().to_lowercase().as_str() {
        "fixeddelay" => &["maxRetryCount", "delayInterval"],
        "exponentialbackoff" => &["maxRetryCount", "minimumInterval", "maximumInterval"],
        _ => return problems.push(format!("{file}: retry.strategy is fixedDelay or exponentialBackoff")),
    };
    for key in needed.iter().filter(|key| retry.get(**key).is_none()) {
        problems.push(format!("{file}: retry.{key} is missing"));
    }
}
