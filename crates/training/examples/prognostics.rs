//! Remaining life, quality and energy on folders of public data, with controls.
//!
//! `cargo run -p twinwright-training --example prognostics -- cmapss|secom|steel FOLDER [FOLDER FOR MODELS]`
//!
//! Prints one JSON document: figures, controls, notes, seconds.

#![allow(clippy::unwrap_used, reason = "a command-line tool for people at a desk")]

use std::path::PathBuf;
use std::time::Instant;

use twinwright_training::{energy, quality, rul};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(suite), Some(folder)) = (arguments.next(), arguments.next().map(PathBuf::from)) else {
        eprintln!("usage: prognostics cmapss|secom|steel FOLDER [FOLDER FOR MODELS]");
        std::process::exit(2);
    };
    let began = Instant::now();
    let report = match suite.as_str() {
        "cmapss" => rul::suite::run(&folder, &rul::suite::options()),
        "secom" => quality::suite::run(&folder, &quality::QualityOptions::default()),
        "steel" => energy::suite::run(&folder, &energy::EnergyOptions::default()),
        other => {
            eprintln!("no suite is named {other}; there are: cmapss, secom, steel");
            std::process::exit(2);
        }
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    if let Some(models) = arguments.next().map(PathBuf::from) {
        std::fs::create_dir_all(&models).unwrap();
        for (name, document) in &report.models {
            std::fs::write(models.join(format!("{name}.json")), document).unwrap();
        }
    }
    let mut told = serde_json::to_value(&report).unwrap();
    told["seconds"] = began.elapsed().as_secs_f64().into();
    println!("{}", serde_json::to_string_pretty(&told).unwrap());
}
