//! Remaining life, from runs to a document to the scorer, on machines made here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use twinwright_kernels::forest::Predictor;
use twinwright_kernels::life::{LifeModel, RemainingLife, Unit};
use twinwright_kernels::{Batch, status};
use twinwright_training::TrainError;
use twinwright_training::learners::{BoostSettings, rmse};
use twinwright_training::rul::lead::Leads;
use twinwright_training::rul::{LifeOptions, LifeRun, fit};

const HOUR: i64 = 3_600_000_000;

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / f64::from(1 << 23) - 1.0
    }
}

/// Wear grows towards the failure; two regimes shift everything; one signal never moves, one says nothing.
fn machines(count: usize, seed: u64) -> Vec<LifeRun> {
    let mut noise = Noise(seed);
    (0..count)
        .map(|_| {
            let life = 120 + ((noise.next() + 1.0) * 60.0) as usize;
            let mut run = LifeRun::default();
            for row in 0..life {
                let left = (life - 1 - row) as f64;
                let wear = (1.0 - left / 100.0).max(0.0).powi(2);
                let fast = (row / 7) % 2 == 1;
                let (speed, shift) = if fast { (3_000.0, 40.0) } else { (1_000.0, 0.0) };
                run.time.push(row as i64 * HOUR);
                run.values.extend([
                    speed + noise.next(),
                    50.0 + shift + 8.0 * wear + noise.next(),
                    2.0 + shift / 10.0 - wear + 0.3 * noise.next(),
                    7.0,
                    noise.next(),
                ]);
            }
            run
        })
        .collect()
}

fn names() -> (Vec<String>, Vec<String>) {
    let signals = ["speed", "temperature", "flow", "constant", "idle"].map(str::to_owned).to_vec();
    (signals, vec!["speed".to_owned()])
}

fn options() -> LifeOptions {
    let boost = BoostSettings {
        trees: 60,
        learning_rate: 0.1,
        least_rows: 20,
        feature_share: 0.5,
        ..BoostSettings::default()
    };
    LifeOptions { unit: Unit::Cycles, cap: Some(90.0), boost, ..LifeOptions::default() }
}

#[test]
fn the_document_is_the_model_and_the_scorer_does_not_depend_on_where_batches_are_cut() {
    let (signals, settings) = names();
    let runs = machines(30, 1);
    let candidate = fit("press", &signals, &settings, &runs, &options()).unwrap();
    assert_eq!(candidate.model.regimes.len(), 2);
    assert!(matches!(candidate.model.predictor, Predictor::Forest(_)));
    let again = fit("press", &signals, &settings, &runs, &options()).unwrap();
    let document = candidate.model.to_json().unwrap();
    assert_eq!(document, again.model.to_json().unwrap(), "same rows, same bytes");
    let read = LifeModel::from_json(&document).unwrap();
    assert_eq!(read, candidate.model);

    let fresh = machines(12, 99);
    let (mut estimates, mut truths) = (Vec::new(), Vec::new());
    for run in &fresh {
        let whole = play(&read, run, usize::MAX);
        assert_eq!(whole, play(&read, run, 7));
        assert_eq!(whole, play(&read, run, 1));
        for (row, score) in whole.iter().enumerate().skip(40) {
            estimates.push(read.limit / score);
            truths.push(((run.time.len() - 1 - row) as f64).min(90.0));
        }
    }
    let error = rmse(&estimates, &truths);
    assert!(error < 12.0, "error {error}");
    let (mut inside, count) = (0, estimates.len());
    for (estimate, truth) in estimates.iter().zip(&truths) {
        let (low, high) = read.bands.interval(*estimate, 0.9);
        inside += usize::from(low - 1e-9 <= *truth && *truth <= high + 1e-9);
    }
    assert!(inside * 100 > 80 * count, "{inside} of {count} within the interval");
    let leads = Leads::of(&candidate.out_of_fold, &candidate.truth, read.limit, read.warm_rows);
    assert_eq!(leads.at_least(15.0), 30);
    assert_eq!(leads.early(90.0), 0);
}

/// Scores of a run, cut into batches of `piece` rows; 0 where there is none yet.
fn play(model: &LifeModel, run: &LifeRun, piece: usize) -> Vec<f64> {
    let mut scorer = RemainingLife::new(model.clone()).unwrap();
    let (mut state, mut scores) = (Vec::new(), Vec::new());
    let width = model.width();
    let piece = piece.min(run.time.len());
    for (time, values) in run.time.chunks(piece).zip(run.values.chunks(piece * width)) {
        let ends = [u32::try_from(state.len()).unwrap()];
        let batch = Batch {
            signals: width,
            device: &vec![0; time.len()],
            time,
            values,
            mask: &vec![0; values.len()],
            state: &state,
            state_ends: &ends,
        };
        let answer = scorer.score(&batch).unwrap();
        for (row, score) in answer.scores.iter().enumerate() {
            if answer.status[row] == status::OK {
                let parts = &answer.contributions[row * width..(row + 1) * width];
                assert!((parts.iter().sum::<f64>() - score).abs() < 1e-9 && parts.iter().all(|p| *p >= 0.0));
            }
        }
        scores.extend(answer.scores);
        state = answer.state;
    }
    scores
}

#[test]
fn few_runs_give_a_linear_model_and_too_few_are_refused() {
    let (signals, settings) = names();
    let runs = machines(8, 3);
    let candidate = fit("press", &signals, &settings, &runs, &options()).unwrap();
    assert!(matches!(candidate.model.predictor, Predictor::Linear(_)));
    assert_eq!(LifeModel::from_json(&candidate.model.to_json().unwrap()).unwrap(), candidate.model);
    let refused = fit("press", &signals, &settings, &runs[..3], &options()).unwrap_err();
    assert!(matches!(refused, TrainError::TooFewRows { have: 3, need: 5, .. }), "{refused}");
    let mut still = runs;
    for run in &mut still {
        run.values.chunks_exact_mut(5).for_each(|row| row.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0]));
    }
    assert!(fit("press", &signals, &settings, &still, &options()).is_err(), "nothing moves");
}

#[test]
fn garbled_documents_and_states_do_no_harm() {
    let (signals, settings) = names();
    let runs = machines(6, 5);
    let model = fit("press", &signals, &settings, &runs, &options()).unwrap().model;
    let document = String::from_utf8(model.to_json().unwrap()).unwrap();
    for (from, to) in [
        ("\"remaining-life\"", "\"other\""),
        ("\"window_rows\":30", "\"window_rows\":100000"),
        ("\"limit\":36.0", "\"limit\":-1"),
        ("\"cap\":90.0", "\"cap\":0"),
        ("\"unit\":\"cycles\"", "\"unit\":\"parsecs\""),
    ] {
        assert!(document.contains(from), "{from}");
        assert!(LifeModel::from_json(document.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    let mut noise = Noise(11);
    for length in [1, 3, 40, 400] {
        let state: Vec<u8> = (0..length).map(|_| ((noise.next() + 1.0) * 127.0) as u8).collect();
        let ends = [u32::try_from(state.len()).unwrap()];
        let mut scorer = RemainingLife::new(model.clone()).unwrap();
        let batch = Batch {
            signals: 5,
            device: &[0, 0],
            time: &[0, HOUR],
            values: &[f64::NAN, 1e300, -1e300, 0.0, f64::INFINITY, 1.0, 2.0, 3.0, 4.0, 5.0],
            mask: &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
            state: &state,
            state_ends: &ends,
        };
        let answer = scorer.score(&batch).unwrap();
        assert!(answer.scores.iter().chain(&answer.contributions).all(|value| value.is_finite()));
    }
}
