//! Filters as documented, and as hostile as text can be.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn event() -> CloudEvent {
    serde_json::from_value(json!({"specversion": "1.0", "id": "1", "type": "microsoft.iot.telemetry", "source": "local/digitaltwins/it's",
        "time": "t", "datacontenttype": "application/json", "dataschema": "dtmi:a:floor4;2", "traceparent": "",
        "data": {"temperature": 5.5, "on": true, "$metadata": {"$model": "dtmi:a:floor;1"}, "patch": [1]}})).unwrap()
}

#[test]
fn documented_filters_decide_as_documented() {
    for (filter, admitted) in [
        ("true", true),
        ("false", false),
        ("type = 'microsoft.iot.telemetry'", true),
        ("type = 'Microsoft.Iot.Telemetry'", false),
        (
            "(type != 'microsoft.iot.telemetry' OR datacontenttype = 'application/json') OR (specversion != '1.0')",
            true,
        ),
        ("STARTS_WITH($body.$metadata.$model, 'dtmi:a:floor')", true),
        ("ENDS_WITH($body.$metadata.$model, 'floor;2')", false),
        ("CONTAINS(source, 'it\\'s') and contains(source, 'it''s')", true),
        ("$body.temperature <= 5.5 AND $body.temperature>5", true),
        ("$body.temperature > 5.5", false),
        ("$body.on = true", true),
        ("$body.none != null", false),
        ("$body.none = null and subject = null", true),
        ("$body.patch = 1", false),
        ("dataschema = 'dtmi:a:floor4;2' or false", true),
        ("not false and not (true and false)", true),
    ] {
        assert_eq!(parse(filter).unwrap().admits(&event()), admitted, "{filter}");
    }
}

#[test]
fn errors_name_the_place() {
    for (filter, piece) in [
        ("", "lacks a value at its end"),
        ("type", "lacks a comparison"),
        ("type = 'a", "no closing quote"),
        ("eventType = 'a'", "'eventType' at position 1"),
        ("(true", "lacks a ')'"),
        ("true true", "end before position 6"),
        ("$body.a[0] = 1", "arrays"),
        ("$body.a > 1x", "no number"),
    ] {
        let message = parse(filter).unwrap_err();
        assert!(message.contains(piece), "{filter}: {message}");
    }
    assert!(parse(&"(".repeat(7_000)).unwrap_err().contains("levels deep"));
    assert!(parse(&"not ".repeat(1_900)).unwrap_err().contains("levels deep"));
}

proptest! {
    #[test]
    fn no_filter_panics(text in "([a-z$'\\\\().=<>! ä]|true|and|or|not|\\$body\\.|type|STARTS_WITH){0,40}") {
        if let Ok(filter) = parse(&text) {
            filter.admits(&event());
        }
    }
}
