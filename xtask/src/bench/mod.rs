//! `cargo xtask bench`: measurements. Each lives in a module of its own and answers [`Figure`]s.

mod figure;
mod history;
mod ingest;
mod scoring;
mod start;
mod train;
mod twins;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::args::BenchOptions;
use crate::package::stage_release;
use crate::process::say;
use crate::workspace::Workspace;

pub(crate) use figure::Figure;
use figure::{table, write_json};

/// What a measurement gets to work with.
pub(crate) struct Context {
    /// Where things are.
    pub(crate) workspace: Workspace,
    app: OnceCell<PathBuf>,
}

impl Context {
    /// The app, built optimised and staged when a bench first asks for it.
    pub(crate) fn app(&self) -> anyhow::Result<&Path> {
        if let Some(app) = self.app.get() {
            return Ok(app);
        }
        let staged = stage_release(&self.workspace)?;
        Ok(self.app.get_or_init(|| staged))
    }
}

/// A measurement.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Context) -> anyhow::Result<Vec<Figure>>,
}

/// All of them; a new one is a module and a line here.
const BENCHES: &[Bench] = &[
    Bench { name: "start", about: "from the handler's start to its first answer", run: start::run },
    Bench { name: "ingest", about: "what a batch costs, and what it costs in Python", run: ingest::run },
    Bench { name: "train", about: "clusters, mixtures and covariances beside scikit-learn", run: train::run },
    Bench {
        name: "history",
        about: "compaction and queries of 25.9 million rows, and DuckDB over the same files",
        run: history::run,
    },
    Bench { name: "scoring", about: "scorers: rows, calls, swaps, starts", run: scoring::run },
    Bench {
        name: "twins",
        about: "the local Digital Twins: patches, reads, imports, queries",
        run: twins::run,
    },
];

/// Runs the task.
pub(crate) fn run(options: &BenchOptions) -> anyhow::Result<ExitCode> {
    let names = || BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ");
    let wanted = |bench: &&Bench| options.name.as_ref().is_none_or(|name| name == bench.name);
    let benches: Vec<&Bench> = BENCHES.iter().filter(wanted).collect();
    if benches.is_empty() {
        bail!("no bench is named {}; there are: {}", options.name.as_deref().unwrap_or_default(), names());
    }
    let context = Context { workspace: Workspace::find()?, app: OnceCell::new() };
    let mut figures: Vec<Figure> = Vec::new();
    for bench in benches {
        say(&format!("measuring {}: {}", bench.name, bench.about));
        let measured = (bench.run)(&context).with_context(|| format!("bench {}", bench.name))?;
        // What two benches measure is told once.
        let known = |figure: &Figure| figures.iter().any(|other: &Figure| other.name == figure.name);
        let new: Vec<Figure> = measured.into_iter().filter(|figure| !known(figure)).collect();
        figures.extend(new);
    }
    println!("{}", table(&figures));
    if let Some(path) = &options.json {
        write_json(&figures, path)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(if figures.iter().all(Figure::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
