//! Arguments of `evaluate`.

use std::path::PathBuf;

use clap::Args;

/// Options of `evaluate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  twinwright evaluate --suite skab --data SKAB/data/other
  twinwright evaluate --suite nab --data NAB --references --html nab.html
  twinwright evaluate --suite tep --data tep --out tep.json
  twinwright evaluate --suite cmapss --data CMAPSSData --references     also: secom, steel

The folder is that of the data set, in its own format. The exit code is 1 where a figure misses what it must reach.")]
pub struct EvaluateOptions {
    /// Which suite: skab, nab, tep, cmapss, secom, steel.
    #[arg(long, value_name = "NAME")]
    pub suite: String,
    /// Folder of its recordings.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Settings instead of the frozen ones of this version (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Also run scikit-learn on the same rows (Python 3; an environment is made on the first run).
    #[arg(long)]
    pub references: bool,
    /// Folder of the scorers; default: those of the packaged function app.
    #[arg(long, value_name = "DIR", env = "TWINWRIGHT_SCORERS")]
    pub scorers: Option<PathBuf>,
    /// Write the report to this file (JSON).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the report to this file (one HTML page).
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
