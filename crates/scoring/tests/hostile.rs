//! Scorers that misbehave: each gets a named error, and the engine and the next batch are unharmed.

#![allow(missing_docs)]

mod common;

use std::time::{Duration, Instant};

use common::{Plain, bytes, engine, load};
use twinwright_core::scoring::{Scorer, ScorerError};
use twinwright_scoring::{EngineConfig, LoadError, ScoringEngine};

/// Scores once with a misbehaviour; whatever comes, the same instance must then behave the same again.
fn misbehave(how: &str) -> ScorerError {
    let loaded = load("hostile");
    let mut scorer = loaded.instantiate(how.as_bytes()).expect("instantiates");
    let plain = Plain::new(4, 2);
    let first = scorer.score(&plain.batch()).expect_err(how);
    let second = scorer.score(&plain.batch()).expect_err(how);
    assert_eq!(std::mem::discriminant(&first), std::mem::discriminant(&second), "{first} / {second}");
    let mut good = loaded.instantiate(b"behave").expect("instantiates");
    assert_eq!(good.score(&plain.batch()).expect("scores").scores, [0.5; 4]);
    first
}

#[test]
fn spinning_is_stopped_at_the_deadline() {
    let begun = Instant::now();
    let error = misbehave("spin");
    assert!(matches!(error, ScorerError::Deadline { deadline_ms: 3_000, .. }), "{error}");
    assert_eq!(error.to_string(), "scorer hostile@0.0.1 ran past its deadline of 3000 ms and was stopped");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn traps_are_named() {
    for (how, part) in [
        ("trap", "unreachable"),
        ("recurse", "call stack exhausted"),
        ("memory", "memory limit of 16777216 bytes"),
    ] {
        let error = misbehave(how);
        assert!(
            matches!(&error, ScorerError::Trapped { cause, .. } if cause.contains(part)),
            "{how}: {error}"
        );
    }
}

#[test]
fn broken_answers_are_named() {
    for (how, part) in [
        ("short", "1 scores and 4 statuses for 4 rows"),
        ("ragged", "scores end within a number"),
        ("huge", "too much data"),
        ("nan", "score of row 0 is not a finite number"),
        ("negative", "score of row 0 is not a finite number of at least 0"),
        ("contribution", "a contribution is not a finite number"),
        ("status", "unknown status 9"),
        ("state-ends", "out of bounds"),
    ] {
        let error = misbehave(how);
        assert!(
            matches!(&error, ScorerError::Contract { cause, .. } if cause.contains(part)),
            "{how}: {error}"
        );
    }
}

#[test]
fn refusals_come_in_the_scorers_words() {
    let error = misbehave("refuse");
    assert_eq!(error.to_string(), "scorer hostile@0.0.1 refused: not today");
    let prepare = |how: &str| load("hostile").instantiate(how.as_bytes()).expect_err(how).to_string();
    assert_eq!(
        prepare("prepare-refuse"),
        "scorer hostile@0.0.1 cannot use the baseline: the baseline\\n\\u{1b}[31mis not mine"
    );
    assert!(prepare("prepare-panic").contains("unreachable"));
    assert!(prepare("prepare-spin").contains("ran past its deadline of 3000 ms"));
}

#[test]
fn a_flood_of_log_lines_is_cut_and_the_answer_counts() {
    let mut scorer = load("hostile").instantiate(b"log").expect("instantiates");
    assert_eq!(scorer.score(&Plain::new(4, 2).batch()).expect("scores").scores, [0.5; 4]);
}

#[test]
fn a_leak_ends_when_the_instance_retires() {
    let engine =
        ScoringEngine::new(EngineConfig { instances: 4, ..EngineConfig::default() }).expect("engine");
    let loaded = engine.load(&bytes("hostile")).expect("loads");
    let mut scorer = loaded.instantiate(b"leak").expect("instantiates");
    for _ in 0..500 {
        scorer.score(&Plain::new(1, 1).batch()).expect("never reaches the limit");
    }
    // A megabyte a call, and half of the 64 to spend: not one instance for all, and not one for each call.
    let instances = loaded.metrics().instances;
    assert!((10..40).contains(&instances), "{instances}");
}

#[test]
fn a_scorer_that_spins_does_not_hold_up_another() {
    let engine = engine();
    let loaded = engine.load(&bytes("hostile")).expect("loads");
    let mut spinning = loaded.instantiate(b"spin").expect("instantiates");
    let mut good = loaded.instantiate(b"behave").expect("instantiates");
    let plain = Plain::new(4, 2);
    std::thread::scope(|scope| {
        let spin = scope.spawn(|| spinning.score(&plain.batch()).is_err());
        for _ in 0..100 {
            good.score(&plain.batch()).expect("scores");
        }
        assert!(spin.join().expect("thread"));
    });
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("test component parses")
}

#[test]
fn what_is_no_scorer_is_refused_with_a_reason() {
    let engine = engine();
    let good = bytes("ewma-chart");
    let refuse = |bytes: &[u8]| engine.load(bytes).expect_err("refused");
    let said = |bytes: &[u8]| refuse(bytes).to_string();
    assert!(said(b"").contains("it is empty"));
    assert!(said(b"\x7fELF\x02\x01\x01\0\0\0").contains("does not begin as WebAssembly"));
    assert!(said(&wat("(module)")).contains("core module; encode it as a component"));
    assert!(said(b"\0asm\x0e\0\x02\0").contains("version is unknown"));
    for cut in [9, good.len() / 3, good.len() - 5] {
        assert!(matches!(refuse(&good[..cut]), LoadError::Compile { .. } | LoadError::World { .. }), "{cut}");
    }
    let missing = said(&wat("(component)"));
    assert!(missing.contains("no scorer of twinwright:scoring@1"), "{missing}");
    let clock = r#"(component (import "wasi:clocks/monotonic-clock@0.2.0"
        (instance (export "now" (func (result u64))))))"#;
    assert_eq!(
        refuse(&wat(clock)),
        LoadError::Import { name: "wasi:clocks/monotonic-clock@0.2.0".to_owned() }
    );
    let other_log = r#"(component (import "twinwright:scoring/log@1.0.0"
        (instance (export "log" (func (param "message" u32))))))"#;
    assert!(matches!(refuse(&wat(other_log)), LoadError::World { .. }));
    assert_eq!(engine.load(&good).expect("the engine goes on").id(), "ewma-chart@1.0.0");
}

#[test]
fn files_above_the_limit_are_not_looked_at() {
    let engine = ScoringEngine::new(EngineConfig { component_limit: 1_000, ..EngineConfig::default() })
        .expect("engine");
    assert_eq!(
        engine.load(&[0; 1_001]).expect_err("refused"),
        LoadError::TooLarge { bytes: 1_001, limit: 1_000 }
    );
}

#[test]
fn a_full_pool_is_an_error_and_heals() {
    let engine =
        ScoringEngine::new(EngineConfig { instances: 2, ..EngineConfig::default() }).expect("engine");
    let loaded = engine.load(&bytes("hostile")).expect("loads");
    let first = loaded.instantiate(b"behave").expect("first");
    let _second = loaded.instantiate(b"behave").expect("second");
    if engine.pooled() {
        assert!(matches!(loaded.instantiate(b"behave"), Err(LoadError::Prepare { .. })));
    }
    drop(first);
    loaded.instantiate(b"behave").expect("there is room again");
}
