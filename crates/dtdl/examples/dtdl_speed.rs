//! Parses all models of a folder together, as one upload, and prints how long it takes, as one JSON object.
//!
//! Usage: `cargo run --release -p twinwright-dtdl --example dtdl_speed -- FOLDER`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twinwright_dtdl::{ModelSet, Rules, Source};

/// The first run reads the tables of the language too; the median leaves it out.
const RUNS: usize = 31;

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("name a folder of models, as in: speed ontologies/isa95");
        std::process::exit(2);
    };
    let mut files = Vec::new();
    collect(Path::new(&folder), &mut files)?;
    files.sort();
    let mut sources = Vec::new();
    for file in &files {
        sources.push(Source::new(file.display().to_string(), std::fs::read_to_string(file)?));
    }
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    let mut times: Vec<Duration> = Vec::new();
    let mut first = Duration::ZERO;
    let mut count = 0;
    for run in 0..=RUNS {
        let sources = sources.clone();
        let start = Instant::now();
        match ModelSet::new(Rules::DigitalTwins).load(sources) {
            Ok(loaded) => count = loaded.models.len(),
            Err(errors) => {
                for error in errors {
                    let text = error.at.as_ref().and_then(|at| std::fs::read_to_string(&at.source).ok());
                    let source = error.at.as_ref().map_or(String::new(), |at| at.source.clone());
                    eprint!("{}", error.render(&source, text.as_deref().unwrap_or_default()));
                }
                std::process::exit(1);
            }
        }
        if run == 0 { first = start.elapsed() } else { times.push(start.elapsed()) }
    }
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let (median, fastest) = (milliseconds(times[RUNS / 2]), milliseconds(times[0]));
    println!(
        "{{\"models\":{count},\"bytes\":{bytes},\"median_ms\":{median:.2},\"fastest_ms\":{fastest:.2},\"first_ms\":{:.2}}}",
        milliseconds(first)
    );
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}
