//! Any bytes as a value, a twin and a patch of a model with something of everything.

#![cfg_attr(feature = "fuzzing", no_main)]

use std::sync::LazyLock;

use twinwright_dtdl::{ModelSet, Rules, Source, validate_patch, validate_text, validate_twin};

static MODELS: LazyLock<ModelSet> = LazyLock::new(|| {
    let source = Source::new("seed", twinwright_dtdl_fuzz::SEED);
    match ModelSet::new(Rules::Language).load(vec![source]) {
        Ok(loaded) => loaded.models,
        Err(errors) => panic!("the seed is refused: {}", errors[0]),
    }
});

fn target(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for model in MODELS.iter() {
        for (_, schema) in model.properties() {
            let _faults = validate_text(schema, &text);
        }
        let path: Vec<String> = text.split('/').take(8).map(str::to_owned).collect();
        let _faults = validate_patch(&MODELS, model, &path, None);
        if let Ok(value) = serde_json::from_str(&text) {
            let _faults = validate_patch(&MODELS, model, &path, Some(&value));
            if let serde_json::Value::Object(mut twin) = value {
                twin.insert("$metadata".to_owned(), serde_json::json!({"$model": model.id()}));
                let _faults = validate_twin(&MODELS, &twin);
            }
        }
    }
}

#[cfg(feature = "fuzzing")]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target(bytes));

#[cfg(not(feature = "fuzzing"))]
fn main() {
    twinwright_dtdl_fuzz::drive(target);
}
