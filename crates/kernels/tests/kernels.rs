//! Properties of the kernels that callers rely on.

#![allow(missing_docs, clippy::unwrap_used)]

use proptest::prelude::*;
use twinwright_kernels::baseline::{Regime, TrainingWindow};
use twinwright_kernels::{
    Answer, Baseline, BaselineError, Batch, EwmaChart, Kernel, SmoothedMahalanobis, status,
};

const SIGNALS: usize = 3;

fn regime(centre: f64, weight: f64) -> Regime {
    Regime {
        centre: vec![centre],
        scale: vec![10.0],
        weight,
        mean: vec![centre, 5.0, -2.0],
        deviation: vec![3.0, 0.5, 1.0],
        precision: vec![6.0, 1.0, 0.5, 1.0, 8.0, -2.0, 0.5, -2.0, 5.0],
        ewma_deviation: vec![0.3, 0.4, 0.5],
        components: Vec::new(),
    }
}

fn baseline() -> Baseline {
    Baseline {
        format: 1,
        id: "pump/1".to_owned(),
        equipment: "pump".to_owned(),
        created: "2025-01-01T00:00:00Z".to_owned(),
        window: TrainingWindow::default(),
        data_hash: "aa".to_owned(),
        signals: ["speed", "pressure", "flow"].map(str::to_owned).to_vec(),
        scorers: vec![],
        settings: vec!["speed".to_owned()],
        regimes: vec![regime(0.0, 0.7), regime(100.0, 0.3)],
        window_rows: 8,
        ewma_alpha: 0.2,
        gap_reset_seconds: 60.0,
        slow_alpha: Vec::new(),
        range: None,
        principal: None,
        limits: [("smoothed-mahalanobis".to_owned(), 4.0), ("ewma-chart".to_owned(), 3.0)].into(),
        metrics: Default::default(),
        note: String::new(),
    }
}

#[derive(Clone, Debug, Default)]
struct Rows {
    device: Vec<u32>,
    time: Vec<i64>,
    values: Vec<f64>,
    mask: Vec<u8>,
}

fn steady(count: usize, value: [f64; SIGNALS]) -> Rows {
    Rows {
        device: vec![0; count],
        time: (0..count as i64).map(|row| row * 1_000_000).collect(),
        values: value.repeat(count),
        mask: vec![0; count * SIGNALS],
    }
}

/// Runs rows in batches that end at the cuts.
fn run<K: Kernel>(baseline: &Baseline, rows: &Rows, devices: usize, cuts: &[usize]) -> Answer {
    let mut all = Answer::default();
    let (mut state, mut ends) = (Vec::new(), vec![0; devices]);
    let mut from = 0;
    for &to in cuts.iter().chain([&rows.time.len()]) {
        let to = to.clamp(from, rows.time.len());
        // A fresh kernel for each batch: nothing may hide in it.
        let answer = K::new(baseline)
            .unwrap()
            .score(&Batch {
                signals: SIGNALS,
                device: &rows.device[from..to],
                time: &rows.time[from..to],
                values: &rows.values[from * SIGNALS..to * SIGNALS],
                mask: &rows.mask[from * SIGNALS..to * SIGNALS],
                state: &state,
                state_ends: &ends,
            })
            .unwrap();
        all.scores.extend(answer.scores);
        all.status.extend(answer.status);
        all.contributions.extend(answer.contributions);
        (state, ends) = (answer.state, answer.state_ends);
        from = to;
    }
    (all.state, all.state_ends) = (state, ends);
    all
}

fn rows() -> impl Strategy<Value = Rows> {
    let value = prop_oneof![
        8 => -20.0..120.0_f64,
        1 => any::<f64>(),
        1 => Just(f64::NAN),
    ];
    let row = (
        0..3_u32,
        prop_oneof![9 => 0..5_i64, 1 => -200..200_i64],
        [value.clone(), value.clone(), value],
        0..9_u8,
    );
    prop::collection::vec(row, 0..120).prop_map(|list| {
        let mut rows = Rows::default();
        let mut time = 0;
        for (device, step, values, mask) in list {
            time += step * 1_000_000;
            rows.device.push(device);
            rows.time.push(time);
            rows.values.extend(values);
            rows.mask.extend([u8::from(mask & 1 != 0), u8::from(mask & 2 != 0), u8::from(mask & 4 != 0)]);
        }
        rows
    })
}

fn check_contract(answer: &Answer, rows: &Rows) -> Result<(), TestCaseError> {
    prop_assert_eq!(answer.scores.len(), rows.time.len());
    for (row, (&score, &row_status)) in answer.scores.iter().zip(&answer.status).enumerate() {
        prop_assert!(score.is_finite() && score >= 0.0);
        let contributions = &answer.contributions[row * SIGNALS..(row + 1) * SIGNALS];
        prop_assert!(contributions.iter().all(|value| value.is_finite() && *value >= 0.0));
        let sum: f64 = contributions.iter().sum();
        prop_assert!((sum - score).abs() <= 1e-9 * score.max(1.0), "{sum} is not {score}");
        prop_assert!(row_status == status::OK || score == 0.0);
    }
    Ok(())
}

proptest! {
    #[test]
    fn batch_borders_change_not_a_bit(rows in rows(), mut cuts in prop::collection::vec(0..120_usize, 0..6)) {
        cuts.sort_unstable();
        let baseline = baseline();
        let whole = run::<SmoothedMahalanobis>(&baseline, &rows, 3, &[]);
        check_contract(&whole, &rows)?;
        prop_assert_eq!(&run::<SmoothedMahalanobis>(&baseline, &rows, 3, &cuts), &whole);
        let whole = run::<EwmaChart>(&baseline, &rows, 3, &[]);
        check_contract(&whole, &rows)?;
        prop_assert_eq!(&run::<EwmaChart>(&baseline, &rows, 3, &cuts), &whole);
    }

    #[test]
    fn garbled_state_is_no_state_or_a_sound_one(
        rows in rows(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let baseline = baseline();
        let mut state = run::<SmoothedMahalanobis>(&baseline, &steady(20, [0.0, 5.0, -2.0]), 1, &[]).state;
        for (at, byte) in flips {
            let at = at.index(state.len());
            state[at] = byte;
        }
        state.truncate(cut.index(state.len() + 1));
        let ends = [state.len() as u32, state.len() as u32, state.len() as u32];
        let batch = Batch {
            signals: SIGNALS, device: &rows.device, time: &rows.time, values: &rows.values, mask: &rows.mask,
            state: &state, state_ends: &ends,
        };
        check_contract(&SmoothedMahalanobis::new(&baseline).unwrap().score(&batch).unwrap(), &rows)?;
        check_contract(&EwmaChart::new(&baseline).unwrap().score(&batch).unwrap(), &rows)?;
    }
}

#[test]
fn a_shifted_signal_leads_the_causes() {
    let mut rows = steady(60, [0.0, 5.0, -2.0]);
    for row in 30..60 {
        rows.values[row * SIGNALS + 1] = 7.0;
    }
    for answer in
        [run::<SmoothedMahalanobis>(&baseline(), &rows, 1, &[]), run::<EwmaChart>(&baseline(), &rows, 1, &[])]
    {
        assert_eq!(answer.status[0], status::WARMING);
        assert_eq!(answer.status[20], status::OK);
        assert!(answer.scores[29] < 1e-9);
        assert!(answer.scores[59] > 1.0, "{:?}", answer.scores);
        let last = &answer.contributions[59 * SIGNALS..];
        assert!(last[1] > 2.0 * (last[0] + last[2]), "{last:?}");
    }
}

#[test]
fn a_regime_of_its_own_is_normal() {
    let answer = run::<SmoothedMahalanobis>(&baseline(), &steady(20, [100.0, 5.0, -2.0]), 1, &[]);
    assert_eq!((answer.scores[19], answer.status[19]), (0.0, status::OK));
}

#[test]
fn too_few_signals_are_insufficient() {
    let mut rows = steady(20, [0.0, 5.0, -2.0]);
    for row in 0..20 {
        rows.mask[row * SIGNALS] = 1;
        rows.mask[row * SIGNALS + 1] = 1;
    }
    assert_eq!(run::<SmoothedMahalanobis>(&baseline(), &rows, 1, &[]).status[19], status::INSUFFICIENT);
    assert_eq!(run::<EwmaChart>(&baseline(), &rows, 1, &[]).status[19], status::OK);
}

#[test]
fn a_gap_warms_up_again_and_old_rows_are_refused_until_they_persist() {
    let mut rows = steady(60, [0.0, 5.0, -2.0]);
    for row in 20..60 {
        rows.time[row] += 3_600_000_000;
    }
    rows.time[19] = 7_200_000_000;
    let answer = run::<EwmaChart>(&baseline(), &rows, 1, &[]);
    assert_eq!(answer.status[18], status::OK);
    assert_eq!(answer.status[19], status::WARMING, "a jump ahead resets");
    assert_eq!(answer.status[20..29], [status::INVALID; 9], "rows before it are refused");
    assert_eq!(answer.status[29], status::WARMING, "until they outnumber it");
    assert_eq!(answer.status[40], status::OK);
}

#[test]
fn a_new_baseline_takes_the_window_over() {
    let rows = steady(20, [0.0, 5.0, -2.0]);
    let state = run::<SmoothedMahalanobis>(&baseline(), &rows, 1, &[]);
    let mut next = baseline();
    next.id = "pump/2".to_owned();
    next.regimes.truncate(1);
    next.regimes[0].mean[1] = 4.0;
    let one = steady(1, [0.0, 5.0, -2.0]);
    let answer = SmoothedMahalanobis::new(&next)
        .unwrap()
        .score(&Batch {
            signals: SIGNALS,
            device: &one.device,
            time: &[20_000_000],
            values: &one.values,
            mask: &one.mask,
            state: &state.state,
            state_ends: &state.state_ends,
        })
        .unwrap();
    assert_eq!(answer.status, [status::OK]);
    assert!((answer.scores[0] - (2.0_f64 * 2.0 * 8.0).sqrt() / 4.0).abs() < 1e-9, "{:?}", answer.scores);
}

#[test]
fn wrong_documents_say_what_is_wrong() {
    type Break = fn(&mut Baseline);
    let cases: [(Break, &str); 8] = [
        (|b| b.format = 9, "format 9"),
        (|b| b.signals[1] = "speed".to_owned(), "name speed twice"),
        (|b| b.settings[0] = "load".to_owned(), "load"),
        (|b| b.regimes[1].mean.truncate(2), "regimes[1].mean has 2 numbers, must have 3"),
        (|b| b.regimes[0].deviation[2] = 0.0, "regimes[0].deviation[2] must be above 0"),
        (|b| b.regimes[0].precision[0] = -1.0, "positive definite"),
        (|b| b.regimes.clear(), "regimes are 0"),
        (|b| b.ewma_alpha = f64::NAN, "ewma_alpha"),
    ];
    for (damage, expected) in cases {
        let mut baseline = baseline();
        damage(&mut baseline);
        let text = baseline.validate().unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    let mut no_limit = baseline();
    no_limit.limits.clear();
    assert_eq!(EwmaChart::new(&no_limit).err(), Some(BaselineError::NoLimit("ewma-chart".to_owned())));
    assert!(matches!(Baseline::from_json(b"{"), Err(BaselineError::Json(_))));
    let written = baseline().to_json().unwrap();
    assert_eq!(Baseline::from_json(&written).unwrap(), baseline());
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let rows = steady(2, [0.0; 3]);
    let good = Batch {
        signals: SIGNALS,
        device: &rows.device,
        time: &rows.time,
        values: &rows.values,
        mask: &rows.mask,
        state: &[],
        state_ends: &[0],
    };
    let mut kernel = EwmaChart::new(&baseline()).unwrap();
    assert!(kernel.score(&good).is_ok());
    for bad in [
        Batch { signals: 2, ..good },
        Batch { time: &[1], ..good },
        Batch { values: &[], ..good },
        Batch { mask: &[0], ..good },
        Batch { device: &[0, 7], ..good },
    ] {
        assert!(kernel.score(&bad).is_err());
    }
    assert!(kernel.score(&Batch { state_ends: &[99], ..good }).is_ok(), "wild borders read as no state");
}
