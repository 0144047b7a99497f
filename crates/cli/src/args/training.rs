//! Arguments of `train`'s subcommands, `maintenance` and `label`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// Say that something was wrong with a machine; training leaves it out.
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
