//! Runs a folder of parser test cases and prints how often the verdicts agree.
//!
//! Usage: `cargo run -p twinwright-dtdl --example agreement -- FOLDER…`, where a folder holds JSON files with
//! `valid` and `input` as the digital twin consortium's parser repository has them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use twinwright_dtdl::{Primitive, Schema, parse, validate_value};

fn main() -> std::io::Result<()> {
    let (mut right, mut total) = (BTreeMap::new(), BTreeMap::new());
    let verbose = std::env::var_os("VERBOSE").is_some();
    let (mut value_right, mut value_total) = (0, 0);
    for folder in std::env::args().skip(1) {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file)?;
            let Ok(case) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) else {
                continue;
            };
            let options = case["options"].as_array().map_or(0, Vec::len)
                + case["quirks"].as_array().map_or(0, Vec::len);
            let needs_resolver = case.get("resolution").is_some() || case.get("partialResolution").is_some();
            if options > 0 || needs_resolver || case.get("maxDtdlVersion").is_some() {
                continue;
            }
            let name = file.file_stem().map_or(String::new(), |name| name.to_string_lossy().into_owned());
            let version = if name.contains("V2") { "v2" } else { "v3" };
            let empty = Vec::new();
            let input = case["input"].as_array().unwrap_or(&empty);
            let outcome = parse(input);
            *total.entry(version).or_insert(0) += 1;
            if outcome.is_ok() == (case["valid"] == Value::Bool(true)) {
                *right.entry(version).or_insert(0) += 1;
            } else if verbose {
                let first =
                    outcome.as_ref().err().map_or("accepted".to_owned(), |errors| errors[0].to_string());
                println!("{name} should be {}: {first}", case["valid"]);
            }
            let Ok(models) = outcome else { continue };
            for check in case["instances"].as_array().unwrap_or(&empty) {
                let (Some(subject), Some(expected)) =
                    (check["subject"].as_str(), check["conforms"].as_bool())
                else {
                    continue;
                };
                let primitive = subject
                    .strip_prefix("dtmi:dtdl:instance:Schema:")
                    .and_then(|rest| rest.split(';').next());
                let schema = match primitive.and_then(Primitive::from_term) {
                    Some(primitive) => Some(Schema::Primitive(primitive)),
                    None => models
                        .iter()
                        .find_map(|model| model.interface.schemas.get(subject))
                        .map(|schema| (**schema).clone()),
                };
                let Some(schema) = schema else { continue };
                let value = serde_json::from_str::<Value>(check["submit"].as_str().unwrap_or_default());
                let conforms = value.is_ok_and(|value| validate_value(&schema, &value).is_empty());
                value_total += 1;
                if conforms == expected {
                    value_right += 1;
                } else if verbose {
                    println!("{name} value {} for {subject} should be {expected}", check["submit"]);
                }
            }
        }
    }
    for (version, total) in total {
        println!("{version}: {} of {total} verdicts agree", right.get(version).unwrap_or(&0));
    }
    println!("values: {value_right} of {value_total} agree");
    Ok(())
}
