//! Same seed, same bytes; in whatever batches, alone or in a plant.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;
use twinwright_simulator::{Kind, Machine, Plant, PlantConfig, Scenario, healthy_history};

const START: i64 = 1_770_000_000_000_000;
const SECOND: i64 = 1_000_000;

fn plant(seed: u64) -> Plant {
    let run_us = Some(200 * SECOND);
    Plant::new(&PlantConfig { run_us, ..PlantConfig::new(seed, Scenario::demo(), START) }).unwrap()
}

#[test]
fn same_seed_same_bytes_and_other_seed_other_bytes() {
    let bytes = |seed| -> Vec<String> {
        let mut plant = plant(seed);
        (0..200)
            .flat_map(|row| plant.step(START + row * SECOND).map(|r| r.to_json()).collect::<Vec<_>>())
            .collect()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn machines_taken_apart_tell_the_same() {
    let mut whole = plant(5);
    let mut apart = plant(5).into_machines();
    let together: Vec<_> =
        (0..200).flat_map(|row| whole.step(START + row * SECOND).collect::<Vec<_>>()).collect();
    for (place, machine) in apart.iter_mut().enumerate() {
        for row in 0..200_usize {
            let reading = machine.step(START + row as i64 * SECOND);
            assert_eq!(reading, together[row * 2 + place]);
        }
    }
}

/// The bytes are a contract: golden figures elsewhere stand on them. If this fails, the physics changed.
#[test]
fn golden_first_reading() {
    let mut machine = Machine::new(Kind::RoboticArm, "robotic-arm-001", 42);
    let first = machine.step(START).to_json();
    let second = machine.step(START + SECOND).to_json();
    assert_eq!([first, second], GOLDEN);
}

const GOLDEN: [&str; 2] = [
    r#"{"deviceId":"robotic-arm-001","timestamp":"2026-02-02T02:40:00.000000","temperature":39.65,"vibration":1.729,"pressure":122.75,"operationalStatus":"idle"}"#,
    r#"{"deviceId":"robotic-arm-001","timestamp":"2026-02-02T02:40:01.000000","temperature":39.71,"vibration":1.561,"pressure":123.87,"operationalStatus":"idle"}"#,
];

#[test]
fn a_fault_does_not_shift_the_noise_before_or_after_it() {
    let run_us = Some(200 * SECOND);
    let of = |scenario| {
        let mut plant = Plant::new(&PlantConfig { run_us, ..PlantConfig::new(3, scenario, START) }).unwrap();
        (0..200).flat_map(|row| plant.step(START + row * SECOND).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let (healthy, faulty) = (of(Scenario::healthy()), of(Scenario::demo()));
    for (left, right) in healthy.iter().zip(&faulty).filter(|(_, right)| right.time_us < START + 70 * SECOND)
    {
        assert_eq!(left, right);
    }
    // The conveyor's speed has no memory of the jam beyond its noise.
    let last = |rows: &[twinwright_simulator::Reading]| rows[399].signal("speed").unwrap();
    assert!((last(&healthy) - last(&faulty)).abs() < 1e-9);
}

#[test]
fn histories_repeat() {
    for kind in Kind::ALL {
        let rows = healthy_history(kind, 9, 300, SECOND);
        assert_eq!(rows.len(), 300);
        assert_eq!(rows, healthy_history(kind, 9, 300, SECOND));
        assert!(rows.iter().all(|row| row.label.is_none() && row.signals.len() == kind.signals().len()));
    }
}

proptest! {
    /// Any times at all, also backwards and a hundred thousand years apart: bounded work, finite values in range.
    #[test]
    fn any_clock_is_survived(times in proptest::collection::vec(any::<i64>(), 1..40), kind in 0..4_usize) {
        let kind = Kind::ALL[kind];
        let mut machine = Machine::new(kind, "x", 1);
        for time_us in times {
            let reading = machine.step(time_us);
            prop_assert_eq!(reading.time_us, time_us);
            for (signal, (_, value)) in kind.signals().iter().zip(&reading.signals) {
                prop_assert!((signal.range.0..=signal.range.1).contains(value), "{} {}", signal.name, value);
            }
            prop_assert!(serde_json::from_str::<serde_json::Value>(&reading.to_json()).is_ok());
        }
    }
}
