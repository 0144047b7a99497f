//! Prints how long the decoding of a batch takes: the median of 200 runs, on one core.
//!
//! `cargo run --release -p azure-functions-rs-custom-handler --example decode_bench`

use std::hint::black_box;
use std::time::Instant;

use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};

const EVENTS: i64 = 1_000;
const RUNS: usize = 200;

fn main() {
    measure("alike", |_| {});
    // Two kinds of devices that set different properties, and a generation of its own for each.
    measure("mixed", |event| {
        let device = event.device_id.clone().unwrap_or_default();
        event.auth_generation_id =
            Some(format!("6385123456789{:05}", device.bytes().map(u32::from).sum::<u32>()));
        if event.sequence_number % 7 < 3 {
            event.message_id = Some(format!("m-{}", event.sequence_number));
            event.content_type = None;
            event.properties = vec![("line".to_owned(), "7".to_owned())];
        }
    });
}

fn measure(name: &str, change: impl Fn(&mut EventSpec)) {
    let events: Vec<EventSpec> = (0..EVENTS)
        .map(|index| {
            let body = format!(
                r#"{{"temperature":{:.3},"vibration":{:.4},"pressure":{:.2},"speed":{},"load":{:.1},"#,
                60.0 + index as f64 / 37.0,
                0.2 + index as f64 / 9_973.0,
                101.3 + index as f64 / 211.0,
                1_200 + index % 17,
                40.0 + (index % 50) as f64 / 3.0,
            );
            let body = format!(r#"{body}"timestamp":"2024-05-17T16:13:45.{:03}Z"}}"#, index % 1_000);
            let device = format!("robotic-arm-{:03}", index % 100);
            let time = 1_715_962_425_123_000 + index * 1_000;
            let mut event = EventSpec::telemetry(&device, 4_200_000 + index, time, body.as_bytes());
            change(&mut event);
            event
        })
        .collect();
    let body = event_hub_body(&events, &BatchOptions::default());
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        let batch = match EventHubBatch::parse(black_box(&body), "events") {
            Ok(batch) => batch,
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(1);
            }
        };
        times.push(start.elapsed());
        assert_eq!(batch.len(), events.len());
        black_box(batch);
    }
    times.sort_unstable();
    let median = times[RUNS / 2];
    println!(
        "{name}: {} events, {} kB: median {:.3} ms, best {:.3} ms, worst {:.3} ms, {:.2} GB/s",
        events.len(),
        body.len() / 1_000,
        median.as_secs_f64() * 1e3,
        times[0].as_secs_f64() * 1e3,
        times[RUNS - 1].as_secs_f64() * 1e3,
        body.len() as f64 / median.as_secs_f64() / 1e9
    );
}
