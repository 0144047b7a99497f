//! The isolation matrix, row by row. Rows that other files hold in more detail are repeated here in short, so that this
//! file shows all of them; it is long because the matrix is.

#![allow(missing_docs)]

mod common;

use std::time::{Duration, Instant};

use common::{Plain, bytes, variant};
use twinwright_core::scoring::{ScoreBatch, Scorer, ScorerError, StateBlobs};
use twinwright_scoring::compiler::CompilerProcess;
use twinwright_scoring::package::{Draft, Envelope, PackageError, SigningKey, Trust};
use twinwright_scoring::swap::{Reason, Release, Standing, SwapPolicy, Verdict};
use twinwright_scoring::{EngineConfig, Limits, LoadError, LoadedScorer, ScoringEngine};

const NOW: i64 = 1_800_000_000_000_000;

fn config() -> EngineConfig {
    EngineConfig {
        deadline: Duration::from_millis(300),
        prepare_deadline: Duration::from_millis(300),
        memory_limit: 16 << 20,
        answer_limit: 2 << 20,
        instances: 16,
        ..EngineConfig::default()
    }
}

fn engine() -> ScoringEngine {
    ScoringEngine::new(config()).expect("engine")
}

fn load(how: &str) -> LoadedScorer {
    engine().load(&variant("0.0.2", how)).expect("loads")
}

fn fail(how: &str) -> ScorerError {
    let mut scorer = load(how).instantiate(b"").expect("instantiates");
    scorer.score(&Plain::new(4, 2).batch()).expect_err(how)
}

/// Time enough for a kill on a busy machine; far from for ever.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn row_01_spin_in_score_prepare_and_describe() {
    let begun = Instant::now();
    assert!(matches!(fail("spin"), ScorerError::Deadline { .. }));
    assert!(
        load("prepare-spin").instantiate(b"").expect_err("spins").to_string().contains("past its deadline")
    );
    let describe = engine().load(&variant("0.0.2", "describe-spin")).expect_err("spins");
    assert!(matches!(describe, LoadError::Describe { .. }), "{describe}");
    assert!(begun.elapsed() < SOON);
    let loaded = load("spin");
    loaded.instantiate(b"").expect("instantiates").score(&Plain::new(1, 1).batch()).expect_err("spins");
    assert_eq!(loaded.metrics().deadlines, 1, "it is counted");
}

#[test]
fn row_02_spin_at_instantiation() {
    let spin = r#"(component
        (core module $m (func $start (loop $l br $l)) (start $start))
        (core instance (instantiate $m)))"#;
    let begun = Instant::now();
    // It lacks the export, and is refused before anything of it runs.
    assert!(matches!(engine().load(&wat::parse_str(spin).expect("wat")), Err(LoadError::World { .. })));
    assert!(begun.elapsed() < SOON);
}

#[test]
fn row_03_abort_panic_division_by_zero_and_wild_pointers() {
    for how in ["trap", "exit", "divide", "null"] {
        assert!(matches!(fail(how), ScorerError::Trapped { .. }), "{how}");
    }
}

#[test]
fn row_04_stack_overflow_on_a_small_thread() {
    let small = std::thread::Builder::new().stack_size(2 << 20);
    let error = small.spawn(|| fail("recurse")).expect("thread").join().expect("the process lives");
    assert!(matches!(error, ScorerError::Trapped { cause, .. } if cause.contains("stack")));
}

#[test]
fn row_05_memory_bombs_and_leaks() {
    assert!(matches!(fail("memory"), ScorerError::Trapped { cause, .. } if cause.contains("memory limit")));
    let engine = ScoringEngine::new(EngineConfig { retire_after: 5, ..config() }).expect("engine");
    let loaded = engine.load(&variant("0.0.2", "leak")).expect("loads");
    let mut scorer = loaded.instantiate(b"").expect("instantiates");
    for _ in 0..300 {
        scorer.score(&Plain::new(1, 1).batch()).expect("the leak never reaches the limit");
    }
    assert!(loaded.metrics().memory <= 16 << 20 && loaded.metrics().instances >= 60);
}

#[test]
fn row_06_floods_and_injections_of_log_lines() {
    let loaded = load("log");
    let mut scorer = loaded.instantiate(b"").expect("instantiates");
    scorer.score(&Plain::new(1, 1).batch()).expect("the answer counts");
    assert_eq!(loaded.metrics().log_lines_dropped, 180, "20 of 200 lines are let through");
}

#[test]
fn row_07_threads_files_environment_network_clock_and_random_numbers() {
    for import in [
        "wasi:filesystem/types@0.2.0",
        "wasi:cli/environment@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:clocks/wall-clock@0.2.0",
        "wasi:random/random@0.2.0",
        "wasi:http/outgoing-handler@0.2.0",
        "twinwright:scoring/logger@1.0.0",
    ] {
        let text = format!(r#"(component (import "{import}" (instance (export "f" (func)))))"#);
        let refused = engine().load(&wat::parse_str(text).expect("wat")).expect_err(import);
        assert_eq!(refused, LoadError::Import { name: import.to_owned() });
    }
}

#[test]
fn row_08_wrong_numbers_of_rows() {
    for how in ["short", "long", "none", "ragged"] {
        assert!(matches!(fail(how), ScorerError::Contract { .. }), "{how}");
    }
}

#[test]
fn row_09_nan_infinity_and_odd_numbers() {
    for how in ["nan", "infinite", "negative", "contribution", "contribution-nan", "status"] {
        assert!(matches!(fail(how), ScorerError::Contract { .. }), "{how}");
    }
    let mut scorer = load("edge").instantiate(b"").expect("instantiates");
    let answer =
        scorer.score(&Plain::new(4, 2).batch()).expect("zero, subnormal and large numbers are numbers");
    assert_eq!(answer.scores[2], 1e308);
}

#[test]
fn row_10_strings_that_are_long_or_not_text() {
    let refused = fail("refuse").to_string();
    assert!(refused.contains("not today"));
    let prepare = load("prepare-refuse").instantiate(b"").expect_err("refuses").to_string();
    assert!(prepare.contains("\\n\\u{1b}[31m") && prepare.len() < 2_000, "{prepare}");
    assert!(matches!(fail("huge"), ScorerError::Contract { cause, .. } if cause.contains("too much data")));
}

/// A component of the right world whose `score` answers what a core function returns.
fn liar(score: &str, realloc: &str) -> Vec<u8> {
    let contract =
        std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
            .join("../../wasm-modules/wit");
    let module = format!(
        r#"(module
            (memory (export "memory") 2)
            (data (i32.const 64) "liar") (data (i32.const 80) "1.0.0")
            (data (i32.const 100) "\40\00\00\00\04\00\00\00\50\00\00\00\05\00\00\00\01\00\00\00\01")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (func (export "twinwright:scoring/scoring@1.0.0#describe") (result i32) i32.const 100)
            (func (export "twinwright:scoring/scoring@1.0.0#prepare") (param i32 i32) (result i32) i32.const 512)
            (func (export "twinwright:scoring/scoring@1.0.0#score")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {score}))"#
    );
    let core = wat::parse_str(module).expect("wat");
    twinwright_scorer_builder::encode_core("liar", &core, &contract).expect("encodes")
}

#[test]
fn row_11_lists_that_point_outside_and_liars_of_memory() {
    let bump = "i32.const 8192";
    // The answer's record at 1024: five lists of which the first is changed.
    let answer = |at: u32, length: u32| {
        format!(
            "(i32.store (i32.const 1028) (i32.const {at})) (i32.store (i32.const 1032) (i32.const {length})) i32.const 1024"
        )
    };
    let cases = [
        (answer(0xffff_fff0, 64), bump, "a pointer outside"),
        (answer(0, 0xffff_ffff), bump, "a length that overflows"),
        (answer(131_000, 4_096), bump, "a list over the end"),
        ("i32.const 0x7fffffff".to_owned(), bump, "an answer outside"),
        ("i32.const 1027".to_owned(), bump, "a misaligned answer"),
        (answer(0, 0), "i32.const 0x7ffffff0", "a wild realloc"),
        (answer(0, 0), "unreachable", "a realloc that traps"),
    ];
    for (score, realloc, what) in cases {
        let loaded = engine().load(&liar(&score, realloc)).expect(what);
        match loaded.instantiate(b"baseline") {
            Ok(mut scorer) => {
                let error = scorer.score(&Plain::new(4, 2).batch()).expect_err(what);
                assert!(
                    matches!(error, ScorerError::Contract { .. } | ScorerError::Trapped { .. }),
                    "{what}: {error}"
                );
            }
            Err(error) => assert!(matches!(error, LoadError::Prepare { .. }), "{what}: {error}"),
        }
    }
}

#[test]
fn row_12_what_is_no_scorer() {
    let engine = engine();
    let many = format!("(component {})", "(core module)".repeat(3_000));
    let deep = format!("{}{}", "(component ".repeat(50), ")".repeat(50));
    let other = "(component (import \"twinwright:scoring/log@2.0.0\" (instance (export \"log\" (func)))))";
    for (what, bytes) in [
        ("zero bytes", vec![]),
        ("a core module", wat::parse_str("(module)").expect("wat")),
        ("an empty component", wat::parse_str("(component)").expect("wat")),
        ("3,000 modules", wat::parse_str(many).expect("wat")),
        ("50 components deep", wat::parse_str(deep).expect("wat")),
        ("the next major version", wat::parse_str(other).expect("wat")),
        ("an archive", b"PK\x03\x04\x14\0\0\0".to_vec()),
        ("a truncated one", bytes("ewma-chart")[..5_000].to_vec()),
        ("a polyglot", [b"\x7fELF".to_vec(), bytes("ewma-chart")].concat()),
    ] {
        let error = engine.load(&bytes).expect_err(what);
        assert_eq!(error.to_string().lines().count(), 1, "{what}: {error}");
    }
    let large = ScoringEngine::new(EngineConfig { component_limit: 1_000, ..config() }).expect("engine");
    assert!(matches!(large.load(&bytes("ewma-chart")), Err(LoadError::TooLarge { .. })));
}

fn compiler(memory: u64, deadline: Duration) -> CompilerProcess {
    CompilerProcess { program: env!("CARGO_BIN_EXE_twinwright-compiler").into(), memory, deadline }
}

#[test]
fn row_13_compile_bombs() {
    let locals = format!("(component (core module (func (local {}))))", "i64 ".repeat(30_000));
    let said = engine().load(&wat::parse_str(locals).expect("wat")).expect_err("too many").to_string();
    assert!(said.contains("locals"), "{said}");
    let with = |memory, deadline| {
        let compiler = Some(compiler(memory, deadline));
        ScoringEngine::new(EngineConfig { compiler, ..config() }).expect("engine")
    };
    let good =
        with(1 << 30, Duration::from_secs(120)).load(&bytes("ewma-chart")).expect("a child compiles it");
    let baseline = common::golden("ewma-chart").remove(0).1.baseline;
    good.instantiate(baseline.get().as_bytes()).expect("and it runs here");
    let body = "local.get 0 i64.const 7 i64.mul i64.const 3 i64.rotl local.set 0 ".repeat(20_000);
    let heavy = format!("(component (core module (func (param i64) (result i64) {body} local.get 0)))");
    let heavy = wat::parse_str(heavy).expect("wat");
    let said = with(24 << 20, Duration::from_secs(120)).load(&heavy).expect_err("memory").to_string();
    assert!(said.contains("limits of 24 MiB") || said.contains("emory"), "{said}");
    let said = with(1 << 30, Duration::from_millis(20)).load(&heavy).expect_err("time").to_string();
    assert!(said.contains("took longer") || said.contains("stopped at its limits"), "{said}");
}

#[test]
fn row_14_machine_code_that_was_tampered_with() {
    let parent = tempfile::tempdir().expect("folder");
    let start = || ScoringEngine::new(EngineConfig { cache_dir: Some(parent.path().join("c")), ..config() });
    let first = start().expect("engine").load(&bytes("hostile")).expect("loads");
    let file = start().expect("engine").cached_file(first.sha256()).expect("a cache");
    let mut code = std::fs::read(&file).expect("kept");
    let middle = code.len() / 2;
    code[middle] ^= 1;
    std::fs::write(&file, code).expect("writes");
    assert!(!start().expect("engine").load(&bytes("hostile")).expect("loads").from_cache(), "compiled anew");
    assert!(start().expect("engine").load(&bytes("hostile")).expect("loads").from_cache(), "and put right");
}

fn package(version: &str, key: &SigningKey) -> (Envelope, Vec<u8>) {
    let component = variant(version, "steady");
    let loaded = engine().load(&component).expect("loads");
    let draft = format!(
        r#"{{"name":"hostile","version":"{version}","world":"twinwright:scoring/scorer@1.0.0","summary":"","author":""}}"#
    );
    let draft = Draft::from_json(draft.as_bytes()).expect("draft");
    let manifest = draft.complete(&component, loaded.descriptor(), "2027-01-01T00:00:00Z").expect("manifest");
    (Envelope::sign(&manifest, key), component)
}

#[test]
fn row_15_signatures_missing_wrong_expired_replayed_or_of_something_else() {
    let (key, other) = (SigningKey::generate().expect("key"), SigningKey::generate().expect("key"));
    let mut trust = Trust::default();
    trust.add(&key.verifying(), "anna");
    let (envelope, component) = package("0.0.2", &key);
    let verified = envelope.verify(&trust, NOW).expect("counts");
    assert_eq!(verified.component(&component).expect("the bytes that were signed").len(), component.len());
    let changed = variant("0.0.2", "drifted");
    assert!(matches!(verified.component(&changed), Err(PackageError::Mismatch { field: "sha256", .. })));
    let untrusted = |envelope: &Envelope, trust: &Trust| match envelope.verify(trust, NOW) {
        Err(PackageError::Untrusted { reasons }) => reasons,
        other => panic!("{other:?}"),
    };
    assert!(untrusted(&package("0.0.2", &other).0, &trust).contains("not in the trust document"));
    let mut both = package("0.0.2", &other).0;
    both.sign_too(&key).expect("signs");
    assert!(both.verify(&trust, NOW).is_ok(), "one signature that counts is enough");
    let text = envelope.to_json();
    let unsigned = format!("{}[]}}", &text[..text.find("[").expect("signatures")]);
    assert_eq!(
        Envelope::from_json(unsigned.as_bytes()).expect("reads").verify(&trust, NOW),
        Err(PackageError::Unsigned)
    );
    // The manifest of one package under the signature of another.
    let swap = |from: &str, to: &str, field: &str| {
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("json");
        let (mut into, from) = (value(to), value(from));
        into[field] = from[field].clone();
        into.to_string()
    };
    let forged = swap(&package("0.0.3", &key).0.to_json(), &text, "payload");
    assert!(
        untrusted(&Envelope::from_json(forged.as_bytes()).expect("reads"), &trust).contains("does not fit")
    );
    let with = |change: &dyn Fn(&mut Trust)| {
        let mut trust = trust.clone();
        change(&mut trust);
        Trust::from_json(trust.to_json().as_bytes()).expect("trust")
    };
    let expired = with(&|trust| trust.keys[0].not_after = "2020-01-01T00:00:00Z".to_owned());
    assert!(untrusted(&envelope, &expired).contains("counted until"));
    let early = with(&|trust| trust.keys[0].not_before = "2099-01-01T00:00:00Z".to_owned());
    assert!(untrusted(&envelope, &early).contains("counts from"));
    let revoked = with(&|trust| assert!(trust.revoked_keys.insert(key.verifying().id())));
    assert!(untrusted(&envelope, &revoked).contains("was revoked"));
    let component =
        with(&|trust| assert!(trust.revoked_components.insert(verified.manifest().sha256.clone())));
    assert!(matches!(envelope.verify(&component, NOW), Err(PackageError::Revoked { .. })));
    let minimum =
        with(&|trust| assert!(trust.minimum.insert("hostile".to_owned(), "0.0.10".to_owned()).is_none()));
    assert!(
        matches!(envelope.verify(&minimum, NOW), Err(PackageError::BelowMinimum { .. })),
        "by number, not by text"
    );
}

#[test]
fn row_16_states_of_garbage_of_other_versions_and_of_great_size() {
    let engine = engine();
    for name in ["ewma-chart", "smoothed-mahalanobis"] {
        let loaded = engine.load(&bytes(name)).expect("loads");
        let baseline = common::golden(name).remove(0).1.baseline;
        twinwright_scoring::conformance::self_test(&loaded, baseline.get().as_bytes())
            .expect("holds every rule");
    }
    assert!(matches!(fail("state-ends"), ScorerError::Contract { .. }));
}

#[test]
fn row_17_and_18_determinism_and_leaks_between_devices() {
    let loaded = engine().load(&variant("0.0.2", "state-memory")).expect("loads");
    let baseline = common::golden("ewma-chart").remove(0).1.baseline;
    let checked = twinwright_scoring::conformance::check(&loaded, baseline.get().as_bytes()).expect("runs");
    let broken: Vec<&str> = checked.iter().filter(|c| c.broken.is_some()).map(|c| c.rule).collect();
    assert!(broken.contains(&"a used instance answers as a fresh one"), "{broken:?}");
}

#[test]
fn row_19_swaps_under_load() {
    // In the flow, with kills, in crates/app (scorers/tests.rs); here: a thousand swaps below running batches.
    let engine = engine();
    let versions: Vec<LoadedScorer> =
        ["0.0.2", "0.0.3"].iter().map(|v| engine.load(&variant(v, "steady")).expect("loads")).collect();
    let registry = twinwright_scoring::ScorerRegistry::default();
    registry.swap("pump", versions[0].clone());
    std::thread::scope(|scope| {
        let batches = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..2_000 {
                let loaded = registry.get("pump").expect("there");
                let mut scorer = loaded.instantiate(b"").expect("instantiates");
                assert_eq!(scorer.score(&Plain::new(4, 2).batch()).expect("scores").scores.len(), 4);
                seen.insert(scorer.id().to_owned());
            }
            seen
        });
        for swap in 0..1_000 {
            registry.swap("pump", versions[swap % 2].clone());
        }
        let seen = batches.join().expect("thread");
        assert!(seen.iter().all(|id| versions.iter().any(|version| version.id() == id)));
    });
}

#[test]
fn row_20_canaries_are_rolled_back() {
    // Each kind with real components in swap.rs; here: whatever the verdict, the promoted version stays.
    let release = Release { name: "a".into(), version: "1.0.0".into(), sha256: "0".repeat(64) };
    let standing = Standing::default().begin(&release, 10, 0, false).expect("begins");
    let on = standing.candidate.clone().expect("on trial");
    let bad = Verdict::RollBack(Reason::Unusable("no".into()));
    let back = standing.apply(&on, &bad, 1, &SwapPolicy::default()).expect("rolls back");
    assert_eq!((back.promoted, back.candidate), (None, None));
}

#[test]
fn row_21_a_noisy_neighbour() {
    let engine = engine();
    let (noisy, good) = (variant("0.0.2", "spin"), variant("0.0.3", "steady"));
    let (noisy, good) = (engine.load(&noisy).expect("loads"), engine.load(&good).expect("loads"));
    let plain = Plain::new(100, 4);
    std::thread::scope(|scope| {
        let spin =
            scope.spawn(|| noisy.instantiate(b"").expect("instantiates").score(&plain.batch()).is_err());
        let mut scorer = good.instantiate(b"").expect("instantiates");
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let started = Instant::now();
                scorer.score(&plain.batch()).expect("scores");
                started.elapsed()
            })
            .collect();
        times.sort();
        assert!(times[180] < Duration::from_millis(200), "{:?}", times[180]);
        assert!(spin.join().expect("thread"));
    });
}

#[test]
fn row_22_no_clock_no_threads_no_shared_memory() {
    let shared = "(component (core module (memory 1 1 shared)))";
    assert!(engine().load(&wat::parse_str(shared).expect("wat")).is_err());
}

#[test]
fn row_23_random_bytes() {
    let engine = engine();
    let (good, mut seed) = (bytes("ewma-chart"), 7_u64);
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for _ in 0..20 {
        let mut mutated = good.clone();
        for _ in 0..1 + random() % 8 {
            let at = 8 + random() % (mutated.len() - 8);
            mutated[at] = random() as u8;
        }
        // Whatever comes, no panic; what loads still has to answer within its limits.
        if let Ok(loaded) = engine.load(&mutated) {
            let baseline = common::golden("ewma-chart").remove(0).1.baseline;
            if let Ok(mut scorer) = loaded.instantiate(baseline.get().as_bytes()) {
                let _ = scorer.score(&Plain::new(3, 3).batch());
            }
        }
        let noise: Vec<u8> = (0..random() % 500).map(|_| random() as u8).collect();
        let _ = (Envelope::from_json(&noise), Trust::from_json(&noise), Draft::from_json(&noise));
    }
    let mut scorer = load("steady").instantiate(b"").expect("instantiates");
    let state = StateBlobs { bytes: vec![0xff; 3], ends: vec![3] };
    let batch = ScoreBatch {
        signals: 1,
        device: &[0],
        time: &[i64::MIN],
        values: &[f64::NAN],
        mask: &[1],
        state: &state,
    };
    let _ = scorer.score(&batch);
}

#[test]
fn row_24_a_disk_that_takes_nothing() {
    let parent = tempfile::tempdir().expect("folder");
    let file = parent.path().join("not-a-folder");
    std::fs::write(&file, b"").expect("writes");
    let engine =
        ScoringEngine::new(EngineConfig { cache_dir: Some(file), ..config() }).expect("works without");
    assert!(!engine.load(&bytes("hostile")).expect("loads").from_cache());
    let gone = EngineConfig {
        compiler: Some(CompilerProcess { program: "/nonexistent".into(), memory: 1 << 30, deadline: SOON }),
        ..config()
    };
    let said = ScoringEngine::new(gone)
        .expect("engine")
        .load(&bytes("hostile"))
        .expect_err("no compiler")
        .to_string();
    assert!(said.contains("compiler's process cannot be used"), "{said}");
}

#[test]
fn row_25_a_full_pool() {
    let engine = ScoringEngine::new(EngineConfig { instances: 2, ..config() }).expect("engine");
    let loaded = engine.load(&variant("0.0.2", "steady")).expect("loads");
    let mut held = Vec::new();
    let refused = (0..200).find_map(|_| match loaded.instantiate(b"") {
        Ok(scorer) => {
            held.push(scorer);
            None
        }
        Err(error) => Some(error),
    });
    assert!(!engine.pooled() || matches!(refused, Some(LoadError::Prepare { .. })), "{refused:?}");
    held.clear();
    loaded.instantiate(b"").expect("there is room again");
}

#[test]
fn an_instances_own_limits_are_below_the_ceilings() {
    let loaded = load("spin");
    let limits = Limits { deadline: Some(Duration::from_millis(20)), memory: None };
    let mut quick = loaded.instantiate_within(b"", limits).expect("instantiates");
    let error = quick.score(&Plain::new(1, 1).batch()).expect_err("spins");
    assert!(matches!(error, ScorerError::Deadline { deadline_ms: 20, .. }), "{error}");
    let limits = Limits { deadline: Some(Duration::from_secs(600)), memory: Some(1 << 40) };
    let mut greedy = loaded.instantiate_within(b"", limits).expect("instantiates");
    let error = greedy.score(&Plain::new(1, 1).batch()).expect_err("spins");
    assert!(matches!(error, ScorerError::Deadline { deadline_ms: 300, .. }), "the ceiling holds: {error}");
}
