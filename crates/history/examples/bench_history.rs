//! What stored history costs: 100 devices × 10 signals, every 10 s, 30 days, in a folder.
//!
//! `cargo run --release --example bench_history -- <folder> [days] [devices]` makes the data if they are not there, compacts
//! them in a process of its own, asks, and prints one JSON object. `tests/bench/history_peer.py` asks DuckDB the same over
//! the same files.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use twinwright_core::frame::{Frame, SequenceRange, SignalColumn};
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::compact::{CompactOptions, Compactor};
use twinwright_history::reader::{History, SeriesQuery, SummaryQuery};
use twinwright_history::segment::SegmentMetadata;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// 2026-01-01T00:00:00Z
const START: Micros = 1_767_225_600 * SECOND;
const DAY: Micros = 86_400 * SECOND;
const PARTITIONS: u32 = 4;
const BATCH: usize = 1_000;
const SIGNALS: [&str; 10] = [
    "temperature",
    "vibration",
    "pressure",
    "speed",
    "load",
    "motorTemperature",
    "current",
    "voltage",
    "flow",
    "torque",
];
const HUB: &str = "plant";

/// A few multiplications: quick, and the same on every machine.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal.
    fn bell(&mut self) -> f64 {
        self.next() + self.next() + self.next() - 1.5
    }
}

fn batch(partition: u32, first: i64, devices: &[u32], tick: i64, noise: &mut Noise) -> Frame {
    let ticks = (BATCH / devices.len()) as i64;
    let rows = ticks * devices.len() as i64;
    let range = SequenceRange { first, last: first + rows - 1 };
    let mut frame = Frame::empty(partition, range, START + tick * 10 * SECOND);
    frame.devices = devices.iter().map(|device| Arc::from(format!("robotic-arm-{device:03}"))).collect();
    frame.signals = SIGNALS
        .iter()
        .map(|&name| SignalColumn { name: name.into(), values: Vec::with_capacity(BATCH), flags: Vec::new() })
        .collect();
    for tick in tick..tick + ticks {
        for (code, device) in devices.iter().enumerate() {
            let jitter = (noise.next() * 20.0) as i64 * 1_000;
            let time = START + tick * 10 * SECOND + i64::from(*device) * 97_000 + jitter;
            frame.device.push(code as u32);
            frame.time.push(time);
            frame.enqueued.push(time + 30_000 + (noise.next() * 50.0) as i64 * 1_000);
            let day = (tick as f64 / 8_640.0 * std::f64::consts::TAU).sin();
            for (at, signal) in frame.signals.iter_mut().enumerate() {
                let centre = 20.0 + 15.0 * at as f64 + f64::from(device % 7);
                let value = centre + day * (2.0 + at as f64 / 2.0) + noise.bell() * (1.0 + at as f64 / 3.0);
                signal.values.push((value * 100.0).round() / 100.0);
            }
        }
    }
    frame.sequence = (range.first..=range.last).collect();
    frame.first_enqueued = frame.enqueued.iter().copied().min().unwrap_or(0);
    frame.last_enqueued = frame.enqueued.iter().copied().max().unwrap_or(0);
    frame
}

async fn make(folder: &Path, days: i64, devices: u32) -> Outcome<()> {
    let done = folder.join(format!("made-{days}-{devices}"));
    if done.exists() {
        return Ok(());
    }
    let log = SegmentLog::new(Store::folder_unsynced(folder.join("data"))?, HUB);
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for partition in 0..PARTITIONS {
        let ours: Vec<u32> = (0..devices).filter(|device| device % PARTITIONS == partition).collect();
        let ticks = (BATCH / ours.len()) as i64;
        let (mut tick, mut first) = (0, 0);
        while tick < days * 8_640 {
            let frame = batch(partition, first, &ours, tick, &mut noise);
            log.commit(&frame, &SegmentMetadata::default()).await?;
            first += frame.rows() as i64;
            tick += ticks;
        }
    }
    std::fs::write(done, b"")?;
    Ok(())
}

/// Seconds of processor time, and the most memory in MB.
fn usage() -> Outcome<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let kilobytes: f64 = peak.trim().trim_end_matches("kB").trim().parse()?;
    Ok((ticks / 100.0, kilobytes / 1024.0))
}

/// Reads all files once: what devices sent in the last days is in memory when it is compacted, and how fast this disk is
/// says nothing of the compactor.
fn remember(folder: &Path) -> Outcome<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                std::fs::read(path)?;
            }
        }
    }
    Ok(())
}

async fn compact(folder: &Path, days: i64) -> Outcome<()> {
    for old in ["history", "roll-ups", "manifests", "compaction"] {
        let _absent = std::fs::remove_dir_all(folder.join("data").join(old));
    }
    let store = Store::folder_unsynced(folder.join("data"))?;
    let options = CompactOptions { grace: i64::MAX / 4, ..CompactOptions::new(START + (days + 2) * DAY) };
    remember(&folder.join("data/segments"))?;
    let (before, _) = usage()?;
    let clock = Instant::now();
    let report = Compactor::new(store, HUB).run(&options).await?;
    let wall = clock.elapsed().as_secs_f64();
    let (after, peak) = usage()?;
    let found = json!({
        "rows": report.rows, "segments": report.segments, "files": report.files, "bytes": report.bytes,
        "compact_rows_per_s_core": report.rows as f64 / (after - before),
        "compact_wall_s": wall, "compact_cpu_s": after - before, "compact_rss_mb": peak,
    });
    println!("{found}");
    Ok(())
}

fn series_query(turn: i64, days: i64) -> SeriesQuery {
    let day = START + (turn * 7 % days) * DAY;
    SeriesQuery {
        device: format!("robotic-arm-{:03}", turn * 13 % 100),
        signal: SIGNALS[(turn * 3 % 10) as usize].to_owned(),
        from: day,
        to: day + DAY,
        interval: 60 * SECOND,
    }
}

async fn first_query(folder: &Path, days: i64) -> Outcome<()> {
    let clock = Instant::now();
    let history = History::new(Store::folder(folder.join("data"))?, HUB);
    let series = history.series(&series_query(3, days)).await?;
    let took = clock.elapsed().as_secs_f64() * 1e3;
    println!("{}", json!({ "series_cold_ms": took, "buckets": series.summaries.len() }));
    Ok(())
}

fn child(folder: &Path, days: i64, what: &str) -> Outcome<serde_json::Value> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg(folder).arg(days.to_string()).arg("0").arg(what).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Tells the kernel to forget the files' pages, so that the next read comes from the disk.
fn forget(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let target = format!("of={}", path.display());
                let _best_effort = Command::new("dd")
                    .args([
                        target.as_str(),
                        "oflag=nocache",
                        "conv=notrunc,fdatasync",
                        "count=0",
                        "status=none",
                    ])
                    .status();
            }
        }
    }
}

/// The segments of all days but the last, out of the way: a day after they were compacted they are deleted, and a query
/// meets those of the last day alone. They come back with the drop, for the next compaction.
struct Swept(Vec<(PathBuf, PathBuf)>);

impl Swept {
    fn new(folder: &Path, days: i64) -> Outcome<Self> {
        let segments = folder.join("data/segments/v=1").join(format!("hub={HUB}"));
        let aside = folder.join("swept");
        std::fs::create_dir_all(&aside)?;
        let mut moved = Self(Vec::new());
        let mut dates: Vec<PathBuf> = std::fs::read_dir(&segments)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        dates.sort();
        dates.truncate(dates.len().min(usize::try_from(days - 1)?));
        for date in dates {
            let to = aside.join(date.file_name().ok_or("a date without a name")?);
            std::fs::rename(&date, &to)?;
            moved.0.push((to, date));
        }
        Ok(moved)
    }
}

impl Drop for Swept {
    fn drop(&mut self) {
        for (from, to) in self.0.drain(..) {
            if let Err(error) = std::fs::rename(&from, &to) {
                eprintln!("{} could not be moved back: {error}", from.display());
            }
        }
    }
}

async fn measure(folder: &Path, days: i64, devices: u32) -> Outcome<()> {
    make(folder, days, devices).await?;
    let mut found = child(folder, days, "compact")?;
    let data = folder.join("data");
    let swept = Swept::new(folder, days)?;
    for part in ["history", "roll-ups", "manifests"] {
        forget(&data.join(part));
    }
    let cold = child(folder, days, "cold")?;
    let store = Store::folder_unsynced(&data)?;
    let history = History::new(store, HUB);
    let manifest = history.manifest().await?;
    let values: u64 = manifest.days.iter().map(|day| day.values).sum();
    let bytes: u64 = manifest.days.iter().flat_map(|day| &day.files).map(|file| file.bytes).sum();
    let rolled = manifest.days.iter().filter_map(|day| day.roll_ups.as_ref());
    let rolled: u64 =
        rolled.flat_map(|rolled| rolled.minute.iter().chain(&rolled.hour)).map(|file| file.bytes).sum();
    let mut warm = Vec::new();
    for _ in 0..41 {
        let clock = Instant::now();
        history.series(&series_query(3, days)).await?;
        warm.push(clock.elapsed().as_secs_f64() * 1e3);
    }
    let mut spread = Vec::new();
    for turn in 0..100 {
        let clock = Instant::now();
        history.series(&series_query(turn, days)).await?;
        spread.push(clock.elapsed().as_secs_f64() * 1e3);
    }
    let from_rows = SeriesQuery { interval: 90 * SECOND, ..series_query(3, days) };
    let mut rows = Vec::new();
    for _ in 0..21 {
        let clock = Instant::now();
        history.series(&from_rows).await?;
        rows.push(clock.elapsed().as_secs_f64() * 1e3);
    }
    let mut fleet = Vec::new();
    for signals in [Some(BTreeSet::from([SIGNALS[0].to_owned()])), None] {
        let query = SummaryQuery {
            devices: None,
            signals,
            from: START,
            to: START + days * DAY,
            interval: 3_600 * SECOND,
        };
        let mut times = Vec::new();
        for _ in 0..5 {
            let clock = Instant::now();
            let answer = history.summaries(&query).await?;
            times.push(clock.elapsed().as_secs_f64() * 1e3);
            assert!(!answer.series.is_empty(), "the fleet has values");
        }
        fleet.push(median(times));
    }
    let scratch = tempfile::tempdir()?;
    let log = SegmentLog::new(Store::folder(scratch.path())?, HUB);
    let ours: Vec<u32> = (0..100).filter(|device| device % 4 == 0).collect();
    let mut noise = Noise(7);
    let mut writes = Vec::new();
    for turn in 0..200 {
        let frame = batch(0, turn * 1_000, &ours, turn * 40, &mut noise);
        let clock = Instant::now();
        log.commit(&frame, &SegmentMetadata::default()).await?;
        writes.push(clock.elapsed().as_secs_f64() * 1e3);
    }
    let more = json!({
        "series_warm_ms": median(warm), "series_any_ms": median(spread), "series_from_rows_ms": median(rows),
        "series_cold_ms": cold["series_cold_ms"],
        "fleet_hourly_30d_one_signal_ms": fleet[0], "fleet_hourly_30d_ms": fleet[1],
        "segment_write_ms": median(writes),
        "bytes_per_value": bytes as f64 / values as f64,
        "bytes_per_value_with_roll_ups": (bytes + rolled) as f64 / values as f64,
    });
    drop(swept);
    if let (Some(found), Some(more)) = (found.as_object_mut(), more.as_object()) {
        found.extend(more.clone());
    }
    println!("{found}");
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder for the data")?);
    let days: i64 = arguments.next().map_or(Ok(30), |days| days.parse())?;
    let devices: u32 = arguments.next().map_or(Ok(100), |devices| devices.parse())?;
    std::fs::create_dir_all(&folder)?;
    match arguments.next().as_deref() {
        Some("compact") => compact(&folder, days).await,
        Some("cold") => first_query(&folder, days).await,
        _ => measure(&folder, days, devices).await,
    }
}
