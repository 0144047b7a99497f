use proptest::prelude::*;

use super::*;
use crate::frame::{Frame, NO_STATE};
use crate::quality::RowFlags;

const ORIGIN: Origin = Origin {
    partition: 3,
    range: SequenceRange { first: 10, last: 19 },
    first_enqueued: 1_700_000_000_000_000,
    last_enqueued: 1_700_000_000_000_009,
};

fn event(sequence: i64, body: &[u8]) -> RawEvent<'_> {
    RawEvent {
        sequence,
        enqueued: ORIGIN.first_enqueued + sequence,
        device: Some("robotic-arm-001"),
        source: Some("Telemetry"),
        body,
        properties: "",
    }
}

fn decode_bodies(bodies: &[&[u8]]) -> Decoded {
    let events = bodies.iter().zip(10..).map(|(body, sequence)| event(sequence, body));
    decode(ORIGIN, events, &|_| false)
}

fn reason(body: &[u8]) -> &'static str {
    decode_bodies(&[body]).rejected.first().map_or("accepted", |rejected| rejected.reason.code())
}

#[test]
fn the_recipe_s_payload_becomes_columns() {
    let body = br#"{"deviceId":"robotic-arm-001","timestamp":"2023-11-14T22:13:20.5","temperature":45.1,
        "vibration":2,"operationalStatus":"running","door":true,"axis":{"a1":0.5},"tags":[1,2],"none":null}"#;
    let Decoded { frame, rejected } = decode_bodies(&[body, br#"{"vibration":3.5}"#]);
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(frame.rows(), 2);
    assert_eq!(frame.time, [1_700_000_000_500_000, ORIGIN.first_enqueued + 11]);
    assert_eq!(frame.signal("vibration").unwrap().values, [2.0, 3.5]);
    assert!(frame.signal("temperature").unwrap().values[1].is_nan());
    assert_eq!(frame.signal("axis.a1").unwrap().values[0], 0.5);
    let states: Vec<_> = frame.states.iter().map(|s| (&*s.name, &*s.dictionary[0], s.codes[1])).collect();
    assert_eq!(states, [("operationalStatus", "running", NO_STATE), ("door", "true", NO_STATE)]);
    assert_eq!(frame.extra.get(0), Some(r#"{"tags":[1,2]}"#));
}
#[test]
fn every_bad_payload_has_its_reason() {
    assert_eq!(reason(b"{"), "not-json");
    assert_eq!(reason(b""), "not-json");
    assert_eq!(reason(b"\xff\xfe"), "not-json");
    assert_eq!(reason(br#"{"temperature": NaN}"#), "not-json");
    assert_eq!(reason(br#"{"temperature": 1e999}"#), "not-json");
    assert_eq!(reason(br#"{"a":1} trailing"#), "not-json");
    assert_eq!(reason(b"[1]"), "not-an-object");
    assert_eq!(reason(b"42"), "not-an-object");
    assert_eq!(reason(b"{}"), "empty");
    assert_eq!(reason(br#"{"deviceId":"other","t":1}"#), "other-device");
    assert_eq!(reason(br#"{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":{"k":1}}}}}}}}}}}"#), "too-deep");
    assert_eq!(reason(&vec![b'['; 200_000]), "not-an-object");
    let mut deep = br#"{"a":"#.to_vec();
    deep.extend(vec![b'['; 100_000]);
    assert_eq!(reason(&deep), "not-json");
    assert_eq!(reason(&vec![b' '; MAX_BODY + 1]), "too-large");
    let other = RawEvent { device: None, ..event(10, b"{}") };
    assert_eq!(decode(ORIGIN, [other], &|_| false).rejected[0].reason, Reason::NoDevice);
    let other = RawEvent { source: Some("twinChangeEvents"), ..event(10, b"{}") };
    assert_eq!(decode(ORIGIN, [other], &|_| false).rejected[0].reason.code(), "not-telemetry");
}

#[test]
fn text_in_a_number_s_place_is_flagged_and_kept() {
    for body in [&br#"{"temperature":"NaN","x":1}"#[..], br#"{"temperature":"-Infinity","x":1}"#] {
        let frame = decode_bodies(&[body]).frame;
        assert_eq!(frame.row_flags, [RowFlags::TYPE]);
        assert!(frame.signal("temperature").is_none());
        assert!(frame.extra.get(0).unwrap().contains("temperature"));
    }
    let frame = decode(ORIGIN, [event(10, br#"{"temperature":"hot"}"#)], &|name| name == "temperature").frame;
    assert_eq!(frame.row_flags, [RowFlags::TYPE]);
    assert!(frame.states.is_empty());
}

#[test]
fn a_clock_that_runs_ahead_is_not_believed() {
    let frame = decode_bodies(&[br#"{"timestamp":"2099-01-01T00:00:00Z","t":1}"#]).frame;
    assert_eq!(frame.time, [ORIGIN.first_enqueued + 10]);
    assert_eq!(frame.row_flags, [RowFlags::CLOCK]);
    assert_eq!(frame.extra.get(0), Some(r#"{"timestamp":"2099-01-01T00:00:00Z"}"#));
}

#[test]
fn more_fields_than_columns_go_to_extra() {
    let fields: Vec<String> = (0..MAX_COLUMNS + 5).map(|n| format!(r#""f{n}":{n}"#)).collect();
    let body = format!("{{{}}}", fields.join(","));
    let frame = decode_bodies(&[body.as_bytes()]).frame;
    assert_eq!(frame.signals.len(), MAX_COLUMNS);
    assert!(frame.extra.get(0).unwrap().contains("f204"));
}

proptest! {
    #[test]
    fn any_bytes_are_a_row_or_a_dead_letter(bodies in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let decoded = decode_bodies(&bodies);
        prop_assert_eq!(decoded.frame.rows() + decoded.rejected.len(), bodies.len());
        for column in &decoded.frame.signals {
            prop_assert_eq!(column.values.len(), decoded.frame.rows());
        }
    }

    /// Behind a row of the same shape the general reader is not asked; behind one of another it is.
    #[test]
    fn a_row_is_read_the_same_whether_or_not_its_shape_is_known(values in proptest::collection::vec(value(), 4)) {
        let names = ["deviceId", "timestamp", "x", "y"];
        let field = |(name, value): (&&str, &String)| format!("\"{name}\": {value}");
        let fields: Vec<String> = names.iter().zip(&values).map(field).collect();
        let body = format!("{{{}}}", fields.join(" ,"));
        let behind = |first: &[u8]| decode_bodies(&[first, body.as_bytes()]);
        let alike = behind(br#"{"deviceId":"robotic-arm-001","timestamp":"2023-11-14T22:13:20","x":1,"y":2}"#);
        let general = behind(br#"{"x":1,"y":2}"#);
        prop_assert_eq!(&alike.rejected, &general.rejected);
        if alike.rejected.is_empty() {
            prop_assert_eq!(alike.frame.time[1], general.frame.time[1]);
            prop_assert_eq!(alike.frame.extra.get(1), general.frame.extra.get(1));
            prop_assert_eq!(&alike.frame.row_flags, &general.frame.row_flags);
            for name in names {
                prop_assert_eq!(cell(&alike.frame, name, 1), cell(&general.frame, name, 1));
            }
        }
    }

    #[test]
    fn columns_line_up_whatever_the_fields(rows in proptest::collection::vec(
        proptest::collection::btree_map("[a-e]{1,2}", -1e6..1e6_f64, 1..5), 1..20)) {
        let bodies: Vec<String> = rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
        let bytes: Vec<&[u8]> = bodies.iter().map(String::as_bytes).collect();
        let frame = decode_bodies(&bytes).frame;
        prop_assert_eq!(frame.rows(), rows.len());
        for (at, row) in rows.iter().enumerate() {
            for column in &frame.signals {
                match row.get(&*column.name) {
                    Some(value) => prop_assert!((column.values[at] - value).abs() <= value.abs() * 1e-12),
                    None => prop_assert!(column.values[at].is_nan()),
                }
            }
        }
    }
}

/// Anything that a field of a payload may be, well formed or not.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,8})?",
        1 => "-?[0-9]{0,25}\\.?[0-9]{0,25}([eE][+-]?[0-9]{1,3})?",
        1 => any::<f64>().prop_map(|value| format!("{value}")),
        1 => "\"[a-z 0-9:.TZ\\-]{0,30}\"",
        1 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
        1 => Just("\"robotic-arm-001\"".to_owned()),
        1 => Just("\"2023-11-14T22:13:21Z\"".to_owned()),
        1 => (0..4_usize).prop_map(|at| ["true", "false", "null", "[1]"][at].to_owned()),
    ]
}

/// A cell's bits, or its text.
fn cell(frame: &Frame, name: &str, row: usize) -> (Option<u64>, Option<String>) {
    let number = frame.signal(name).map(|column| column.values[row]).filter(|value| !value.is_nan());
    let state = frame.states.iter().find(|column| &*column.name == name);
    let text = state.and_then(|column| column.dictionary.get(column.codes[row] as usize));
    (number.map(f64::to_bits), text.map(|text| text.to_string()))
}
