//! A folder is a test: each file under `tests/cases` holds, for codes of errors, sources that are valid and sources that
//! break exactly that rule. Every code that the crate can report is covered, here or in `tests/hostile.rs`.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use twinwright_dtdl::{Loaded, ModelError, ModelSet, Options, Rules, Source, error_codes};

/// Codes that need sources too large for a file: `tests/hostile.rs` has them.
const LARGE: [&str; 4] = ["tooDeep", "sourceTooLarge", "partitionTooLarge", "excessiveCount"];

/// A code for a rule that no known extension makes use of: a boolean that must be there.
const UNUSED: &str = "booleanCountBelowMin";

fn set(case: &Value) -> ModelSet {
    let rules = if case["service"] == Value::Bool(true) { Rules::DigitalTwins } else { Rules::Language };
    let tolerate_in_sources = case["tolerate"] == Value::Bool(true);
    let set = ModelSet::with_options(Options { rules, tolerate_in_sources, ..Options::default() });
    let old = r#"{"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Old;1", "@type": "Interface"}"#;
    set.load(vec![Source::new("old.json", old)]).unwrap().models
}

fn source(value: &Value) -> Source {
    let text = value.as_str().map_or_else(|| serde_json::to_string_pretty(value).unwrap(), str::to_owned);
    Source::new("model.json", text)
}

fn load(case: &Value, sources: &[Value]) -> Result<Loaded, Vec<ModelError>> {
    set(case).load(sources.iter().map(source).collect())
}

/// Every word of an error is filled in, and it can be shown.
fn is_readable(error: &ModelError, sources: &[Value]) {
    let text = error.to_string();
    assert!(!text.contains('{') || text.contains("{ \"") || text.contains("{\""), "{text}");
    assert!(!text.contains("'?'") && !text.ends_with('.') && !error.hint.is_empty(), "{text}");
    let first = error.message.chars().next().unwrap();
    assert!(!first.is_uppercase(), "{text}");
    let texts: Vec<Source> = sources.iter().map(source).collect();
    let at = error.at.as_ref().unwrap_or_else(|| panic!("{text} has no place"));
    let shown = error.render("model.json", &texts[at.index].text);
    assert!(shown.contains(&format!("model.json:{}:{}", at.line, at.column)), "{shown}");
    assert!(shown.contains("help: "), "{shown}");
}

#[test]
fn every_code_is_reported_where_it_should_and_nowhere_else() {
    // Asked when it runs: another checkout may have compiled it.
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/cases");
    let mut covered: BTreeSet<String> =
        LARGE.iter().chain([&UNUSED]).map(|code| (*code).to_owned()).collect();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        for case in &cases {
            let code = case["code"].as_str().unwrap();
            covered.insert(code.to_owned());
            let valid = case["valid"].as_array().unwrap();
            if let Err(errors) = load(case, valid) {
                panic!("{code}: the valid sources are refused: {}", errors[0]);
            }
            let invalid = case["invalid"].as_array().unwrap();
            let groups: Vec<&[Value]> = if case["each"] == Value::Bool(true) {
                invalid.iter().map(std::slice::from_ref).collect()
            } else {
                vec![invalid]
            };
            for group in groups {
                let errors = match load(case, group) {
                    Err(errors) => errors,
                    Ok(loaded) if case["warning"] == Value::Bool(true) => loaded.warnings,
                    Ok(_) => panic!("{code}: the invalid sources are accepted: {group:?}"),
                };
                let found: Vec<&str> = errors.iter().map(ModelError::short_code).collect();
                assert!(found.contains(&code), "{code}: found {found:?}, {}", errors[0]);
                for error in &errors {
                    is_readable(error, group);
                }
            }
        }
    }
    let all: BTreeSet<String> =
        error_codes().map(|code| code.rsplit(':').next().unwrap().to_owned()).collect();
    let missing: Vec<&String> = all.difference(&covered).collect();
    assert!(missing.is_empty(), "no case covers {missing:?}");
    let unknown: Vec<&String> = covered.difference(&all).collect();
    assert!(unknown.is_empty(), "no such codes: {unknown:?}");
}
