//! Prints how many readings a second one core makes, with and without their JSON.

use std::time::Instant;
use twinwright_simulator::{Plant, PlantConfig, Scenario};

fn main() -> Result<(), twinwright_simulator::Error> {
    let devices = 5_000;
    let rounds = 400;
    let mut plant = Plant::new(&PlantConfig::new(1, Scenario::many(devices), 0))?;
    let mut text = String::new();
    for with_json in [false, true] {
        let began = Instant::now();
        let mut bytes = 0_usize;
        for round in 0..rounds {
            for reading in plant.step(round * 1_000_000) {
                if with_json {
                    text.clear();
                    reading.write_json(&mut text);
                    bytes += text.len();
                } else {
                    bytes += reading.signals.len();
                }
            }
        }
        let rate = (devices as f64 * rounds as f64) / began.elapsed().as_secs_f64();
        println!(
            "{devices} devices, json {with_json}: {:.2} M readings/s ({bytes} bytes or values)",
            rate / 1e6
        );
    }
    Ok(())
}
