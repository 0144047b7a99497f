//! Trials of real components: bad ones are rolled back within 20 batches, a good one is promoted, a flapping one stays
//! in quarantine.

#![allow(missing_docs, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex};

use common::variant;
use twinwright_core::scoring::{ScoreBatch, Scorer, StateBlobs};
use twinwright_scoring::swap::{
    Candidate, Reason, Release, Role, Stage, Standing, SwapError, SwapPolicy, Trial, TrialRecord, Verdict,
};
use twinwright_scoring::{EngineConfig, ScoringEngine, WasmScorer};

const ROWS: usize = 100;
const SECOND: i64 = 1_000_000;

fn release(version: &str) -> Release {
    Release { name: "hostile".to_owned(), version: version.to_owned(), sha256: format!("{version:0>64}") }
}

fn candidate(version: &str, stage: Stage) -> Candidate {
    Candidate { release: release(version), stage, share_percent: 10, since: 0 }
}

fn engine() -> ScoringEngine {
    let deadline = std::time::Duration::from_secs(5);
    ScoringEngine::new(EngineConfig { deadline, instances: 16, ..EngineConfig::default() }).expect("engine")
}

fn scorer(engine: &ScoringEngine, how: &str) -> WasmScorer {
    engine.load(&variant("0.0.2", how)).expect("loads").instantiate(b"").expect("instantiates")
}

/// Runs two versions side by side until there is a verdict; answers it and the batches it took.
fn try_out(how: &str, stage: Stage, policy: SwapPolicy) -> (Verdict, usize) {
    let engine = engine();
    let mut serving = scorer(&engine, "steady");
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    let record =
        TrialRecord::new(candidate("0.0.2", stage), policy, move |_, _| *count.lock().expect("lock") += 1);
    let beside = Box::new(scorer(&engine, how));
    let mut trial = Trial::new(Arc::clone(&record), Role::PromotedServes, Some(beside));
    let device = vec![0; ROWS];
    let (values, mask) = (vec![1.0; ROWS * 2], vec![0; ROWS * 2]);
    let state = StateBlobs { bytes: vec![], ends: vec![0] };
    for number in 0..2_000 {
        let first = i64::try_from(number * ROWS).expect("small") * SECOND;
        let time: Vec<i64> = (0..ROWS as i64).map(|row| first + row * SECOND).collect();
        let batch = ScoreBatch {
            signals: 2,
            device: &device,
            time: &time,
            values: &values,
            mask: &mask,
            state: &state,
        };
        let started = std::time::Instant::now();
        let answer = serving.score(&batch);
        trial.observe(&batch, &[0], answer.as_ref(), started.elapsed());
        if let Some(verdict) = record.verdict() {
            assert_eq!(*told.lock().expect("lock"), 1, "a verdict is told once");
            return (verdict.clone(), number + 1);
        }
    }
    panic!("no verdict on {how}: {:?}", record.evidence());
}

fn is_rolled_back_in_20(how: &str) -> Reason {
    match try_out(how, Stage::Shadow, SwapPolicy { p99_floor_us: 2_000, ..SwapPolicy::default() }) {
        (Verdict::RollBack(reason), batches) if batches <= 20 => reason,
        other => panic!("{how}: {other:?}"),
    }
}

#[test]
fn a_canary_that_is_slow_is_rolled_back() {
    let reason = is_rolled_back_in_20("slow");
    assert!(matches!(reason, Reason::Slow { .. } | Reason::Deadline { .. }), "{reason}");
}

#[test]
fn a_canary_that_crashes_in_one_row_of_a_hundred_is_rolled_back() {
    let reason = is_rolled_back_in_20("crash-1-percent");
    assert!(matches!(&reason, Reason::Failed { last, .. } if last.contains("trapped")), "{reason}");
}

#[test]
fn a_canary_whose_scores_drift_is_rolled_back() {
    let reason = is_rolled_back_in_20("drifted");
    assert!(matches!(reason, Reason::Shifted { .. } | Reason::AlertRate { .. }), "{reason}");
}

#[test]
fn a_canary_with_wrong_row_counts_is_rolled_back() {
    for how in ["short", "long", "none"] {
        let reason = is_rolled_back_in_20(how);
        assert!(matches!(&reason, Reason::Failed { last, .. } if last.contains("for 100 rows")), "{reason}");
    }
}

#[test]
fn a_canary_with_nan_is_rolled_back() {
    for how in ["nan", "infinite", "contribution-nan"] {
        assert!(matches!(is_rolled_back_in_20(how), Reason::Failed { .. }));
    }
}

#[test]
fn a_good_canary_is_promoted_and_settles() {
    // On a busy machine times say little; they have a test of their own.
    let policy = SwapPolicy { p99_floor_us: 10_000_000, ..SwapPolicy::default() };
    let mut standing = Standing::default().begin(&release("0.0.2"), 10, 0, false).expect("begins");
    for stage in [Stage::Shadow, Stage::Canary, Stage::Probation] {
        let on = standing.candidate.clone().expect("on trial");
        assert_eq!(on.stage, stage);
        let (verdict, _) = try_out("steady", stage, policy);
        assert_eq!(verdict, Verdict::Advance);
        standing = standing.apply(&on, &verdict, 1, &policy).expect("advances");
    }
    assert_eq!(standing.promoted, Some(release("0.0.2")));
    assert_eq!(standing.candidate, None);
}

#[test]
fn a_flapping_canary_does_not_flip_flop() {
    let policy = SwapPolicy::default();
    let (flapping, good) = (release("0.0.2"), release("0.0.1"));
    let mut standing = Standing::default().promote(&good, 0, false).expect("promotes");
    standing = Standing { candidate: None, ..standing };
    let mut changes = 0;
    // It is asked for again every ten minutes for a day, and fails each time it serves.
    for minute in (0..24 * 60).step_by(10) {
        let now = minute * 60 * SECOND;
        match standing.begin(&flapping, 10, now, false) {
            Ok(begun) => {
                let on = begun.candidate.clone().expect("on trial");
                let failed = Verdict::RollBack(Reason::Deadline { calls: 2 });
                standing = begun.apply(&on, &failed, now, &policy).expect("rolls back");
                changes += 1;
            }
            Err(error) => assert!(matches!(error, SwapError::Quarantined { .. }), "{error}"),
        }
        assert_eq!(standing.promoted, Some(good.clone()), "the good one serves all the time");
    }
    assert!(changes <= 5, "the quarantine doubles: {changes} trials in a day");
}

#[test]
fn a_verdict_on_a_trial_that_is_over_changes_nothing() {
    let policy = SwapPolicy::default();
    let standing = Standing::default().begin(&release("0.0.2"), 10, 0, false).expect("begins");
    let old = standing.candidate.clone().expect("on trial");
    let next = standing.apply(&old, &Verdict::Advance, 5, &policy).expect("advances");
    assert_eq!(next.apply(&old, &Verdict::Advance, 6, &policy), None, "two instances advance it once");
    assert_eq!(next.apply(&old, &Verdict::RollBack(Reason::Deadline { calls: 2 }), 6, &policy), None);
    let back = next.roll_back(7, &policy).expect("a person rolls back");
    assert_eq!((back.promoted, back.candidate, back.quarantine.len()), (None, None, 1));
}

#[test]
fn a_promoted_version_that_fails_on_probation_gives_way_to_the_one_before() {
    let policy = SwapPolicy::default();
    let one = Standing {
        candidate: None,
        ..Standing::default().promote(&release("0.0.1"), 0, false).expect("one")
    };
    let two = one.promote(&release("0.0.2"), 1, false).expect("two");
    let on = two.candidate.clone().expect("probation");
    let back = two.apply(&on, &Verdict::RollBack(Reason::Deadline { calls: 2 }), 2, &policy).expect("back");
    assert_eq!(back.promoted, Some(release("0.0.1")));
    assert!(matches!(
        back.promote(&release("0.0.2"), 3, false),
        Err(SwapError::Quarantined { strikes: 1, .. })
    ));
    assert!(back.promote(&release("0.0.2"), 3, true).is_ok(), "a person may insist");
}
