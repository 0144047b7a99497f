//! Stored history opened by what other people use, unmodified: DuckDB, pandas with pyarrow, deltalake.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use twinwright_core::frame::{Frame, SequenceRange, SignalColumn, StateColumn};
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::compact::{CompactOptions, Compactor};
use twinwright_history::segment::SegmentMetadata;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;
use twinwright_tests::{needed, package};

/// 2026-01-01T00:00:00Z
const START: Micros = 1_767_225_600 * SECOND;
const DAY: Micros = 86_400 * SECOND;
const DEVICES: [&str; 3] = ["press-1", "arm-1", "Förderband 2"];

/// A row a minute of each device; the second half of the days has one signal more.
fn batch(day: i64, hour: i64, first: i64) -> Frame {
    let rows = 60 * DEVICES.len() as i64;
    let from = START + day * DAY + hour * 3_600 * SECOND;
    let mut frame = Frame::empty(0, SequenceRange { first, last: first + rows - 1 }, from);
    frame.devices = DEVICES.iter().map(|&device| Arc::from(device)).collect();
    let (mut speed, mut load, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..rows {
        let time = from + row / 3 * 60 * SECOND;
        frame.device.push((row % 3) as u32);
        frame.time.push(time);
        frame.enqueued.push(time);
        frame.sequence.push(first + row);
        speed.push(((row * 37 % 1_000) as f64) / 100.0);
        load.push(if row % 3 == 0 { f64::NAN } else { (day * 100 + hour) as f64 });
        codes.push((row % 2) as u32);
    }
    frame.last_enqueued = frame.enqueued[frame.enqueued.len() - 1];
    let signal = |name: &str, values| SignalColumn { name: name.into(), values, flags: Vec::new() };
    frame.signals = vec![signal("speed", speed)];
    if day >= 2 {
        frame.signals.push(signal("load (kN)", load));
    }
    frame.states =
        vec![StateColumn { name: "status".into(), dictionary: vec!["running".into(), "idle".into()], codes }];
    frame
}

/// Four days, compacted as they end, one of them again for late rows; says what is in it.
async fn make(folder: &Path) -> anyhow::Result<Value> {
    let store = Store::folder_unsynced(folder)?;
    let log = SegmentLog::new(store.clone(), "plant");
    let compactor = Compactor::new(store, "plant");
    let (mut first, mut rows, mut speed) = (0, 0_u64, 0.0);
    for day in 0..4 {
        for hour in 0..24 {
            let frame = batch(day, hour, first);
            log.commit(&frame, &SegmentMetadata::default()).await?;
            first += frame.rows() as i64;
            rows += frame.rows() as u64;
            speed += frame.signals[0].values.iter().sum::<f64>();
        }
        // Replaced files go at once, so that a reader of the bare folders counts nothing twice either.
        let options = CompactOptions {
            min_age: 0,
            grace: 0,
            keep_for_replay: false,
            ..CompactOptions::new(START + (day + 2) * DAY)
        };
        compactor.run(&options).await?;
    }
    // A late row of a day that is over.
    let mut late = batch(0, 0, first);
    late.time.iter_mut().for_each(|time| *time += SECOND);
    late.enqueued.iter_mut().for_each(|time| *time += 5 * DAY);
    (late.first_enqueued, late.last_enqueued) = (late.enqueued[0], late.enqueued[late.rows() - 1]);
    log.commit(&late, &SegmentMetadata::default()).await?;
    rows += late.rows() as u64;
    speed += late.signals[0].values.iter().sum::<f64>();
    for turn in 0..2 {
        let options = CompactOptions {
            min_age: 0,
            grace: 0,
            keep_for_replay: false,
            ..CompactOptions::new(START + (8 + turn) * DAY)
        };
        compactor.run(&options).await?;
    }
    Ok(json!({ "rows": rows, "speed": speed, "days": 4, "devices": DEVICES, "load": 2 * 24 * 120 }))
}

#[test]
fn other_people_s_tools_read_the_same() -> anyhow::Result<()> {
    let Some(python) =
        needed("TWINWRIGHT_PYTHON_HISTORY", "cargo xtask test installs DuckDB, pandas and deltalake")
    else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let expected = runtime.block_on(make(&data))?;
    let file = folder.path().join("expected.json");
    std::fs::write(&file, expected.to_string())?;
    let script = package()?.join("sdk/history_open.py");
    let mut command = Command::new(python);
    let answer = command
        .arg(script)
        .arg(&data)
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .context("python does not start")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(answer.status.success(), "{}\n{}", text(&answer.stdout), text(&answer.stderr));
    Ok(())
}
