//! The figures of `cargo xtask bench scoring`, as one JSON object: `bench_scoring FOLDER`, where the folder holds built
//! scorers. Times are the best of many: others share the machine.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot run has nothing to say")]

use std::time::{Duration, Instant};

use twinwright_core::scoring::{ScoreBatch, Scorer, StateBlobs};
use twinwright_kernels::baseline::{FORMAT, Regime, TrainingWindow};
use twinwright_kernels::{Baseline, SmoothedMahalanobis};
use twinwright_scoring::{EngineConfig, NativeScorer, ScorerRegistry, ScoringEngine};

const SIGNALS: usize = 8;
const ROWS: usize = 1_000;
const DEVICES: usize = 20;

fn baseline() -> Vec<u8> {
    let unit = |at: usize| if at / SIGNALS == at % SIGNALS { 20.0 } else { 0.5 };
    let regime = Regime {
        centre: vec![],
        scale: vec![],
        weight: 1.0,
        mean: vec![0.5; SIGNALS],
        deviation: vec![0.1; SIGNALS],
        precision: (0..SIGNALS * SIGNALS).map(unit).collect(),
        ewma_deviation: vec![0.3; SIGNALS],
        components: vec![],
    };
    let baseline = Baseline {
        format: FORMAT,
        id: "bench/1".to_owned(),
        equipment: "bench".to_owned(),
        created: String::new(),
        window: TrainingWindow::default(),
        data_hash: String::new(),
        signals: (0..SIGNALS).map(|at| format!("s{at}")).collect(),
        scorers: vec![],
        settings: vec![],
        regimes: vec![regime],
        window_rows: 30,
        ewma_alpha: 0.1,
        gap_reset_seconds: 60.0,
        slow_alpha: vec![],
        range: None,
        principal: None,
        mixture: None,
        limits: ["smoothed-mahalanobis", "ewma-chart"].map(|name| (name.to_owned(), 4.0)).into(),
        metrics: Default::default(),
        note: String::new(),
    };
    baseline.to_json().unwrap()
}

/// Rows that go on where the last batch ended.
struct Stream {
    device: Vec<u32>,
    values: Vec<f64>,
    mask: Vec<u8>,
    state: StateBlobs,
    batch: i64,
}

impl Stream {
    fn new(rows: usize) -> Self {
        Self {
            device: (0..rows).map(|row| (row % DEVICES) as u32).collect(),
            values: (0..rows * SIGNALS).map(|at| 0.5 + 0.1 * (at as f64).sin()).collect(),
            mask: vec![0; rows * SIGNALS],
            state: StateBlobs { bytes: Vec::new(), ends: vec![0; DEVICES] },
            batch: 0,
        }
    }

    fn next(&mut self, scorer: &mut dyn Scorer) -> Duration {
        let rows = self.device.len() as i64;
        let time: Vec<i64> = (0..rows).map(|row| (self.batch * rows + row) * 1_000).collect();
        self.batch += 1;
        let batch = ScoreBatch {
            signals: SIGNALS,
            device: &self.device,
            time: &time,
            values: &self.values,
            mask: &self.mask,
            state: &self.state,
        };
        let started = Instant::now();
        let answer = scorer.score(&batch).unwrap();
        let took = started.elapsed();
        self.state = answer.state;
        took
    }
}

fn best(scorer: &mut dyn Scorer, rows: usize) -> f64 {
    let mut stream = Stream::new(rows);
    (0..500).map(|_| stream.next(scorer)).min().unwrap().as_secs_f64()
}

/// The medians of two scorers that take turns, so that what others do to the machine meets both.
fn medians(left: &mut dyn Scorer, right: &mut dyn Scorer, rows: usize) -> [f64; 2] {
    let mut streams = [Stream::new(rows), Stream::new(rows)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..1_000 {
        times[0].push(streams[0].next(left).as_secs_f64());
        times[1].push(streams[1].next(right).as_secs_f64());
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn percentile_99(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}

fn main() {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let bytes = |name: &str| std::fs::read(folder.join(format!("{name}.wasm"))).unwrap();
    let cache = std::env::temp_dir().join(format!("twinwright-bench-{}", std::process::id()));
    let start =
        || ScoringEngine::new(EngineConfig { cache_dir: Some(cache.clone()), ..Default::default() }).unwrap();
    let (mahalanobis, json) = (bytes("smoothed-mahalanobis"), baseline());
    start().load(&mahalanobis).unwrap();
    let engine = start();
    let starts = (0..20).map(|_| {
        let started = Instant::now();
        engine.load(&mahalanobis).unwrap().instantiate(&json).unwrap();
        started.elapsed()
    });
    let start_ms = starts.min().unwrap().as_secs_f64() * 1e3;
    let loaded = engine.load(&mahalanobis).unwrap();
    let guest = best(&mut loaded.instantiate(&json).unwrap(), ROWS);
    let mut native = NativeScorer::<SmoothedMahalanobis>::new(&json).unwrap();
    let [through, without] = medians(&mut loaded.instantiate(&json).unwrap(), &mut native, ROWS);
    // A batch of no rows: what crossing the border costs.
    let empty = best(&mut loaded.instantiate(&json).unwrap(), 0);
    let native_empty = best(&mut NativeScorer::<SmoothedMahalanobis>::new(&json).unwrap(), 0);
    // Swaps between batches: the next batch takes a new instance of the other scorer.
    let registry = ScorerRegistry::default();
    let others = [loaded, engine.load(&bytes("ewma-chart")).unwrap()];
    let mut stream = Stream::new(ROWS);
    let (mut calm, mut swapping) = (Vec::new(), Vec::new());
    registry.swap("bench", others[0].clone());
    let mut scorer = registry.get("bench").unwrap().instantiate(&json).unwrap();
    for _ in 0..1_000 {
        calm.push(stream.next(&mut scorer).as_secs_f64());
    }
    for _ in 0..1_000 {
        // The same scorer under another instance, so that the work of a batch stays the same.
        registry.swap("bench", others[0].clone());
        let started = Instant::now();
        scorer = registry.get("bench").unwrap().instantiate(&json).unwrap();
        let fresh = started.elapsed().as_secs_f64();
        swapping.push(fresh + stream.next(&mut scorer).as_secs_f64());
    }
    std::fs::remove_dir_all(&cache).ok();
    println!(
        "{{\"scoring_rows_per_s_core\": {}, \"scoring_ratio_to_native\": {}, \"scoring_call_overhead_us\": {}, \
         \"promoted_scorer_start_ms\": {start_ms}, \"swap_p99_ratio\": {}}}",
        ROWS as f64 / guest,
        through / without,
        (empty - native_empty).max(0.0) * 1e6,
        percentile_99(swapping) / percentile_99(calm),
    );
}
