//! Bodies made to do harm, and the errors they get.

// What the tests share fails as they do.
#![allow(clippy::unwrap_used, clippy::panic)]

use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use azure_functions_rs_custom_handler::{
    DecodeError, EventHubBatch, Problem, QueueInvocation, TimerInvocation,
};

fn body_of(count: i64) -> String {
    let events: Vec<EventSpec> = (0..count)
        .map(|index| {
            EventSpec::telemetry(&format!("arm-{}", index % 5), 10 + index, 1_000_000 * index, b"{\"t\":1}")
        })
        .collect();
    String::from_utf8(event_hub_body(&events, &BatchOptions::default())).unwrap()
}

fn error_of(body: &str) -> DecodeError {
    EventHubBatch::parse(body.as_bytes(), "events").unwrap_err()
}

fn field_and_problem(error: &DecodeError) -> (&str, Problem) {
    match error {
        DecodeError::Malformed { field, problem, .. } => (field, *problem),
        other => panic!("unexpected: {other}"),
    }
}

#[test]
fn a_depth_bomb_is_refused() {
    for bomb in ["[", "{\"a\":", "[{\"a\":"] {
        let body = format!("{{\"Data\":{{\"events\":\"[]\"}},\"Metadata\":{{\"x\":{}", bomb.repeat(200_000));
        assert_eq!(field_and_problem(&error_of(&body)), ("Metadata.x", Problem::TooDeep));
    }
}

#[test]
fn a_depth_bomb_below_the_outer_encoding_is_refused() {
    let body =
        body_of(3).replace("\\\"x-opt-offset\\\":", &format!("\\\"x\\\":{},\\\"y\\\":", "[".repeat(100_000)));
    assert_eq!(field_and_problem(&error_of(&body)), ("Metadata.SystemPropertiesArray[0]", Problem::TooDeep));
}

#[test]
fn huge_numbers_are_refused() {
    let body = body_of(3).replace("\"[10,11,12]\"", &format!("\"[10,{},12]\"", "9".repeat(100_000)));
    assert_eq!(
        field_and_problem(&error_of(&body)),
        ("Metadata.SequenceNumberArray[1]", Problem::NumberTooLarge)
    );
}

#[test]
fn wrong_types_are_named() {
    let body = body_of(3).replace(
        "\\\"iothub-connection-device-id\\\":\\\"arm-2\\\"",
        "\\\"iothub-connection-device-id\\\":{}",
    );
    let error = error_of(&body);
    assert_eq!(
        field_and_problem(&error),
        ("Metadata.SystemPropertiesArray[2]", Problem::Expected("a string or null"))
    );
    assert!(error.to_string().contains("SystemPropertiesArray[2] at byte "), "{error}");
}

#[test]
fn arrays_that_do_not_line_up_are_named_with_both_lengths() {
    for (from, to, field, found) in [
        ("\"[10,11,12]\"", "\"[10,11]\"", "Metadata.SequenceNumberArray", 2),
        ("\"[10,11,12]\"", "\"[10,11,12,13,14]\"", "Metadata.SequenceNumberArray", 5),
        ("\"[{},{},{}]\"", "\"[{}]\"", "Metadata.PropertiesArray", 1),
    ] {
        let error = error_of(&body_of(3).replace(from, to));
        assert_eq!(
            error,
            DecodeError::LengthMismatch { field: field.to_owned(), expected: 3, found },
            "{to}"
        );
    }
    for count in [2, 5] {
        let system = |body: &str| {
            let start = body.find("\"SystemPropertiesArray\":").unwrap();
            body[start..].split(",\"sys\"").next().unwrap().to_owned()
        };
        let body = body_of(3).replace(&system(&body_of(3)), &system(&body_of(count)));
        let found = usize::try_from(count).unwrap();
        let field = "Metadata.SystemPropertiesArray".to_owned();
        assert_eq!(error_of(&body), DecodeError::LengthMismatch { field, expected: 3, found });
    }
}

#[test]
fn bad_base64_names_the_event() {
    let body = body_of(3).replacen("eyJ0IjoxfQ==", "eyJ0IjoxfQ=", 1);
    assert_eq!(field_and_problem(&error_of(&body)), ("Data.events[0]", Problem::BadBase64));
}

#[test]
fn bad_times_name_the_event() {
    let body = body_of(3).replacen("1970-01-01T00:00:01", "1970-01-32T00:00:01", 1);
    assert_eq!(field_and_problem(&error_of(&body)), ("Metadata.EnqueuedTimeUtcArray[1]", Problem::BadTime));
}

#[test]
fn broken_utf8_is_refused() {
    let mut body = body_of(2).into_bytes();
    let place = body.windows(5).rposition(|window| window == b"arm-1").unwrap();
    body[place] = 0xFF;
    let error = EventHubBatch::parse(&body, "events").unwrap_err();
    assert_eq!(field_and_problem(&error).1, Problem::BadUtf8);
}

#[test]
fn text_after_the_end_is_refused() {
    assert_eq!(field_and_problem(&error_of(&(body_of(2) + "x"))), ("body", Problem::TrailingText));
    let body = body_of(2).replace("}]\",\"sys\"", "}]x\",\"sys\"");
    assert_eq!(field_and_problem(&error_of(&body)).0, "Metadata.SystemPropertiesArray");
}

#[test]
fn missing_parts_are_named() {
    for (body, field) in [
        ("{}", "Metadata"),
        ("{\"Metadata\":{}}", "Data.events"),
        ("{\"Data\":{\"other\":\"[]\"},\"Metadata\":{}}", "Data.events"),
        ("{\"Data\":{\"events\":\"[]\"},\"Metadata\":{}}", "Metadata.TriggerPartitionContext"),
        ("{\"Data\":{\"events\":\"[\\\"\\\"]\"},\"Metadata\":{}}", "Metadata.SequenceNumberArray"),
    ] {
        assert_eq!(error_of(body), DecodeError::Missing { field: field.to_owned() });
    }
}

#[test]
fn several_bindings_need_a_name() {
    let body = b"{\"Data\":{\"a\":{\"IsPastDue\":true},\"b\":\"\\\"x\\\"\"},\"Metadata\":{}}";
    let error = TimerInvocation::parse(body, None).unwrap_err();
    assert_eq!(error, DecodeError::Ambiguous { first: "a".to_owned(), second: "b".to_owned() });
    assert!(TimerInvocation::parse(body, Some("a")).unwrap().is_past_due);
    assert_eq!(QueueInvocation::parse(body, Some("b")).unwrap().body, b"x");
}

#[test]
fn a_device_cannot_take_another_ones_name_in_any_entry() {
    // The shortcut for entries that are alike must see a value that ends early and begins another key.
    let name = "arm-0\",\"iothub-connection-device-id\":\"victim";
    let events: Vec<EventSpec> = (0..50)
        .map(|index| {
            let device = if index % 7 == 6 { name.to_owned() } else { format!("arm-{}", index % 3) };
            let mut event = EventSpec::telemetry("", index, index, b"");
            event.device_id = Some(device);
            event.message_id =
                Some(if index % 5 == 4 { "\\".repeat(index as usize) } else { format!("m{index}") });
            event
        })
        .collect();
    let body = event_hub_body(&events, &BatchOptions::default());
    let batch = EventHubBatch::parse(&body, "events").unwrap();
    for (event, read) in events.iter().zip(batch.events()) {
        assert_eq!(read.device_id(), event.device_id.as_deref());
        assert_eq!(read.message_id(), event.message_id.as_deref());
    }
}

#[test]
fn an_empty_batch_is_a_batch() {
    let body = event_hub_body(&[], &BatchOptions::default());
    assert!(EventHubBatch::parse(&body, "events").unwrap().is_empty());
}
