//! Any patch of any twin is either applied or refused with words; what names a twin stays, and nothing panics or stalls.
//! The input is one JSON document: `{"twin": {…}, "patch": […]}`; `health` counts as a component.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let Ok(Value::Object(input)) = serde_json::from_str(text) else { return };
    let (Some(Value::Object(twin)), Some(patch)) = (input.get("twin"), input.get("patch")) else { return };
    let mut twin = twin.clone();
    twin.insert("$dtId".to_owned(), json!("machine-1"));
    let components = ["health".to_owned()];
    match twinwright_local_digital_twins::apply_patch(&twin, &components, patch) {
        Ok(patched) => {
            assert_eq!(patched["$dtId"], "machine-1");
            // The service's memory is bounded by what it was given.
            let size = |value: &Value| value.to_string().len();
            let most = size(&Value::Object(twin)) + 2 * size(patch) + 200 * (1 + patch.as_array().map_or(0, Vec::len));
            assert!(size(&Value::Object(patched)) <= most);
        }
        Err(reason) => assert!(!reason.is_empty()),
    }
});
