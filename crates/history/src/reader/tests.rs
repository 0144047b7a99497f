//! Reads over files and segments: pruned, from roll-ups and from rows, warm, damaged.

use std::collections::BTreeSet;
use std::sync::Arc;

use twinwright_core::frame::{Frame, SequenceRange, SignalColumn};

use super::*;
use crate::compact::{CompactOptions, Compactor, Summary};
use crate::segment::SegmentMetadata;
use crate::segments::SegmentLog;

const DAY: Micros = 86_400 * SECOND;
const START: Micros = 20_500 * DAY;

/// A row every ten seconds of each of three devices, for a quarter of an hour.
fn quarter(day: i64, quarter: i64) -> Frame {
    let rows = 3 * 90;
    let first = (day * 96 + quarter) * rows;
    let from = START + day * DAY + quarter * 900 * SECOND;
    let mut frame = Frame::empty(0, SequenceRange { first, last: first + rows - 1 }, from);
    frame.devices = ["a", "b", "c"].map(Arc::from).to_vec();
    for row in 0..rows {
        frame.device.push((row % 3) as u32);
        frame.time.push(from + row / 3 * 10 * SECOND + row % 3);
        frame.enqueued.push(from + row / 3 * 10 * SECOND + SECOND);
        frame.sequence.push(first + row);
    }
    let values = |scale: i64| {
        frame
            .sequence
            .iter()
            .map(|n| if n % 50 == 7 { f64::NAN } else { (n * scale % 9_973) as f64 / 100.0 })
            .collect()
    };
    let signal =
        |name: &str, scale| SignalColumn { name: name.into(), values: values(scale), flags: Vec::new() };
    frame.signals = vec![signal("speed", 37), signal("load", 101)];
    frame.last_enqueued = frame.enqueued[frame.enqueued.len() - 1];
    frame
}

async fn filled(store: &Store, days: i64) -> SegmentLog {
    let log = SegmentLog::new(store.clone(), "plant");
    for day in 0..days {
        for part in 0..96 {
            log.commit(&quarter(day, part), &SegmentMetadata::default()).await.unwrap();
        }
    }
    log
}

fn compacted(now: Micros) -> CompactOptions {
    CompactOptions { keep_for_replay: false, ..CompactOptions::new(now) }
}

/// The plain way.
fn expected(
    days: i64,
    device: u32,
    signal: usize,
    from: Micros,
    to: Micros,
    interval: Micros,
) -> Vec<Summary> {
    let start = from - from.rem_euclid(interval);
    let mut out = vec![Summary::EMPTY; ((to - start) as u64).div_ceil(interval as u64) as usize];
    for day in 0..days {
        for part in 0..96 {
            let frame = quarter(day, part);
            for row in 0..frame.rows() {
                let time = frame.time[row];
                if frame.device[row] == device && from <= time && time < to {
                    out[((time - start) / interval) as usize].add(&[frame.signals[signal].values[row]]);
                }
            }
        }
    }
    out
}

fn close(a: &Summary, b: &Summary) -> bool {
    let near =
        |a: f64, b: f64| a == b || (a - b).abs() < 1e-6 * (1.0 + a.abs()) || (a.is_nan() && b.is_nan());
    a.count == b.count
        && (a.min, a.max) == (b.min, b.max)
        && near(a.sum, b.sum)
        && near(a.sum_of_squares, b.sum_of_squares)
        && near(a.first, b.first)
        && near(a.last, b.last)
}

#[tokio::test]
async fn roll_ups_rows_and_segments_give_the_same_series() {
    let store = Store::memory();
    filled(&store, 3).await;
    let history = History::new(store.clone(), "plant");
    let compactor = Compactor::new(store.clone(), "plant");
    // Nothing compacted; two days compacted and one in segments; all compacted.
    for now in [None, Some(START + 2 * DAY + 3 * 3_600 * SECOND), Some(START + 9 * DAY)] {
        if let Some(now) = now {
            compactor.run(&compacted(now)).await.unwrap();
        }
        for (from, to) in [
            (START, START + DAY),
            (START + DAY + 17 * SECOND, START + 2 * DAY - 3_333 * SECOND),
            (START - 5 * DAY, START + 30 * DAY),
            (START + 3_600 * SECOND, START + 3_661 * SECOND),
        ] {
            for interval in [60 * SECOND, 3_600 * SECOND, 90 * SECOND, 7_200 * SECOND] {
                let query = SeriesQuery { device: "b".into(), signal: "load".into(), from, to, interval };
                let found = history.series(&query).await.unwrap();
                let expected = expected(3, 1, 1, from, to, interval);
                assert_eq!(found.summaries.len(), expected.len());
                let wrong = found.summaries.iter().zip(&expected).position(|(a, b)| !close(a, b));
                assert_eq!(wrong, None, "{now:?} {from} {to} {interval}");
            }
        }
    }
    let none = SeriesQuery {
        device: "nobody".into(),
        signal: "speed".into(),
        from: START,
        to: START + DAY,
        interval: 60 * SECOND,
    };
    assert!(history.series(&none).await.unwrap().summaries.iter().all(|summary| summary.count == 0));
}

#[tokio::test]
async fn too_many_intervals_are_refused_before_any_work() {
    let (store, faults) = crate::faults::Faults::over(&Arc::default());
    faults.plan(0, crate::faults::Fault::Dead);
    let query = SummaryQuery {
        devices: None,
        signals: None,
        from: START,
        to: START + 3_650 * DAY,
        interval: 60 * SECOND,
    };
    let error = History::new(store, "plant").summaries(&query).await.unwrap_err();
    assert!(error.to_string().contains("200000"), "{error}");
}

#[tokio::test]
async fn a_query_opens_what_it_needs_and_no_more() {
    let store = Store::memory();
    filled(&store, 3).await;
    Compactor::new(store.clone(), "plant").run(&compacted(START + 9 * DAY)).await.unwrap();
    let history = History::new(store, "plant");
    let query = RowQuery {
        from: START + DAY,
        to: START + DAY + 3_600 * SECOND,
        devices: Some(BTreeSet::from(["b".to_owned()])),
        columns: Some(BTreeSet::from(["load".to_owned()])),
    };
    let (rows, report) = history.read(&query, 10_000).await.unwrap();
    assert_eq!((report.files, report.segments, report.rows), (1, 0, 360));
    assert!(rows[0].signal(&"speed".into()).is_none() && rows[0].signal(&"load".into()).is_some());
    assert!(rows.iter().all(|rows| (0..rows.len()).all(|row| **rows.device(row) == *"b")));
    assert!(rows[0].times().is_sorted());
    let error = history.read(&query, 100).await.unwrap_err();
    assert!(error.to_string().contains("more than 100 rows"), "{error}");
}

#[tokio::test]
async fn a_damaged_day_file_is_named_and_the_rest_is_read() {
    let store = Store::memory();
    let log = filled(&store, 2).await;
    let compactor = Compactor::new(store.clone(), "plant");
    compactor.run(&compacted(START + 9 * DAY)).await.unwrap();
    let history = History::new(store.clone(), "plant");
    let victim = history.manifest().await.unwrap().days[0].files[0].clone();
    let whole = store.read(&victim.path).await.unwrap().unwrap();
    for cut in [0, 7, whole.len() / 2, whole.len() - 1] {
        store.delete(&victim.path).await.unwrap();
        store.create(&victim.path, whole.slice(..cut)).await.unwrap();
        let fresh = History::new(store.clone(), "plant");
        let query = RowQuery { from: START, to: START + 2 * DAY, ..RowQuery::default() };
        let (_, report) = fresh.read(&query, 1_000_000).await.unwrap();
        assert_eq!((report.damaged, report.rows), (vec![victim.path.clone()], 96 * 270), "{cut}");
    }
    // Late events of that day are kept beside it, and it stays where it is.
    let mut late = quarter(0, 0);
    (late.range, late.sequence) =
        (SequenceRange { first: 1_000_000, last: 1_000_269 }, (1_000_000..1_000_270).collect());
    late.enqueued.iter_mut().for_each(|time| *time += 4 * DAY);
    (late.first_enqueued, late.last_enqueued) = (late.enqueued[0], late.enqueued[269]);
    log.commit(&late, &SegmentMetadata::default()).await.unwrap();
    compactor.run(&compacted(START + 10 * DAY)).await.unwrap();
    let day = history.manifest().await.unwrap().days[0].clone();
    assert_eq!((day.files.len(), &day.files[0], day.roll_ups), (2, &victim, None));
    store.delete(&victim.path).await.unwrap();
    store.create(&victim.path, whole).await.unwrap();
    compactor.run(&compacted(START + 11 * DAY)).await.unwrap();
    let day = history.manifest().await.unwrap().days[0].clone();
    assert_eq!((day.files.len(), day.rows(), day.roll_ups.is_some()), (1, 97 * 270, true));
}

#[tokio::test]
async fn warm_files_are_fetched_once_and_the_oldest_leave() {
    let (store, faults) = crate::faults::Faults::over(&Arc::default());
    filled(&store, 3).await;
    Compactor::new(store.clone(), "plant").run(&compacted(START + 9 * DAY)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = History::new(store.clone(), "plant").manifest().await.unwrap();
    let size = manifest.days[0].files[0].bytes;
    let cache = Arc::new(WarmCache::open(folder.path(), size * 2 + size / 2).await.unwrap());
    let history = History::new(store.clone(), "plant").with_warm_cache(Arc::clone(&cache));
    let query =
        |day: i64| RowQuery { from: START + day * DAY, to: START + (day + 1) * DAY, ..RowQuery::default() };
    for day in [0, 0, 1, 0] {
        assert_eq!(history.read(&query(day), 100_000).await.unwrap().1.rows, 96 * 270);
    }
    let report = cache.report();
    assert_eq!((report.files, report.misses), (2, 2), "{report:?}");
    history.read(&query(2), 100_000).await.unwrap();
    let report = cache.report();
    assert!(report.files == 2 && report.bytes <= size * 5 / 2, "{report:?}");
    // A torn local copy is fetched again; a new process finds what the last one left.
    drop((history, cache));
    let cache = Arc::new(WarmCache::open(folder.path(), size * 3).await.unwrap());
    assert_eq!(cache.report().files, 2);
    for file in walk(folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() - 10]).unwrap();
    }
    let history = History::new(store, "plant").with_warm_cache(cache);
    for day in 0..3 {
        assert_eq!(history.read(&query(day), 100_000).await.unwrap().1.rows, 96 * 270);
    }
    faults.heal();
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
