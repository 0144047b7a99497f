//! Builds the published scorers: `cargo run -p twinwright-scorer-builder --example build -- MODULES TARGET OUT`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [modules, target, out] = &folders[..] else {
        eprintln!("pass three folders: the scorers' crates, cargo's target, where the components go");
        return ExitCode::FAILURE;
    };
    match twinwright_scorer_builder::build(modules, target, out, &mut |line| println!("{line}")) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
