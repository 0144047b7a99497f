//! Buckets against a plain recount, however the events are cut.

use proptest::prelude::*;
use serde_json::json;
use twinwright_core::time::SECOND;

use super::*;
use crate::Column;

/// 2026-03-04T00:00:00Z
const START: Micros = 1_772_582_400 * SECOND;

fn request(variables: &serde_json::Value, interval: &str) -> AggregateSeries {
    let names: Vec<String> = variables.as_object().unwrap().keys().cloned().collect();
    serde_json::from_value(json!({
        "timeSeriesId": ["arm-1"],
        "searchSpan": { "from": "2026-03-04T00:00:00Z", "to": "2026-03-04T00:01:00Z" },
        "interval": interval,
        "projectedVariables": names,
        "inlineVariables": variables,
    }))
    .unwrap()
}

fn events(rows: &[(i64, f64, &str)]) -> Events {
    Events {
        times: rows.iter().map(|(second, ..)| START + second * SECOND).collect(),
        columns: vec![
            ("speed".into(), Column::Numbers(rows.iter().map(|(_, speed, _)| *speed).collect())),
            ("status".into(), Column::Texts(rows.iter().map(|(.., text)| Some(Arc::from(*text))).collect())),
        ],
    }
}

#[expect(clippy::needless_pass_by_value, reason = "tests write the variables where they call")]
fn answer(
    variables: serde_json::Value,
    interval: &str,
    rows: &[(i64, f64, &str)],
) -> BTreeMap<String, Vec<Value>> {
    let mut aggregation = Aggregation::new(&request(&variables, interval), &BTreeMap::new(), 0).unwrap();
    rows.iter().for_each(|row| aggregation.take(&events(&[*row])).unwrap());
    aggregation.finish().properties.into_iter().map(|property| (property.name, property.values)).collect()
}

#[test]
fn the_three_kinds_of_variables_are_answered() {
    let speed = json!({ "tsx": "$event.speed.Double" });
    let numeric = |aggregation: &str| json!({ "kind": "numeric", "value": speed, "aggregation": { "tsx": aggregation } });
    let found = answer(
        json!({
            "mean": numeric("avg($value)"),
            "deviation": numeric("stDev($value)"),
            "middle": numeric("median($value)"),
            "held": {
                "kind": "numeric", "value": speed, "aggregation": { "tsx": "twavg($value)" },
                "interpolation": { "kind": "Step", "boundary": { "span": "PT1M" } },
            },
            "fast": { "kind": "aggregate", "filter": { "tsx": "$event.speed.Double > 2" }, "aggregation": { "tsx": "count()" } },
            "share": {
                "kind": "aggregate",
                "aggregation": { "tsx": "sum(iff($event.status.String = 'idle', 1, 0)) / count()" },
            },
            "state": {
                "kind": "categorical", "value": { "tsx": "$event.status.String" },
                "categories": [{ "label": "Good", "values": ["running"] }], "defaultCategory": { "label": "Other" },
            },
            "held state": {
                "kind": "categorical", "value": { "tsx": "$event.status.String" }, "interpolation": { "kind": "Step" },
                "categories": [{ "label": "Good", "values": ["running"] }], "defaultCategory": { "label": "Other" },
            },
        }),
        "PT20S",
        &[(-30, 8.0, "idle"), (0, 5.0, "running"), (5, 1.0, "running"), (10, 3.0, "idle"), (45, 7.0, "idle")],
    );
    let double = Value::Double;
    assert_eq!(found["mean"], [double(3.0), Value::Null, double(7.0)]);
    assert_eq!(found["deviation"][0], double(2.0));
    assert_eq!(found["middle"][0], double(1.0), "the middle by time");
    assert_eq!(
        found["held"],
        [double((25.0 + 5.0 + 30.0) / 20.0), double(3.0), double((15.0 + 105.0) / 20.0)]
    );
    assert_eq!(found["fast"], [Value::Long(2), Value::Null, Value::Long(1)]);
    assert_eq!(found["share"][0], double(1.0 / 3.0));
    assert_eq!(found["state[Good]"], [Value::Long(2), Value::Long(0), Value::Long(0)]);
    assert_eq!(found["state[Other]"], [Value::Long(1), Value::Long(0), Value::Long(1)]);
    assert_eq!(found["held state[Other]"], [Value::Long(1), Value::Long(1), Value::Long(2)]);
}

#[test]
fn what_cannot_be_answered_is_refused_before_any_work() {
    let variable = |shape: serde_json::Value| json!({ "x": shape });
    let speed = json!({ "tsx": "$event.speed.Double" });
    for (variables, interval, part) in [
        (variable(json!({ "kind": "numeric", "value": speed })), "PT1S", "no aggregation"),
        (
            variable(json!({ "kind": "numeric", "value": speed, "aggregation": { "tsx": "left($value)" } })),
            "PT1S",
            "interpolation",
        ),
        (
            variable(json!({ "kind": "numeric", "value": speed, "aggregation": { "tsx": "avg($value" } })),
            "PT1S",
            "character",
        ),
        (variable(json!({ "kind": "aggregate", "aggregation": { "tsx": "count()" } })), "PT0S", "duration"),
        (
            variable(json!({ "kind": "aggregate", "aggregation": { "tsx": "count()" } })),
            "PT0.0001S",
            "200000",
        ),
        (json!({}), "PT1S", "at least one"),
    ] {
        let error = Aggregation::new(&request(&variables, interval), &BTreeMap::new(), 0).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        let body = error.body();
        assert!(
            body["error"]["innerError"]["code"].is_string() && body["error"]["code"] == "InvalidInput",
            "{body}"
        );
    }
    let many: serde_json::Map<_, _> = (0..51)
        .map(|at| (format!("v{at}"), json!({ "kind": "aggregate", "aggregation": { "tsx": "count()" } })))
        .collect();
    assert!(Aggregation::new(&request(&many.into(), "PT1S"), &BTreeMap::new(), 0).is_err());
}

#[test]
fn plain_aggregates_are_told_from_others() {
    let plain = json!({ "kind": "numeric", "value": { "tsx": "$event.speed.Double" }, "aggregation": { "tsx": "max($value)" } });
    let of =
        |variables| Aggregation::new(&request(&variables, "PT1S"), &BTreeMap::new(), 0).unwrap().simple();
    assert_eq!(of(json!({ "x": plain })).unwrap()[0].aggregate, Aggregate::Max);
    let filtered = json!({ "kind": "numeric", "value": { "tsx": "$event.speed.Double" }, "filter": { "tsx": "$value > 1" },
        "aggregation": { "tsx": "max($value)" } });
    assert_eq!(of(json!({ "x": filtered })), None);
    assert_eq!(of(json!({ "x": { "kind": "aggregate", "aggregation": { "tsx": "count()" } } })), None);
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        rows in prop::collection::vec((0_i64..60, -50_i32..50), 0..80), cut in 1_usize..10, width in 1_u32..30
    ) {
        let mut rows: Vec<(i64, f64, &str)> = rows.into_iter().map(|(t, v)| (t, f64::from(v), "x")).collect();
        rows.sort_by_key(|row| row.0);
        let of = |tsx: &str| json!({ "kind": "numeric", "value": { "tsx": "$event.speed.Double" }, "aggregation": { "tsx": tsx } });
        let variables = json!({ "n": of("count()"), "s": of("sum($value)"), "l": of("last($value)"), "m": of("min($value)") });
        let request = request(&variables, &format!("PT{width}S"));
        let mut whole = Aggregation::new(&request, &BTreeMap::new(), 0).unwrap();
        whole.take(&events(&rows)).unwrap();
        let grid = *whole.grid();
        let mut parts = Aggregation::new(&request, &BTreeMap::new(), 0).unwrap();
        rows.chunks(cut).for_each(|rows| parts.take(&events(rows)).unwrap());
        let page = whole.finish();
        prop_assert_eq!(&page, &parts.finish());
        for bucket in 0..grid.count {
            let ours: Vec<f64> = rows.iter().filter(|row| grid.bucket(START + row.0 * SECOND) == Some(bucket)).map(|row| row.1).collect();
            let value = |name: &str| page.properties.iter().find(|p| p.name == name).unwrap().values[bucket].number();
            prop_assert_eq!(value("s"), (!ours.is_empty()).then(|| ours.iter().sum()));
            prop_assert_eq!(value("l"), ours.last().copied());
            prop_assert_eq!(value("m"), ours.iter().copied().reduce(f64::min));
        }
    }
}
