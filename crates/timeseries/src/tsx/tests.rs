//! Expressions as clients write them, and as enemies do.

use proptest::prelude::*;

use super::*;
use crate::Column;

fn events() -> Events {
    Events {
        times: vec![1_772_622_367_000_000],
        columns: vec![
            ("speed".into(), Column::Numbers(vec![5.5])),
            ("count".into(), Column::Numbers(vec![7.0])),
            ("status".into(), Column::Texts(vec![Some("Running".into())])),
            ("series.value".into(), Column::Numbers(vec![3.0])),
            ("on".into(), Column::Texts(vec![Some("true".into())])),
            ("none".into(), Column::Numbers(vec![f64::NAN])),
        ],
    }
}

fn value(text: &str) -> Value {
    let events = events();
    let expression = Scalar::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.eval(&Row { events: &events, at: 0, value: &Value::Double(2.0), now: 9 })
}

#[test]
fn values_are_as_the_language_says() {
    for (text, expected) in [
        ("$event.speed.Double", Value::Double(5.5)),
        ("$event['speed'].Double + $value", Value::Double(7.5)),
        ("$event.['series.value'].Double", Value::Double(3.0)),
        ("$event.series.value.Double", Value::Double(3.0)),
        ("$event.count.Long", Value::Long(7)),
        ("$event.speed.Long", Value::Null),
        ("coalesce($event.speed.Long, toLong($event.speed.Double))", Value::Long(5)),
        ("$event.status.String = 'Running'", Value::Bool(true)),
        ("$event.status.String IN ('a', 'Running')", Value::Bool(true)),
        ("$event.status.String has 'RUN'", Value::Bool(true)),
        ("$event.on.Bool", Value::Bool(true)),
        ("NOT ($event.speed.Double > 5) OR $value = 2", Value::Bool(true)),
        ("$event.none.Double > 1 or true", Value::Bool(true)),
        ("$event.none.Double > 1", Value::Null),
        ("$event.none.Double = null", Value::Bool(true)),
        ("1 + 2 * 3 - -4", Value::Long(11)),
        ("7 / 2", Value::Double(3.5)),
        ("1 / 0", Value::Null),
        ("9223372036854775807 + 1", Value::Null),
        ("round(2.345, 2)", Value::Double(2.35)),
        ("iff($value >= 2, 'high', 'low')", Value::String("high".into())),
        ("hourOfDay($event.$ts)", Value::Long(11)),
        ("monthOfYear(dt'2024-02-29T23:00:00Z')", Value::Long(2)),
        ("dayOfMonth(dt'2024-02-29T23:00:00Z')", Value::Long(29)),
        ("dt'2026-01-02T00:00:00Z' - dt'2026-01-01T00:00:00Z' = ts'P1D'", Value::Bool(true)),
        ("utcNow()", Value::DateTime(9)),
        ("subString(toUpper('abc'), 1, 1)", Value::String("B".into())),
        ("indexOf('abc', 'c')", Value::Long(2)),
        ("replace('it''s', '\\'', '-')", Value::String("it-s".into())),
        ("strCat('a', 'b', 'c')", Value::String("abc".into())),
        ("$value-1", Value::Double(1.0)),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn aggregates_stand_where_they_may() {
    let of = |text: &str| Aggregation::parse(text);
    let slots = of("sum($event.a.Double) / count() * 2").unwrap();
    assert_eq!(slots.aggregates.len(), 2);
    assert_eq!(slots.finish(&[Value::Double(6.0), Value::Long(3)]), Value::Double(4.0));
    assert!(matches!(of("stDev($value)").unwrap().plain(), Some((Aggregate::Stdev, Some(_)))));
    for bad in ["1 + 2", "avg(max($value))", "avg()", "avg($value, 1)"] {
        assert!(of(bad).is_err(), "{bad}");
    }
    assert!(Scalar::parse("avg($value)").unwrap_err().to_string().contains("aggregate"));
}

#[test]
fn errors_say_where() {
    for (text, at) in
        [("1 +", 4), ("(1", 3), ("foo(1)", 1), ("1 ? 2", 3), ("'abc", 1), ("toLong()", 1), ("dt'x'", 3)]
    {
        match Scalar::parse(text).unwrap_err() {
            QueryError::Expression { at: found, .. } => assert_eq!(found, at, "{text}"),
            other => panic!("{other}"),
        }
    }
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    assert!(Scalar::parse(&deep).is_err());
    assert!(Scalar::parse(&"-".repeat(1_000)).is_err());
    assert!(Scalar::parse(&format!("1{}", "+1".repeat(900))).is_err());
    assert!(matches!(Scalar::parse(&"a".repeat(5_000)), Err(QueryError::Limit { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_does_harm(text in "\\PC{0,200}") {
        let _either = Aggregation::parse(&text);
        if let Ok(expression) = Scalar::parse(&text) {
            let events = events();
            expression.eval(&Row { events: &events, at: 0, value: &Value::Null, now: 0 });
        }
    }

    #[test]
    fn no_mixture_of_its_own_words_does_harm(words in prop::collection::vec(prop::sample::select(vec![
        "(", ")", "$event", ".speed", ".Double", "['a']", "+", "-", "*", "/", "%", "=", "<", "and", "or", "not", "in",
        "null", "1", "2.5e3", "'x'", "dt'2026-01-01'", "ts'PT1H'", "avg", "count", "toLong", "replace", ",", "$value", "iff",
    ]), 0..40)) {
        let text = words.join(" ");
        if let Ok(expression) = Scalar::parse(&text) {
            let events = events();
            expression.eval(&Row { events: &events, at: 0, value: &Value::Long(i64::MIN), now: 0 });
        }
        if let Ok(expression) = Aggregation::parse(&text) {
            expression.finish(&vec![Value::Double(1.0); expression.aggregates.len()]);
        }
    }
}
