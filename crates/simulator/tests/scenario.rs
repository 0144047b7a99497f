//! Scenarios: what is read, what is refused and with which words.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;
use twinwright_simulator::{Fault, FaultKind, Kind, Moment, Plant, PlantConfig, Scenario};

const SECOND: i64 = 1_000_000;

fn refused(text: &str) -> String {
    Scenario::parse(text).unwrap_err().to_string()
}

fn with_fault(fault: &str) -> String {
    format!(
        "{{\"name\":\"x\",\"lines\":[{{\"id\":\"l\",\"equipment\":[\
         {{\"id\":\"arm-1\",\"kind\":\"robotic-arm\"}},{{\"id\":\"belt-1\",\"kind\":\"conveyor-belt\"}}]}}],\
         \"faults\":[{fault}]}}"
    )
}

#[test]
fn built_in_ones_survive_a_round_trip() {
    for name in ["healthy", "demo", "many:1", "many:1234"] {
        let scenario = Scenario::built_in(name).unwrap();
        scenario.check().unwrap();
        assert_eq!(Scenario::parse(&scenario.to_json().unwrap()).unwrap(), scenario);
    }
    assert_eq!(Scenario::many(1_234).equipment().count(), 1_234);
    assert!(!Scenario::many(1_234).faults.is_empty());
    for name in ["", "many:", "many:0", "many:-1", "many:99999999999", "Demo"] {
        assert!(Scenario::built_in(name).unwrap_err().to_string().contains("use healthy, demo"), "{name}");
    }
}

#[test]
fn errors_say_what_to_do() {
    let cases = [
        (r#"{"device":"arm-2","fault":"jam","from":{"fraction":0.5}}"#, "did you mean \"arm-1\""),
        (
            r#"{"device":"belt-1","fault":"leak","from":{"fraction":0.5}}"#,
            "a conveyor-belt can not have leak",
        ),
        (r#"{"device":"arm-1","fault":"jam","from":{"fraction":1.5}}"#, "from is 1.5; give a fraction"),
        (
            r#"{"device":"arm-1","fault":"jam","from":{"seconds":9},"to":{"seconds":9}}"#,
            "a moment after from",
        ),
        (r#"{"device":"arm-1","fault":"jam","from":{"seconds":9},"severity":2}"#, "severity is 2"),
        (r#"{"device":"arm-1","fault":"drift","from":{"seconds":9},"signal":"speed"}"#, "it has temperature"),
        (r#"{"device":"arm-1","fault":"rust","from":{"seconds":9}}"#, "unknown variant `rust`"),
        (r#"{"device":"arm-1","fault":"jam","from":{"seconds":9},"until":3}"#, "unknown field `until`"),
    ];
    for (fault, words) in cases {
        let error = refused(&with_fault(fault));
        assert!(error.contains(words), "{error}");
    }
    let twice = r#"{"name":"x","lines":[{"id":"l","equipment":[{"id":"a","kind":"pump"},{"id":"a","kind":"press"}]}]}"#;
    assert!(refused(twice).contains("occurs twice"));
    let bad = r#"{"name":"x","lines":[{"id":"l","equipment":[{"id":"a b","kind":"pump"}]}]}"#;
    assert!(refused(bad).contains("not one that IoT Hub takes"));
    assert!(refused(r#"{"name":"x","lines":[],"cycleSeconds":0}"#).contains("cycleSeconds is 0"));
}

#[test]
fn the_demo_has_both_faults_at_their_times() {
    let config = PlantConfig { run_us: Some(60 * SECOND), ..PlantConfig::new(1, Scenario::demo(), 0) };
    let truth = Plant::new(&config).unwrap().truth();
    let told: Vec<_> = truth.iter().map(|t| (&*t.device_id, t.fault, t.from_us, t.to_us)).collect();
    assert_eq!(
        told,
        [
            ("robotic-arm-001", FaultKind::BearingWear, 21 * SECOND, 60 * SECOND),
            ("conveyor-belt-001", FaultKind::Jam, 36 * SECOND, 45 * SECOND),
        ]
    );
}

#[test]
fn a_run_without_end_repeats_its_faults() {
    let mut plant = Plant::new(&PlantConfig::new(1, Scenario::demo(), 0)).unwrap();
    let belt = plant.machine_mut("conveyor-belt-001").unwrap();
    let jammed: Vec<i64> = (0..1_200).filter(|row| belt.step(row * SECOND).label.is_some()).collect();
    let expected: Vec<i64> = (360..450).chain(960..1_050).collect();
    assert_eq!(jammed, expected);
}

#[test]
fn settings_are_checked() {
    let config = PlantConfig::new(1, Scenario::healthy(), 0);
    for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        assert!(Plant::new(&PlantConfig { time_scale: bad, ..config.clone() }).is_err());
    }
    assert!(Plant::new(&PlantConfig { run_us: Some(0), ..config }).is_err());
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![any::<f64>().prop_map(Moment::Fraction), (0.0..1e10_f64).prop_map(Moment::Seconds)]
}

proptest! {
    /// No text at all makes the parser panic, and what it takes can be run.
    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        let _ = Scenario::parse(&text);
    }

    #[test]
    fn any_shaped_text_is_survived(
        device in "[a-z1-9-]{0,6}", fault in "jam|leak|drift|x", number in any::<f64>(), word in "fraction|seconds|x",
    ) {
        let fault = format!("{{\"device\":\"{device}\",\"fault\":\"{fault}\",\"from\":{{\"{word}\":{number:?}}}}}");
        let _ = Scenario::parse(&with_fault(&fault));
    }

    /// Whatever the checks let through, a plant can be built of it and runs.
    #[test]
    fn what_is_checked_runs(
        from in moment(), to in proptest::option::of(moment()), develops in proptest::option::of(moment()),
        severity in -0.5..1.5_f64, run_us in proptest::option::of(1..10_000_000_000_i64), start in any::<i64>(),
    ) {
        let mut scenario = Scenario::demo();
        let fault = &mut scenario.faults[0];
        (fault.from, fault.to, fault.develops, fault.severity) = (from, to, develops, severity);
        let config = PlantConfig { run_us, ..PlantConfig::new(1, scenario, start) };
        if let Ok(mut plant) = Plant::new(&config) {
            for step in 0..5 {
                for reading in plant.step(start.saturating_add(step * SECOND)) {
                    prop_assert!(reading.signals.iter().all(|(_, value)| value.is_finite()));
                    prop_assert!(reading.label.is_none_or(|label| label.severity > 0.0 && label.severity <= 1.0));
                }
            }
        }
    }

    #[test]
    fn severity_is_always_between_nought_and_full(
        from_us in any::<i64>(), to_us in any::<i64>(), develops_us in any::<i64>(), every_us in 0..i64::MAX, at in any::<i64>(),
    ) {
        let fault =
            Fault { kind: FaultKind::Leak, from_us, to_us, develops_us, severity: 0.7, signal: 0, every_us };
        prop_assert!((0.0..=0.7).contains(&fault.severity_at(at)));
    }
}

#[test]
fn a_signal_index_that_is_not_there_does_no_harm() {
    let mut machine = twinwright_simulator::Machine::new(Kind::RoboticArm, "a", 1);
    machine.add_fault(Fault {
        kind: FaultKind::DropOut,
        from_us: 0,
        to_us: i64::MAX,
        develops_us: 0,
        severity: 1.0,
        signal: 99,
        every_us: 0,
    });
    assert_eq!(machine.step(5).signals.len(), 2);
}
