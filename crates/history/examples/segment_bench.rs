//! Time and size of a segment: 1,000 rows of 10 devices, 5 signals, 1 state. Run it in release.

use std::sync::Arc;
use std::time::Instant;

use twinwright_core::frame::{Frame, SequenceRange, SignalColumn, StateColumn};
use twinwright_history::segment::{SegmentMetadata, decode, encode};

const ROWS: usize = 1_000;
const ROUNDS: usize = 2_000;

fn main() -> Result<(), twinwright_history::StoreError> {
    let names = ["temperature", "vibration", "pressure", "speed", "load"];
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        // Sensors report two decimals.
        ((noise % 10_000) as f64).round() / 100.0
    };
    let rows = i64::try_from(ROWS).unwrap_or(0);
    let start = 1_772_621_990_000_000;
    let mut frame = Frame::empty(0, SequenceRange { first: 1_000_000, last: 1_000_000 + rows - 1 }, start);
    frame.devices = (0..10).map(|device| Arc::from(format!("robotic-arm-{device:03}"))).collect();
    frame.device = (0..10).cycle().take(ROWS).collect();
    frame.sequence = (1_000_000..1_000_000 + rows).collect();
    frame.enqueued = (0..rows).map(|row| start + row * 1_013).collect();
    frame.time = frame
        .enqueued
        .iter()
        .enumerate()
        .map(|(row, at)| at - 20_000 - (row as i64 * 7919) % 5_000)
        .collect();
    frame.row_flags = vec![0; ROWS];
    frame.signals = names
        .iter()
        .map(|&name| SignalColumn {
            name: name.into(),
            values: (0..ROWS).map(|_| next()).collect(),
            flags: vec![0; ROWS],
        })
        .collect();
    frame.states = vec![StateColumn {
        name: "operationalStatus".into(),
        dictionary: vec!["running".into(), "idle".into()],
        codes: (0..ROWS).map(|row| u32::from(row % 50 == 0)).collect(),
    }];
    let metadata = SegmentMetadata::default();
    let bytes = encode("plant", &frame, &metadata)?;
    let report = |what: &str, mut times: Vec<u128>| {
        times.sort_unstable();
        println!(
            "{what:<8} median {:>6} µs, 99th percentile {:>6} µs",
            times[ROUNDS / 2],
            times[ROUNDS * 99 / 100]
        );
    };
    let time = |mut work: Box<dyn FnMut() -> Result<(), twinwright_history::StoreError>>| {
        let timed = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            work()?;
            Ok(start.elapsed().as_micros())
        });
        timed.collect::<Result<Vec<_>, _>>()
    };
    println!("{ROWS} rows, {} bytes", bytes.len());
    report("encode", time(Box::new(move || encode("plant", &frame, &metadata).map(drop)))?);
    report("decode", time(Box::new(move || decode(bytes.clone()).map(drop)))?);
    Ok(())
}
