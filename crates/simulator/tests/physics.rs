//! Healthy machines stay in the ranges of the recipe, their signals hang together, and each fault moves the
//! right signals the right way.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use twinwright_simulator::{Fault, FaultKind, Kind, Machine, Reading, healthy_history};

const START: i64 = 1_770_000_000_000_000;
const SECOND: i64 = 1_000_000;

fn column(rows: &[Reading], name: &str) -> Vec<f64> {
    rows.iter().filter_map(|row| row.signal(name)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn spread(values: &[f64]) -> f64 {
    let middle = mean(values);
    (values.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let (l, r) = (mean(left), mean(right));
    let product: f64 = left.iter().zip(right).map(|(a, b)| (a - l) * (b - r)).sum();
    product / left.len() as f64 / spread(left) / spread(right)
}

#[test]
fn ranges_of_the_recipe() {
    let check = |kind, name, centre: f64, off: f64, low: f64, high: f64| {
        for seed in 0..5 {
            let values = column(&healthy_history(kind, seed, 4_000, SECOND), name);
            assert!((mean(&values) - centre).abs() < off, "{name} mean {}", mean(&values));
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
            assert!(least > low && most < high, "{name} {least} {most}");
        }
    };
    check(Kind::RoboticArm, "temperature", 45.0, 2.5, 35.0, 55.0);
    check(Kind::RoboticArm, "vibration", 2.5, 0.3, 1.0, 4.0);
    check(Kind::RoboticArm, "pressure", 120.0, 2.0, 108.0, 132.0);
    check(Kind::ConveyorBelt, "speed", 2.5, 0.1, 2.1, 2.9);
    check(Kind::ConveyorBelt, "load", 79.0, 5.0, 56.0, 101.0);
    check(Kind::ConveyorBelt, "motorTemperature", 35.5, 2.0, 28.0, 45.0);
}

#[test]
fn signals_hang_together() {
    let arm = healthy_history(Kind::RoboticArm, 1, 8_000, SECOND);
    let (vibration, pressure) = (column(&arm, "vibration"), column(&arm, "pressure"));
    assert!(correlation(&vibration, &pressure) < -0.6);
    assert!(correlation(&vibration, &column(&arm, "temperature")) > 0.3);
    let belt = healthy_history(Kind::ConveyorBelt, 1, 8_000, SECOND);
    assert!(correlation(&column(&belt, "speed"), &column(&belt, "load")) < -0.5);
    // Noise has a colour: a row tells something of the next.
    assert!(correlation(&pressure[1..], &pressure[..pressure.len() - 1]) > 0.5);
}

#[test]
fn regimes_change_and_show() {
    let rows = healthy_history(Kind::RoboticArm, 1, 2_000, SECOND);
    let changes = rows.windows(2).filter(|pair| pair[0].states != pair[1].states).count();
    assert!((10..400).contains(&changes), "{changes}");
    assert!(rows.iter().any(|row| row.states == [("operationalStatus", "idle")]));
}

fn fault(kind: FaultKind, signal: usize) -> Fault {
    Fault {
        kind,
        from_us: START + 300 * SECOND,
        to_us: START + 900 * SECOND,
        develops_us: if kind.develops() { 200 * SECOND } else { 0 },
        severity: 1.0,
        signal,
        every_us: 0,
    }
}

fn run(kind: Kind, fault: Option<Fault>) -> Vec<Reading> {
    let mut machine = Machine::new(kind, "m", 11);
    fault.into_iter().for_each(|fault| machine.add_fault(fault));
    (0..1_500).map(|row| machine.step(START + row * SECOND)).collect()
}

/// Change of each signal's mean between the healthy and the faulty run, in spreads of the healthy one.
fn shifts(kind: Kind, what: FaultKind, from: usize, to: usize) -> Vec<(&'static str, f64)> {
    let (healthy, faulty) = (run(kind, None), run(kind, Some(fault(what, 0))));
    kind.signals()
        .iter()
        .map(|signal| {
            let base = column(&healthy, signal.name);
            let seen = column(&faulty[from..to], signal.name);
            (signal.name, (mean(&seen) - mean(&base[from..to])) / spread(&base))
        })
        .collect()
}

fn shift(all: &[(&'static str, f64)], name: &str) -> f64 {
    all.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn bearing_wear_shakes_first_then_heats() {
    let early = shifts(Kind::RoboticArm, FaultKind::BearingWear, 320, 350);
    assert!(shift(&early, "vibration") > 1.0, "{early:?}");
    assert!(shift(&early, "temperature").abs() < 0.5, "{early:?}");
    let late = shifts(Kind::RoboticArm, FaultKind::BearingWear, 700, 900);
    assert!(shift(&late, "vibration") > 5.0 && shift(&late, "temperature") > 3.0, "{late:?}");
    assert!(shift(&late, "pressure").abs() < 0.5, "{late:?}");
}

#[test]
fn machine_faults_move_the_right_signals() {
    let late = |kind, what| shifts(kind, what, 700, 900);
    let hot = late(Kind::RoboticArm, FaultKind::Overheating);
    assert!(shift(&hot, "temperature") > 5.0 && shift(&hot, "vibration").abs() < 0.3, "{hot:?}");
    let leaking = late(Kind::RoboticArm, FaultKind::Leak);
    assert!(shift(&leaking, "pressure") < -8.0 && shift(&leaking, "temperature").abs() < 0.3, "{leaking:?}");
    let bent = late(Kind::RoboticArm, FaultKind::Misalignment);
    assert!(shift(&bent, "vibration") > 3.0, "{bent:?}");
    let jammed = late(Kind::ConveyorBelt, FaultKind::Jam);
    assert!(shift(&jammed, "speed") < -10.0 && shift(&jammed, "load") > 3.0, "{jammed:?}");
    assert!(shift(&jammed, "motorTemperature") > 5.0, "{jammed:?}");
    let worn = late(Kind::ConveyorBelt, FaultKind::BearingWear);
    assert!(shift(&worn, "motorTemperature") > 3.0 && shift(&worn, "speed") < -1.0, "{worn:?}");
    let dripping = late(Kind::Pump, FaultKind::Leak);
    assert!(shift(&dripping, "pressure") < -4.0 && shift(&dripping, "flow") > 0.5, "{dripping:?}");
    let empty = late(Kind::Press, FaultKind::Leak);
    assert!(shift(&empty, "force") < -3.0 && shift(&empty, "cycleTime") > 2.0, "{empty:?}");
}

#[test]
fn faults_end_and_labels_say_when() {
    let rows = run(Kind::RoboticArm, Some(fault(FaultKind::BearingWear, 0)));
    let labelled: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].label.is_some()).collect();
    assert_eq!((labelled[0], labelled[labelled.len() - 1], labelled.len()), (300, 899, 600));
    let severities: Vec<f64> = rows.iter().filter_map(|row| row.label.map(|label| label.severity)).collect();
    assert!(severities.windows(2).all(|pair| pair[0] <= pair[1]));
    let healthy = run(Kind::RoboticArm, None);
    let after =
        mean(&column(&rows[1_400..], "temperature")) - mean(&column(&healthy[1_400..], "temperature"));
    assert!(after.abs() < 0.5, "{after}");
}

#[test]
fn sensor_faults() {
    let of = |what| column(&run(Kind::RoboticArm, Some(fault(what, 1)))[300..900], "vibration");
    let stuck = of(FaultKind::StuckSensor);
    assert!(stuck.iter().all(|value| *value == stuck[0]));
    assert!(of(FaultKind::DropOut).is_empty());
    let drifting = of(FaultKind::Drift);
    assert!(mean(&drifting[400..]) > 4.0, "{}", mean(&drifting[400..]));
    let healthy = column(&run(Kind::RoboticArm, None)[300..900], "vibration");
    let wild = of(FaultKind::Spike).iter().zip(&healthy).filter(|(a, b)| (*a - *b).abs() > 1.0).count();
    assert!((60..200).contains(&wild), "{wild}");
    let others = column(&run(Kind::RoboticArm, Some(fault(FaultKind::StuckSensor, 1))), "temperature");
    assert_eq!(others, column(&run(Kind::RoboticArm, None), "temperature"));
}

#[test]
fn an_emergency_stop_stops_and_cools() {
    let mut belt = Machine::new(Kind::ConveyorBelt, "conveyor-belt-001", 1);
    let running = belt.step(START);
    assert!(belt.emergency_stop());
    assert!(!belt.emergency_stop());
    let stopped = (1..600).map(|row| belt.step(START + row * SECOND)).last().unwrap();
    assert!(stopped.signal("speed").unwrap() < 0.2, "{stopped:?}");
    assert!(stopped.signal("motorTemperature").unwrap() < running.signal("motorTemperature").unwrap() - 5.0);
    assert_eq!(stopped.states, [("operationalStatus", "stopped")]);
    assert!(belt.restart());
    let again = (600..700).map(|row| belt.step(START + row * SECOND)).last().unwrap();
    assert!(again.signal("speed").unwrap() > 2.0);
}
