//! Scorers whose model is data: windows, readings, explanations, and what is refused.

use base64::Engine as _;
use proptest::prelude::*;
use twinwright_kernels::batch::{Batch, status};
use twinwright_kernels::{Engine, ModelKernel, ScorerKernel};

/// Answers with the sum of the whole window, then with its last row lessened by the model's one byte.
struct Sum {
    signals: usize,
    window: usize,
    less: f32,
}

impl Engine for Sum {
    const NAME: &'static str = "sum";

    fn open(model: &[u8], signals: usize) -> Result<Self, String> {
        match model {
            [window, less] => Ok(Self { signals, window: usize::from(*window), less: f32::from(*less) }),
            _ => Err("two bytes are a model".to_owned()),
        }
    }

    fn window(&self) -> usize {
        self.window
    }

    fn answer(&mut self, window: &[f32], outputs: &mut Vec<f32>) -> Result<(), String> {
        assert_eq!(window.len(), self.window * self.signals);
        outputs.push(window.iter().sum());
        outputs.extend(window[window.len() - self.signals..].iter().map(|value| value - self.less));
        Ok(())
    }
}

fn document(model: &str, names: &[&str]) -> Vec<u8> {
    let each = |number: f64| vec![number; names.len()];
    let precision: Vec<f64> =
        (0..names.len().pow(2)).map(|at| f64::from(u8::from(at % (names.len() + 1) == 0))).collect();
    let mean: Vec<usize> = (1..=names.len()).collect();
    let deviation: Vec<f64> = (0..names.len()).map(|at| 0.5 * 4_f64.powi(at as i32)).collect();
    format!(
        r#"{{"model":{model},"format":1,"id":"m/1","equipment":"m","created":"","window":{{"from":"","to":"","rows":1}},
        "data_hash":"","signals":{names:?},"scorers":[],"regimes":[{{"weight":1,"mean":{mean:?},"deviation":{deviation:?},
        "precision":{precision:?},"ewma_deviation":{:?}}}],"gap_reset_seconds":60,"limits":{{"held":4}}}}"#,
        each(1.0)
    )
    .into_bytes()
}

fn kernel_of(names: &[&str], window: u8, less: u8, settings: &str) -> Result<ModelKernel<Sum>, String> {
    let bytes = base64::engine::general_purpose::STANDARD.encode([window, less]);
    ModelKernel::prepare(&document(&format!(r#"{{"bytes":"{bytes}",{settings}}}"#), names))
        .map_err(|error| error.to_string())
}

fn kernel(window: u8, less: u8, settings: &str) -> Result<ModelKernel<Sum>, String> {
    kernel_of(&["a", "b"], window, less, settings)
}

/// Scores rows a second apart, in pieces.
fn play<const S: usize>(
    kernel: &mut ModelKernel<Sum>,
    rows: &[[f64; S]],
    piece: usize,
) -> (Vec<f64>, Vec<u8>, Vec<f64>) {
    let (mut scores, mut statuses, mut parts) = (vec![], vec![], vec![]);
    let (mut state, mut ends) = (vec![], vec![0]);
    for (at, rows) in rows.chunks(piece).enumerate() {
        let time: Vec<i64> = (0..rows.len()).map(|row| (at * piece + row) as i64 * 1_000_000).collect();
        let values = rows.concat();
        let batch = Batch {
            signals: S,
            device: &vec![0; rows.len()],
            time: &time,
            values: &values,
            mask: &vec![0; values.len()],
            state: &state,
            state_ends: &ends,
        };
        let answer = kernel.score(&batch).expect("a sound batch");
        scores.extend(answer.scores);
        statuses.extend(answer.status);
        parts.extend(answer.contributions);
        (state, ends) = (answer.state, answer.state_ends);
    }
    (scores, statuses, parts)
}

#[test]
fn a_value_is_calibrated_and_explained_by_what_goes_without_each_signal() {
    let mut kernel = kernel(1, 0, r#""limit":10,"normal":3"#).expect("prepared");
    // Sum 12: (12 - 3) / (10 - 3). Without the first signal 9, without the second 5.
    let (scores, statuses, parts) = play(&mut kernel, &[[4.0, 8.0], [1.0, 2.0], [f64::NAN, 8.0]], 3);
    assert_eq!(statuses, [status::OK; 3]);
    let close = |left: f64, right: f64| assert!((left - right).abs() < 1e-6, "{left} {right}");
    close(scores[0], 9.0 / 7.0);
    close(scores[1], 0.0);
    close(scores[2], 6.0 / 7.0);
    close(parts[0], 9.0 / 7.0 * 3.0 / 9.0);
    close(parts[1], 9.0 / 7.0 * 6.0 / 9.0);
    close(parts[4], 0.0);
}

#[test]
fn a_window_fills_before_it_scores_and_starts_anew_after_a_gap() {
    let mut kernel = kernel(3, 0, r#""limit":1,"name":"held""#).expect("prepared");
    let rows = [[1.0, 1.0]; 4];
    let (scores, statuses, _) = play(&mut kernel, &rows, 1);
    assert_eq!(statuses, [status::WARMING, status::WARMING, status::OK, status::OK]);
    assert_eq!(scores[2..], [1.5, 1.5], "six values of 1, and the baseline's limit of 4 under the name");
}

#[test]
fn a_reconstruction_is_measured_in_deviations_and_blames_the_signal_that_differs() {
    let mut kernel = kernel(1, 1, r#""limit":1,"read":"reconstruction""#).expect("prepared");
    let (scores, _, parts) = play(&mut kernel, &[[5.0, 5.0]], 1);
    // Differences of 1 are 2 and 0.5 deviations.
    let raw = ((4.0 + 0.25) / 2.0_f64).sqrt();
    assert!((scores[0] - raw).abs() < 1e-9 && (parts[0] / parts[1] - 16.0).abs() < 1e-6);
}

#[test]
fn an_isolation_forest_of_usual_paths_scores_a_half() {
    let settings = r#""limit":0.75,"normal":0.5,"read":"isolation-forest","average_path":6"#;
    let (scores, _, _) = play(&mut kernel(1, 0, settings).expect("prepared"), &[[3.0, 3.0], [1.0, 1.0]], 2);
    assert!(scores[0].abs() < 1e-9 && scores[1] > 1.0, "{scores:?}");
}

#[test]
fn what_cannot_be_prepared_says_why() {
    let because = |settings| kernel(1, 0, settings).err().expect("refused");
    assert!(
        because(r#""read":"value""#).contains("model.limit is missing"),
        "{}",
        because(r#""read":"value""#)
    );
    assert!(because(r#""limit":0"#).contains("another number than normal"));
    assert!(because(r#""limit":1,"read":"mind""#).contains("must be value"));
    assert!(kernel(0, 0, r#""limit":1"#).err().expect("refused").contains("window"));
    let without =
        ModelKernel::<Sum>::prepare(&document("null", &["a", "b"])).err().expect("refused").to_string();
    assert!(without.contains("model"), "{without}");
}

proptest! {
    #[test]
    fn batches_may_be_cut_anywhere(
        rows in proptest::collection::vec(proptest::array::uniform3(prop_oneof![9 => -1e3..1e3, 2 => Just(f64::NAN), 1 => Just(1e300)]), 1..40),
        window in 1_u8..6,
        piece in 1_usize..9,
        settings in prop_oneof![
            Just(r#""limit":5"#),
            Just(r#""limit":2,"read":"reconstruction","standardise":true"#),
            Just(r#""limit":-3,"normal":4,"column":1"#),
        ],
    ) {
        let whole = play(&mut kernel_of(&["a", "b", "c"], window, 3, settings).expect("prepared"), &rows, rows.len());
        prop_assert_eq!(&play(&mut kernel_of(&["a", "b", "c"], window, 3, settings).expect("prepared"), &rows, piece), &whole);
        for (row, (score, status)) in whole.0.iter().zip(&whole.1).enumerate() {
            let sum: f64 = whole.2[row * 3..row * 3 + 3].iter().sum();
            prop_assert!(*status != status::OK || (sum - score).abs() <= 1e-9 * score.max(1.0));
        }
    }
}
