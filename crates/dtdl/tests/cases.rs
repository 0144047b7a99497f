//! A folder is a test: each file under `tests/cases` holds models, the expected verdict and, where it is
//! no, a piece of the error that a person must see.

use std::path::Path;

use serde_json::Value;
use twinwright_dtdl::{ModelSet, Rules};

#[test]
fn every_case_has_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(files.len() >= 8, "the folder of cases is incomplete");
    let mut count = 0;
    for file in files {
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for case in cases {
            let name = format!(
                "{}: {}",
                file.file_name().unwrap().to_string_lossy(),
                case["case"].as_str().unwrap()
            );
            let input = case["input"].as_array().unwrap();
            let outcome = ModelSet::new(Rules::DigitalTwins).with(input);
            count += 1;
            match case["error"].as_str() {
                None => {
                    let errors = outcome.err().unwrap_or_default();
                    assert!(errors.is_empty(), "{name} should be valid: {}", errors[0]);
                }
                Some(piece) => {
                    let errors =
                        outcome.err().unwrap_or_else(|| panic!("{name} should be refused with '{piece}'"));
                    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    assert!(
                        texts.iter().any(|text| text.contains(piece)),
                        "{name} should say '{piece}' and says {texts:?}"
                    );
                }
            }
        }
    }
    assert!(count >= 40, "only {count} cases were found");
}
