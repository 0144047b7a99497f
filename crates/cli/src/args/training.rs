//! Arguments of `train`'s subcommands, `maintenance` and `label`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::DataOption;

/// What to do with training runs and baselines.
#[derive(Clone, Debug, Subcommand)]
pub enum TrainCommand {
    /// Train on stored history now, as the timer does.
    Run(DataOption),
    /// List the training runs and baselines of an equipment model.
    List(ModelOption),
    /// Show a baseline.
    Show(NumberOption),
    /// Show what differs between two baselines.
    Diff {
        /// Which, and the other.
        #[command(flatten)]
        number: NumberOption,
        /// The number to compare with.
        #[arg(long, value_name = "N")]
        with: u64,
    },
    /// Put a baseline in force that is in a file (`train CSV --out FILE` writes one).
    Promote {
        /// For which equipment model.
        #[command(flatten)]
        model: ModelOption,
        /// The baseline document.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Put an older baseline in force again, as the next number.
    Rollback(NumberOption),
    /// Fit a model of remaining life from machines that ran until they failed; `train promote` puts it in force.
    Life(LifeOptions),
    /// Say what a run learnt from, chose and decided, and why.
    Explain {
        /// Which model; its last run without a number.
        #[command(flatten)]
        model: ModelOption,
        /// Number of the run.
        #[arg(long, value_name = "N")]
        run: Option<u64>,
        /// Write it to this file (one HTML page).
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
}

/// What life is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LifeUnit {
    /// Hours of event time.
    Hours,
    /// Rows: flights, strokes, batches.
    Cycles,
}

/// Options of `train life`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  twinwright train life press-*.csv --equipment press --out life.json
  twinwright train life engines/*.csv --equipment turbofan --unit cycles --settings altitude,mach --out life.json
  twinwright train promote turbofan --file life.json")]
pub struct LifeOptions {
    /// CSV files, each the rows of one machine from its beginning to its failure.
    #[arg(required = true, value_name = "RUN.csv")]
    pub runs: Vec<PathBuf>,
    /// Equipment model.
    #[arg(long, value_name = "MODEL")]
    pub equipment: String,
    /// Where to write the model.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Columns to learn from, comma-separated; all with numbers, if none are named.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub signals: Vec<String>,
    /// Columns that say how the machine is run, comma-separated.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub settings: Vec<String>,
    /// What life is counted in.
    #[arg(long, value_enum, default_value = "hours")]
    pub unit: LifeUnit,
    /// Longest life that is told apart [default: 0.6 of the median life].
    #[arg(long, value_name = "N")]
    pub cap: Option<f64>,
}

/// An equipment model.
#[derive(Clone, Debug, Args)]
pub struct ModelOption {
    /// Equipment model, or MODEL@DEVICE for a device with a baseline of its own.
    pub model: String,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}

/// A baseline of an equipment model.
#[derive(Clone, Debug, Args)]
pub struct NumberOption {
    /// Equipment model, or MODEL@DEVICE for a device with a baseline of its own.
    pub model: String,
    /// Number of the baseline; for `show` the one in force without it.
    #[arg(long, value_name = "N")]
    pub number: Option<u64>,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}

/// Commands of `maintenance`.
#[derive(Clone, Debug, Subcommand)]
pub enum MaintenanceCommand {
    /// Declare a time in which people worked on a machine; training leaves it out.
    Add {
        /// When, of which device.
        #[command(flatten)]
        period: PeriodOptions,
        /// What was done.
        #[arg(long, default_value = "maintenance")]
        what: String,
    },
    /// List the declared times.
    List(DataOption),
}

/// Commands of `label`.
#[derive(Clone, Debug, Subcommand)]
pub enum LabelCommand {
    /// Say that something was wrong with a machine; training leaves it out, and a new baseline has to find it.
    Add {
        /// When, of which device.
        #[command(flatten)]
        period: PeriodOptions,
        /// What was wrong.
        #[arg(long)]
        kind: String,
    },
    /// List the labels.
    List(DataOption),
}

/// A stretch of time of a device.
#[derive(Clone, Debug, Args)]
pub struct PeriodOptions {
    /// Device id.
    #[arg(long)]
    pub device: String,
    /// Beginning, ISO 8601, e.g. 2025-01-01T06:00:00Z.
    #[arg(long)]
    pub from: String,
    /// End.
    #[arg(long)]
    pub to: String,
    /// Your name, for the record.
    #[arg(long, env = "USER", default_value = "somebody")]
    pub by: String,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}
