//! Fitting, calibrating and judging on generated plants whose truth is known.

#![allow(missing_docs, clippy::unwrap_used)]

use twinwright_kernels::{Baseline, Batch, EwmaChart, GaussianMixture, Kernel, SmoothedMahalanobis};
use twinwright_training::{Candidate, Evaluation, Fault, Matrix, Options, TrainError, evaluate, fit};

const SECOND: i64 = 1_000_000;

/// A small generator of our own: the numbers must never change with a library's version.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        // Sum of uniforms, close enough to a normal distribution of deviation 1.
        (0..12)
            .map(|_| {
                self.0 =
                    self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (self.0 >> 11) as f64 / (1_u64 << 53) as f64
            })
            .sum::<f64>()
            - 6.0
    }
}

struct Plant {
    signals: Vec<String>,
    device: Vec<u32>,
    time: Vec<i64>,
    values: Vec<f64>,
}

impl Plant {
    /// Load follows speed, temperature follows load; a coolant sensor that never moves.
    fn run(rows: usize, seed: u64, speeds: &[f64]) -> Self {
        let mut noise = Noise(seed);
        let mut plant = Self {
            signals: ["speed", "load", "temperature", "coolant"].map(str::to_owned).to_vec(),
            device: vec![0; rows],
            time: (0..rows as i64).map(|row| row * SECOND).collect(),
            values: Vec::new(),
        };
        for row in 0..rows {
            let speed = speeds[row / 40 % speeds.len()] + 2.0 * noise.next();
            let load = 0.5 * speed + noise.next();
            plant.values.extend([speed, load, 20.0 + 0.2 * load + 0.5 * noise.next(), 7.0]);
        }
        plant
    }

    fn matrix(&self) -> Matrix<'_> {
        Matrix { device: &self.device, time: &self.time, values: &self.values }
    }

    fn scores<K: Kernel>(&self, baseline: &Baseline) -> Vec<f64> {
        let batch = Batch {
            signals: self.signals.len(),
            device: &self.device,
            time: &self.time,
            values: &self.values,
            mask: &vec![0; self.values.len()],
            state: &[],
            state_ends: &[0],
        };
        K::new(baseline).unwrap().score(&batch).unwrap().scores
    }
}

fn speed() -> Vec<String> {
    vec!["speed".to_owned()]
}

#[test]
fn normal_operation_is_quiet_and_a_lasting_shift_is_found() {
    let trained = Plant::run(2_000, 1, &[100.0]);
    let baseline =
        fit("pump", &trained.signals, &[], &trained.matrix(), &Options::default()).unwrap().baseline;
    let mut fresh = Plant::run(2_000, 2, &[100.0]);
    for row in 1_500..2_000 {
        fresh.values[row * 4 + 2] += 2.0;
    }
    for scores in [fresh.scores::<SmoothedMahalanobis>(&baseline), fresh.scores::<EwmaChart>(&baseline)] {
        let false_alarms = scores[..1_500].iter().filter(|score| **score > 1.0).count();
        assert!(false_alarms < 15, "{false_alarms} of 1,500 rows");
        let found = scores[1_500..].iter().position(|score| *score > 1.0).unwrap();
        assert!(found < 30, "after {found} rows");
        assert!(scores[1_550..].iter().all(|score| *score > 1.0));
    }
}

#[test]
fn two_set_points_become_two_regimes_and_noise_stays_one() {
    let two = Plant::run(2_400, 3, &[100.0, 180.0]);
    let baseline = fit("pump", &two.signals, &speed(), &two.matrix(), &Options::default()).unwrap().baseline;
    assert_eq!(baseline.regimes.len(), 2);
    assert!((baseline.regimes[0].centre[0] - 100.0).abs() < 2.0);
    assert!((baseline.regimes[1].centre[0] - 180.0).abs() < 2.0);
    let scores = Plant::run(1_000, 4, &[180.0, 100.0]).scores::<SmoothedMahalanobis>(&baseline);
    assert!(scores.iter().filter(|score| **score > 1.0).count() < 10);
    let one = Plant::run(2_400, 5, &[100.0]);
    let baseline = fit("pump", &one.signals, &speed(), &one.matrix(), &Options::default()).unwrap().baseline;
    assert_eq!(baseline.regimes.len(), 1);
}

#[test]
fn passages_and_glitches_of_a_setting_are_no_regime_and_hide_none() {
    let mut plant = Plant::run(4_000, 3, &[100.0, 180.0]);
    let column = plant.signals.iter().position(|signal| *signal == speed()[0]).unwrap();
    for row in (0..4_000).step_by(50) {
        // One row in fifty is anywhere between the two, one in two hundred is nonsense.
        let nonsense = row % 200 == 0;
        let passing = 105.0 + (row * 37 % 70) as f64;
        plant.values[row * 4 + column] = if nonsense { 1e6 } else { passing };
    }
    let baseline =
        fit("pump", &plant.signals, &speed(), &plant.matrix(), &Options::default()).unwrap().baseline;
    let centres: Vec<f64> = baseline.regimes.iter().map(|regime| regime.centre[0]).collect();
    assert!(
        matches!(centres[..], [low, high] if (low - 100.0).abs() < 2.0 && (high - 180.0).abs() < 2.0),
        "{centres:?}"
    );
    let passing = baseline.metrics["passing_rows"];
    assert!((20.0..=80.0).contains(&passing), "{passing}");
}

#[test]
fn set_points_to_the_digit_are_regimes_too() {
    let mut plant = Plant::run(4_000, 3, &[100.0, 180.0]);
    for (row, speed) in plant.values.iter_mut().step_by(4).enumerate() {
        *speed = if row / 40 % 2 == 0 { 100.0 } else { 180.0 };
    }
    let baseline =
        fit("pump", &plant.signals, &speed(), &plant.matrix(), &Options::default()).unwrap().baseline;
    let centres: Vec<f64> = baseline.regimes.iter().map(|regime| regime.centre[0].round()).collect();
    assert_eq!((centres, baseline.metrics["passing_rows"]), (vec![100.0, 180.0], 0.0));
}

#[test]
fn what_lies_between_two_ways_of_running_is_found_without_a_setting_that_tells_them_apart() {
    let history = Plant::run(4_000, 1, &[40.0, 100.0]);
    let extra = vec![GaussianMixture::NAME.to_owned()];
    let options = Options { extra_scorers: extra, ..Options::default() };
    let baseline = fit("pump", &history.signals, &[], &history.matrix(), &options).unwrap().baseline;
    let mixture = baseline.mixture.as_ref().unwrap();
    assert!(mixture.components.len() >= 2, "{mixture:?}");
    assert_eq!(Baseline::from_json(&baseline.to_json().unwrap()).unwrap(), baseline);
    let above =
        |scores: &[f64]| scores.iter().filter(|score| **score > 1.0).count() as f64 / scores.len() as f64;
    let normal = Plant::run(2_000, 9, &[40.0, 100.0]);
    let between = Plant::run(400, 5, &[70.0]);
    assert!(above(&normal.scores::<GaussianMixture>(&baseline)) < 0.005);
    assert!(above(&between.scores::<GaussianMixture>(&baseline)[30..]) > 0.95);
    // To a single mean it is the most normal of all.
    assert!(above(&between.scores::<SmoothedMahalanobis>(&baseline)) < 0.05);
    let again = fit("pump", &history.signals, &[], &history.matrix(), &options).unwrap().baseline;
    assert_eq!(again, baseline);
}

#[test]
fn the_same_rows_give_the_same_bytes_in_any_order() {
    let plant = Plant::run(2_400, 6, &[100.0, 180.0]);
    let bytes = |plant: &Plant| {
        let candidate = fit("pump", &plant.signals, &speed(), &plant.matrix(), &Options::default()).unwrap();
        candidate.baseline.to_json().unwrap()
    };
    let first = bytes(&plant);
    assert!(first == bytes(&plant));
    let mut reversed = Plant::run(0, 0, &[0.0]);
    for row in (0..2_400).rev() {
        reversed.device.push(9);
        reversed.time.push(plant.time[row]);
        reversed.values.extend_from_slice(&plant.values[row * 4..row * 4 + 4]);
    }
    assert!(first == bytes(&reversed));
    assert!(Baseline::from_json(&first).unwrap().to_json().unwrap() == first);
}

#[test]
fn glitches_and_holes_do_not_spoil_the_fit() {
    let clean = Plant::run(2_000, 7, &[100.0]);
    let mut dirty = Plant::run(2_000, 7, &[100.0]);
    for row in (0..1_300).step_by(97) {
        dirty.values[row * 4 + 2] = 1e6;
        dirty.values[(row + 3) * 4 + 1] = f64::NAN;
    }
    let fit = |plant: &Plant| {
        fit("pump", &plant.signals, &[], &plant.matrix(), &Options::default()).unwrap().baseline
    };
    let (clean, dirty) = (fit(&clean), fit(&dirty));
    assert!((clean.regimes[0].mean[2] - dirty.regimes[0].mean[2]).abs() < 0.05);
    assert!((clean.limits["ewma-chart"] / dirty.limits["ewma-chart"] - 1.0).abs() < 0.1);
    assert!(dirty.metrics["outliers_removed"] >= 13.0);
}

#[test]
fn what_is_missing_is_said() {
    let short = Plant::run(150, 8, &[100.0]);
    let error = fit("pump", &short.signals, &[], &short.matrix(), &Options::default()).unwrap_err();
    assert_eq!(error, TrainError::TooFewRows { purpose: "calibration", have: 150, need: 200, missing: 50 });
    assert!(error.to_string().starts_with("50 more rows are needed"), "{error}");
    let plant = Plant::run(400, 9, &[100.0]);
    let load = ["lod".to_owned()];
    let unknown = fit("pump", &plant.signals, &load, &plant.matrix(), &Options::default());
    assert_eq!(unknown.unwrap_err(), TrainError::UnknownSetting { setting: "lod".to_owned() });
    let mut blind = Plant::run(400, 9, &[100.0]);
    blind.values.iter_mut().skip(1).step_by(4).for_each(|value| *value = f64::NAN);
    let empty = fit("pump", &blind.signals, &[], &blind.matrix(), &Options::default()).unwrap_err();
    assert!(matches!(&empty, TrainError::EmptySignal { signal, have: 0, .. } if signal == "load"), "{empty}");
    let shape = Matrix { device: &[0], ..plant.matrix() };
    assert!(matches!(
        fit("pump", &plant.signals, &[], &shape, &Options::default()),
        Err(TrainError::Shape { .. })
    ));
}

#[test]
fn candidates_are_promoted_only_when_no_worse() {
    let train = |rows, seed| {
        let plant = Plant::run(rows, seed, &[100.0]);
        fit("pump", &plant.signals, &[], &plant.matrix(), &Options::default()).unwrap()
    };
    let good = train(2_000, 10);
    let recent = Plant::run(600, 11, &[100.0]);
    let judge = |candidate: &_, reference: Option<&Baseline>, rows: &Plant| {
        let none = (SmoothedMahalanobis::NAME, &[][..]);
        evaluate(candidate, reference, &rows.matrix(), none, &Evaluation::default()).unwrap()
    };
    let first = judge(&good, None, &recent);
    assert!(first.promote, "{}", first.reason);
    let again = judge(&train(2_000, 12), Some(&good.baseline), &recent);
    assert!(again.promote, "{}", again.reason);
    // Learnt at another set point: everything at this one looks abnormal to it.
    let strange = Plant::run(2_000, 13, &[140.0]);
    let strange = fit("pump", &strange.signals, &[], &strange.matrix(), &Options::default()).unwrap();
    let refused = judge(&strange, Some(&good.baseline), &recent);
    assert!(!refused.promote && refused.reason.contains("more false alarms"), "{}", refused.reason);
    // The machine has failed: a candidate that finds that normal must not take over by itself.
    let mut failed = Plant::run(2_000, 14, &[100.0]);
    failed.values.iter_mut().skip(2).step_by(4).for_each(|value| *value += 5.0);
    let of_failure = fit("pump", &failed.signals, &[], &failed.matrix(), &Options::default()).unwrap();
    let refused = judge(&of_failure, Some(&good.baseline), &failed);
    assert!(!refused.promote && refused.reason.contains("failing machine"), "{}", refused.reason);
}

#[test]
fn a_candidate_finds_the_labelled_faults_that_the_baseline_in_force_finds() {
    let train = |rows: &Plant| fit("pump", &rows.signals, &[], &rows.matrix(), &Options::default()).unwrap();
    let good = train(&Plant::run(2_000, 10, &[100.0]));
    let recent = Plant::run(600, 11, &[100.0]);
    // A fault of the temperature, and a quieter one.
    let fault = |shift: f64| {
        let mut plant = Plant::run(300, 15, &[100.0]);
        plant.values.iter_mut().skip(2).step_by(4).skip(100).for_each(|value| *value += shift);
        plant
    };
    let plants = [fault(4.0), fault(0.9)];
    let labelled: Vec<Fault<'_>> = plants
        .iter()
        .map(|plant| Fault { rows: plant.matrix(), from: 100 * SECOND, to: 300 * SECOND })
        .collect();
    let judge = |candidate: &Candidate| {
        let faults = (SmoothedMahalanobis::NAME, labelled.as_slice());
        evaluate(candidate, Some(&good.baseline), &recent.matrix(), faults, &Evaluation::default()).unwrap()
    };
    let again = judge(&train(&Plant::run(2_000, 12, &[100.0])));
    assert!(again.promote && again.reason.contains("2 of 2 labelled faults"), "{}", again.reason);
    // As quiet on normal rows, and blind to the quieter fault.
    let mut blind = train(&Plant::run(2_000, 12, &[100.0]));
    *blind.baseline.limits.get_mut(SmoothedMahalanobis::NAME).unwrap() *= 4.0;
    let refused = judge(&blind);
    assert!(!refused.promote && refused.reason.contains("finds 1 of the 2"), "{}", refused.reason);
    assert_eq!((refused.metrics["labelled_faults"], refused.metrics["reference.faults_found"]), (2.0, 2.0));
    // A baseline in force that warns of every seventh normal row finds no quiet fault by that.
    let mut nervous = good.baseline.clone();
    let limit = nervous.limits[SmoothedMahalanobis::NAME];
    let answers = recent.scores::<SmoothedMahalanobis>(&nervous);
    let mut raw: Vec<f64> = answers.iter().map(|score| score * limit).collect();
    raw.sort_by(f64::total_cmp);
    nervous.limits.insert(SmoothedMahalanobis::NAME.to_owned(), raw[raw.len() * 85 / 100]);
    let plant = fault(0.0);
    let nothing = [Fault { rows: plant.matrix(), from: 100 * SECOND, to: 300 * SECOND }];
    let faults = (SmoothedMahalanobis::NAME, &nothing[..]);
    let judged = evaluate(&good, Some(&nervous), &recent.matrix(), faults, &Evaluation::default()).unwrap();
    assert_eq!(judged.metrics["reference.faults_found"], 0.0, "{}", judged.reason);
}
