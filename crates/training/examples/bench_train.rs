//! Clusters, a mixture and a covariance, timed.
//!
//! `bench_train rows FILE`: 1 million rows × 8 signals, made here and written to FILE (little-endian doubles) for a peer
//! to read; prints seconds and results. `bench_train stream`: 10 million rows × 10 signals that are made as they are
//! read; prints the peak of resident memory.

#![allow(clippy::unwrap_used, reason = "a measurement for people at a desk")]

use std::io::Write as _;
use std::time::Instant;

use twinwright_training::TrainError;
use twinwright_training::learners::stream::{RowSource, Slice, covariance, kmeans, mixture};

const CLUSTERS: usize = 6;
const COMPONENTS: usize = 4;
/// Each is measured so often, and the median counts.
const ROUNDS: usize = 3;

/// Six operating points with correlated spread, made from the row's number alone.
struct Plant {
    rows: usize,
    width: usize,
}

impl Plant {
    fn fill(&self, from: usize, into: &mut [f64]) {
        for (at, row) in into.chunks_exact_mut(self.width).enumerate() {
            let mut state = (from + at) as u64;
            let mut noise = || {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^ (mixed >> 31)
            };
            let which = noise() % 6;
            let mut common = 0.0;
            for (signal, value) in row.iter_mut().enumerate() {
                let spread: f64 =
                    (0..4).map(|_| (noise() >> 11) as f64 / (1_u64 << 53) as f64).sum::<f64>() * 1.7 - 3.4;
                common = if signal == 0 { spread } else { common };
                let centre = (((which * 7 + signal as u64 * 3) % 11) as f64 - 5.0) * 1.2;
                *value = centre + 0.8 * spread + 0.5 * common;
            }
        }
    }
}

impl RowSource for Plant {
    fn width(&self) -> usize {
        self.width
    }

    fn pass(&self, take: &mut dyn FnMut(&[f64])) -> Result<(), TrainError> {
        let mut chunk = vec![0.0; 131_072 * self.width];
        for from in (0..self.rows).step_by(131_072) {
            let rows = (self.rows - from).min(131_072);
            self.fill(from, &mut chunk[..rows * self.width]);
            take(&chunk[..rows * self.width]);
        }
        Ok(())
    }
}

/// Median seconds of a few rounds, and the last result.
fn timed<T>(work: impl Fn() -> T) -> (f64, T) {
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        last = Some(work());
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    (seconds[ROUNDS / 2], last.unwrap())
}

fn rows(path: &str) {
    let plant = Plant { rows: 1_000_000, width: 8 };
    let mut values = vec![0.0; plant.rows * plant.width];
    plant.fill(0, &mut values);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::File::create(path).unwrap().write_all(&bytes).unwrap();
    drop(bytes);
    let source = Slice { rows: &values, width: plant.width };
    let (kmeans_s, clusters) = timed(|| kmeans(&source, CLUSTERS, 42).unwrap());
    let (gmm_s, mixed) = timed(|| mixture(&source, COMPONENTS, 42).unwrap());
    let (covariance_s, shrunk) = timed(|| covariance(&source).unwrap());
    let told = serde_json::json!({
        "clusters": CLUSTERS, "components": COMPONENTS, "rounds": ROUNDS,
        "kmeans_s": kmeans_s, "kmeans_inertia": clusters.inertia, "kmeans_passes": clusters.passes,
        "gmm_s": gmm_s, "gmm_log_likelihood": mixed.log_likelihood, "gmm_passes": mixed.passes,
        "covariance_s": covariance_s, "covariance_trace":
            (0..8).map(|at| shrunk.covariance[at * 9]).sum::<f64>(),
        "covariance_shrinkage": shrunk.shrinkage,
    });
    println!("{told}");
}

fn stream() {
    let plant = Plant { rows: 10_000_000, width: 10 };
    let began = Instant::now();
    let shrunk = covariance(&plant).unwrap();
    let clusters = kmeans(&plant, CLUSTERS, 42).unwrap();
    let mixed = mixture(&plant, COMPONENTS, 42).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    let told = serde_json::json!({
        "train_10m_rss_mb": peak.map(|kilobytes| kilobytes / 1024.0),
        "train_10m_s": began.elapsed().as_secs_f64(),
        "rows": shrunk.rows, "inertia": clusters.inertia, "log_likelihood": mixed.log_likelihood,
    });
    println!("{told}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["rows", path] => rows(path),
        ["stream"] => stream(),
        _ => {
            eprintln!("usage: bench_train rows FILE | bench_train stream");
            std::process::exit(2);
        }
    }
}
