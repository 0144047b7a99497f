//! Makes a small history in a folder and prints what is in it, for `tests/sdk/history_open.py`:
//! `cargo run --example make_history -- <folder>`.

use std::error::Error;
use std::sync::Arc;

use serde_json::json;
use twinwright_core::frame::{Frame, SequenceRange, SignalColumn, StateColumn};
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::compact::{CompactOptions, Compactor};
use twinwright_history::segment::SegmentMetadata;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;

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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("name a folder for the history")?;
    let store = Store::folder_unsynced(&folder)?;
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
    let found = json!({ "rows": rows, "speed": speed, "days": 4, "devices": DEVICES, "load": 2 * 24 * 120 });
    println!("{found}");
    Ok(())
}
