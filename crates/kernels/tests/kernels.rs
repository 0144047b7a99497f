//! What the kernels say of rows whose truth is known, and what they refuse.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{SIGNALS, baseline, fresh, run, steady};
use twinwright_kernels::{Baseline, BaselineError, Batch, EwmaChart, Kernel, SmoothedMahalanobis, status};

#[test]
fn a_shifted_signal_leads_the_causes() {
    let mut rows = steady(60, [0.0, 5.0, -2.0]);
    for row in 30..60 {
        rows.values[row * SIGNALS + 1] = 7.0;
    }
    for answer in [
        run(fresh::<SmoothedMahalanobis>, &baseline(), &rows, 1, &[]),
        run(fresh::<EwmaChart>, &baseline(), &rows, 1, &[]),
    ] {
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
    let answer = run(fresh::<SmoothedMahalanobis>, &baseline(), &steady(20, [100.0, 5.0, -2.0]), 1, &[]);
    assert_eq!((answer.scores[19], answer.status[19]), (0.0, status::OK));
}

#[test]
fn too_few_signals_are_insufficient() {
    let mut rows = steady(20, [0.0, 5.0, -2.0]);
    for row in 0..20 {
        rows.mask[row * SIGNALS] = 1;
        rows.mask[row * SIGNALS + 1] = 1;
    }
    assert_eq!(
        run(fresh::<SmoothedMahalanobis>, &baseline(), &rows, 1, &[]).status[19],
        status::INSUFFICIENT
    );
    assert_eq!(run(fresh::<EwmaChart>, &baseline(), &rows, 1, &[]).status[19], status::OK);
}

#[test]
fn a_gap_warms_up_again_and_old_rows_are_refused_until_they_persist() {
    let mut rows = steady(60, [0.0, 5.0, -2.0]);
    for row in 20..60 {
        rows.time[row] += 3_600_000_000;
    }
    rows.time[19] = 7_200_000_000;
    let answer = run(fresh::<EwmaChart>, &baseline(), &rows, 1, &[]);
    assert_eq!(answer.status[18], status::OK);
    assert_eq!(answer.status[19], status::WARMING, "a jump ahead resets");
    assert_eq!(answer.status[20..29], [status::INVALID; 9], "rows before it are refused");
    assert_eq!(answer.status[29], status::WARMING, "until they outnumber it");
    assert_eq!(answer.status[40], status::OK);
}

#[test]
fn a_new_baseline_takes_the_window_over() {
    let rows = steady(20, [0.0, 5.0, -2.0]);
    let state = run(fresh::<SmoothedMahalanobis>, &baseline(), &rows, 1, &[]);
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
