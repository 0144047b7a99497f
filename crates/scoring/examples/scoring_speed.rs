//! How long loading and scoring take: `cargo run -p twinwright-scoring --example scoring_speed -- FOLDER`, where the
//! folder holds built scorers.

#![allow(clippy::unwrap_used, reason = "a command-line tool for people at a desk")]

use std::time::{Duration, Instant};

use twinwright_core::scoring::{ScoreBatch, Scorer, StateBlobs};
use twinwright_kernels::baseline::{FORMAT, Regime, TrainingWindow};
use twinwright_kernels::{Baseline, EwmaChart, SmoothedMahalanobis};
use twinwright_scoring::{EngineConfig, NativeScorer, ScoringEngine};

fn baseline(signals: usize) -> Vec<u8> {
    let unit = |row: usize, column: usize| if row == column { 20.0 } else { 0.5 };
    let regime = Regime {
        centre: vec![],
        scale: vec![],
        weight: 1.0,
        mean: vec![0.5; signals],
        deviation: vec![0.1; signals],
        precision: (0..signals * signals).map(|at| unit(at / signals, at % signals)).collect(),
        ewma_deviation: vec![0.3; signals],
        components: Vec::new(),
    };
    let baseline = Baseline {
        format: FORMAT,
        id: "bench/1".to_owned(),
        equipment: "bench".to_owned(),
        created: String::new(),
        window: TrainingWindow::default(),
        data_hash: String::new(),
        signals: (0..signals).map(|at| format!("s{at}")).collect(),
        scorers: vec![],
        settings: vec![],
        regimes: vec![regime],
        window_rows: 30,
        ewma_alpha: 0.1,
        gap_reset_seconds: 60.0,
        slow_alpha: Vec::new(),
        range: None,
        principal: None,
        mixture: None,
        limits: ["smoothed-mahalanobis", "ewma-chart"].map(|name| (name.to_owned(), 4.0)).into(),
        metrics: Default::default(),
        note: String::new(),
    };
    baseline.to_json().unwrap()
}

/// The fastest of many batches of `rows` rows: others share the machine.
fn time(scorer: &mut dyn Scorer, rows: usize, devices: usize, signals: usize) -> Duration {
    let device: Vec<u32> = (0..rows).map(|row| (row % devices) as u32).collect();
    let values: Vec<f64> = (0..rows * signals).map(|at| 0.5 + 0.1 * (at as f64).sin()).collect();
    let mask = vec![0; rows * signals];
    let mut state = StateBlobs { bytes: Vec::new(), ends: vec![0; devices] };
    let mut best = Duration::MAX;
    for batch in 0..300_i64 {
        let time: Vec<i64> = (0..rows as i64).map(|row| (batch * rows as i64 + row) * 1_000).collect();
        let batch =
            ScoreBatch { signals, device: &device, time: &time, values: &values, mask: &mask, state: &state };
        let begun = Instant::now();
        let answer = scorer.score(&batch).unwrap();
        best = best.min(begun.elapsed());
        state = answer.state;
    }
    best
}

fn report(name: &str, scorer: &mut dyn Scorer, signals: usize) {
    for devices in [1, 100] {
        let took = time(scorer, 1_000, devices, signals);
        let rate = 1_000.0 / took.as_secs_f64() / 1e6;
        println!(
            "{name:38} {signals:2} signals {devices:3} devices: {took:9.1?} a 1,000 rows, {rate:5.2} M rows/s"
        );
    }
}

fn main() {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let cache = std::env::temp_dir().join(format!("twinwright-speed-{}", std::process::id()));
    for start in ["cold", "warm"] {
        let begun = Instant::now();
        let engine =
            ScoringEngine::new(EngineConfig { cache_dir: Some(cache.clone()), ..Default::default() })
                .unwrap();
        println!("{start}: engine {:.1?} (pooled: {})", begun.elapsed(), engine.pooled());
        for name in ["ewma-chart", "smoothed-mahalanobis"] {
            let bytes = std::fs::read(folder.join(format!("{name}.wasm"))).unwrap();
            let begun = Instant::now();
            let loaded = engine.load(&bytes).unwrap();
            let load = begun.elapsed();
            let begun = Instant::now();
            let mut scorer = loaded.instantiate(&baseline(5)).unwrap();
            println!(
                "{start}: {name} {} kB: load {load:.1?}, instantiate {:.1?}",
                bytes.len() / 1000,
                begun.elapsed()
            );
            if start == "warm" {
                report(scorer.id().to_owned().as_str(), &mut scorer, 5);
                report(scorer.id().to_owned().as_str(), &mut loaded.instantiate(&baseline(8)).unwrap(), 8);
            }
        }
    }
    for signals in [5, 8] {
        let json = baseline(signals);
        report("native ewma-chart", &mut NativeScorer::<EwmaChart>::new(&json).unwrap(), signals);
        report(
            "native smoothed-mahalanobis",
            &mut NativeScorer::<SmoothedMahalanobis>::new(&json).unwrap(),
            signals,
        );
    }
    std::fs::remove_dir_all(&cache).ok();
}
