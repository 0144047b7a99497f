//! Any text is either a query or refused, at a place that lies inside it, soon and without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = twinwright_local_digital_twins::check_query(text) {
        let lines: Vec<&str> = text.split('\n').collect();
        assert!((1..=lines.len()).contains(&error.line), "{error}");
        assert!(error.position <= lines[error.line - 1].chars().count() + 1, "{error}");
        assert!(!error.message.is_empty());
    }
});
