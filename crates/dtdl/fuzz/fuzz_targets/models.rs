//! Any bytes as a source of models: errors or models, each error can be shown, and what was accepted is accepted again.

#![cfg_attr(feature = "fuzzing", no_main)]

use twinwright_dtdl::{ModelSet, Options, Rules, Source, UndefinedExtensions};

fn target(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    for (rules, undefined_extensions, tolerate) in [
        (Rules::DigitalTwins, UndefinedExtensions::ByVersion, false),
        (Rules::Language, UndefinedExtensions::Allow, true),
    ] {
        let options =
            Options { rules, undefined_extensions, tolerate_in_sources: tolerate, ..Options::default() };
        let set = ModelSet::with_options(options);
        match set.load(vec![Source::new("fuzz", text.clone())]) {
            Ok(loaded) => {
                assert!(set.load(vec![Source::new("fuzz", text.clone())]).is_ok());
                for model in loaded.models.iter() {
                    assert!(loaded.models.resolve(model.id().as_str()).is_some());
                }
            }
            Err(errors) => {
                assert!(!errors.is_empty());
                for error in errors {
                    assert!(!error.render("fuzz", &text).is_empty());
                }
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
