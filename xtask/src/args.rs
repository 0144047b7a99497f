//! The arguments.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Developer tasks of Twinwright.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

const EXAMPLES: &str = "Examples:
  cargo xtask demo                       the whole line on this machine, until Ctrl-C
  cargo xtask demo --seconds 60 --report report.json
  cargo xtask test                       everything that CI runs
  cargo xtask package --release --check  the function app, ready for `func azure functionapp publish`
  cargo xtask bench --json figures.json  every measurement";

/// Tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Run the line with one developing and one sudden fault.
    Demo(DemoOptions),
    /// Run all checks and tests, as CI does.
    Test(TestOptions),
    /// Build and stage the function app.
    Package(PackageOptions),
    /// Measure.
    Bench(BenchOptions),
    /// Build the engines that read models (onnx, tree-ensemble) for `twinwright plugin build`.
    Engines,
    /// Measure detection on public recordings.
    Quality(QualityOptions),
}

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask demo
  cargo xtask demo --seconds 60 --report report.json
  cargo xtask demo --azurite --data plant -- --http-port 8080 --seed 7")]
pub(crate) struct DemoOptions {
    /// End after so many seconds (at least 30); without it the line runs until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u32>,
    /// Write the report to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Keep the platform's data here [default: .twinwright/demo in the repository].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Keep history and queues in Azurite (installed through npm) instead of a folder.
    #[arg(long)]
    pub(crate) azurite: bool,
    /// More arguments for `twinwright demo`, after `--`.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) more: Vec<OsString>,
}

/// Options of `test`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask test          everything, as in CI
  cargo xtask test --fast   no tools from pip, npm or apt, no browser, no demonstration
  cargo xtask test --list   the steps
  cargo xtask test --only build,package,demo

With CI=true a step that is skipped counts as failed.")]
pub(crate) struct TestOptions {
    /// Only what needs nothing but Rust.
    #[arg(long)]
    pub(crate) fast: bool,
    /// List the steps and do nothing.
    #[arg(long)]
    pub(crate) list: bool,
    /// Only these steps, comma-separated; what they need of others is not run by itself.
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

/// Options of `package`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask package                    <target>/functionapp, for `twinwright up` and `func start`
  cargo xtask package --release --check  for Azure; problems are errors
  cargo xtask package --release --target x86_64-unknown-linux-musl")]
pub(crate) struct PackageOptions {
    /// Build optimised, as for Azure.
    #[arg(long)]
    pub(crate) release: bool,
    /// Build the handler for this target.
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Stage here [default: <target>/functionapp].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Fail where the staged folder breaks a rule of the Functions host.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Options of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask bench                      all of them
  cargo xtask bench start --json start.json")]
pub(crate) struct BenchOptions {
    /// Which measurement; all without it.
    pub(crate) name: Option<String>,
    /// Write the figures to this file, an array of {name, value, unit, must, aim}.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Options of `quality`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask quality --data DATASETS            every suite that is there, beside scikit-learn
  cargo xtask quality --data DATASETS --only skab --no-references")]
pub(crate) struct QualityOptions {
    /// Folder with the data sets: skab/other, nab, tep, cmapss, secom, steel.
    #[arg(long, value_name = "DIR", env = "TWINWRIGHT_DATASETS")]
    pub(crate) data: PathBuf,
    /// Only these suites, comma-separated.
    #[arg(long, value_name = "SUITES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Without scikit-learn's methods.
    #[arg(long)]
    pub(crate) no_references: bool,
    /// Write all figures to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
