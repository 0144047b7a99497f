//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use twinwright_training::SCORERS;

mod evaluate;
mod history;
mod plugin;
mod training;
mod twins;

use crate::platform::EndpointOption;

pub use evaluate::EvaluateOptions;
pub use history::{Format, HistoryCommand, HistoryTarget, ImportOptions, ReplayInto, Span};
pub use plugin::{
    BuildOptions, CheckModelOptions, CheckOptions, DecideOptions, EnginesOption, Language, NewOptions,
    PluginBenchOptions, PluginCommand, PluginReplayOptions, PublishOptions, RollbackOptions, SignOptions,
    VerifyOptions,
};
pub use training::{
    LabelCommand, LifeOptions, LifeUnit, MaintenanceCommand, ModelOption, NumberOption, PeriodOptions,
    TrainCommand,
};
pub use twins::{
    ComponentCommand, ModelCommand, RelationshipCommand, RouteCommand, TwinsCommand, TwinsTarget,
};

/// Live, health-aware digital twins from IoT Hub telemetry.
#[derive(Debug, Parser)]
#[command(name = "twinwright", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// Machine-readable output.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  twinwright up                              the whole line on this machine, until Ctrl-C
  twinwright up --no-simulate --data plant   the same for your own devices
  twinwright twins show robotic-arm-001      a twin with its health
  twinwright alerts list                     what is wrong, and why
  twinwright train readings.csv --equipment pump --out baseline.json
  twinwright doctor                          what is there, what is missing, what is stuck";

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the local platform: IoT Hub, Digital Twins, Functions host, simulator, dashboard.
    Up(UpOptions),
    /// Run the line with two faults and report what was found.
    Demo(DemoOptions),
    /// Send telemetry of simulated machines to a running platform.
    Simulate(SimulateOptions),
    /// Devices and their messages.
    Hub {
        /// What to do.
        #[command(subcommand)]
        command: HubCommand,
    },
    /// Models, twins and relationships.
    Twins {
        /// What to do.
        #[command(subcommand)]
        command: TwinsCommand,
    },
    /// Alerts and the commands they ask for.
    Alerts {
        /// What to do.
        #[command(subcommand)]
        command: AlertsCommand,
    },
    /// Stored history: ask, chart, prove, export, import, replay, erase.
    History {
        /// What to do.
        #[command(subcommand)]
        command: HistoryCommand,
    },
    /// Scorers: make, check, sign, publish, try and roll back.
    Plugin {
        /// What to do.
        #[command(subcommand)]
        command: PluginCommand,
    },
    /// Fit a baseline on a CSV file or on stored history; look after the baselines there are.
    Train(TrainOptions),
    /// Times in which people worked on machines.
    Maintenance {
        /// What to do.
        #[command(subcommand)]
        command: MaintenanceCommand,
    },
    /// Times in which something was wrong, as people say.
    Label {
        /// What to do.
        #[command(subcommand)]
        command: LabelCommand,
    },
    /// Measure detection on public recordings, the way that telemetry goes.
    Evaluate(EvaluateOptions),
    /// Send the rows of a CSV file the whole way, as a device would.
    Replay(ReplayOptions),
    /// Check this machine and a running platform.
    Doctor(DataOption),
}

/// Where a platform keeps its data.
#[derive(Clone, Debug, Args)]
pub struct DataOption {
    /// Folder of the local platform.
    #[arg(long, value_name = "DIR", default_value = ".twinwright", env = "TWINWRIGHT_DATA")]
    pub data: PathBuf,
}

/// Ports of the local platform.
#[derive(Clone, Debug, Args)]
pub struct PortOptions {
    /// Port of the hub for devices (the Python SDK can only use 8883).
    #[arg(long, default_value_t = 8883)]
    pub mqtt_port: u16,
    /// Port of the hub's REST API.
    #[arg(long, default_value_t = 8443)]
    pub hub_port: u16,
    /// Port of Digital Twins.
    #[arg(long, default_value_t = 8444)]
    pub twins_port: u16,
    /// Port of the Functions host and the dashboard.
    #[arg(long, default_value_t = 7071)]
    pub http_port: u16,
}

/// Options of `up`.
#[derive(Clone, Debug, Args)]
pub struct UpOptions {
    /// Where to keep data.
    #[command(flatten)]
    pub data: DataOption,
    /// Ports.
    #[command(flatten)]
    pub ports: PortOptions,
    /// Keep history and queues in Azurite (started through npm) instead of a folder.
    #[arg(long)]
    pub azurite: bool,
    /// No simulated machines.
    #[arg(long)]
    pub no_simulate: bool,
    /// The staged function app (`cargo xtask package` makes it).
    #[arg(long, value_name = "DIR", env = "TWINWRIGHT_APP")]
    pub app: Option<PathBuf>,
    /// Where event routes of the twins may lead, besides `log`: NAME=https://…, NAME=queue:http://… or NAME=log; repeat it
    /// for more. `twinwright twins route create` then makes a route.
    #[arg(long, value_name = "NAME=TARGET")]
    pub twins_endpoint: Vec<EndpointOption>,
    /// Seed of the simulated machines.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoOptions {
    /// The platform.
    #[command(flatten)]
    pub up: UpOptions,
    /// End by itself after so many seconds (at least 30); without it the line runs until Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u32).range(30..))]
    pub seconds: Option<u32>,
    /// Write the report to this file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Options of `simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateOptions {
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
    /// Scenario: healthy, demo, many:N, or a JSON file.
    #[arg(long, default_value = "healthy")]
    pub scenario: String,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Milliseconds between two readings of a machine.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub period_ms: u64,
    /// How much faster than real time the machines live.
    #[arg(long, default_value_t = 1.0)]
    pub time_scale: f64,
    /// Stop after so many seconds.
    #[arg(long)]
    pub seconds: Option<u32>,
    /// Write what was wrong when (the truth, for measuring detection) to this CSV file.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
}

/// Commands of `hub`.
#[derive(Debug, Subcommand)]
pub enum HubCommand {
    /// Device identities.
    Device {
        /// What to do.
        #[command(subcommand)]
        command: DeviceCommand,
    },
    /// Show messages as they arrive.
    Monitor {
        /// The platform.
        #[command(flatten)]
        data: DataOption,
        /// Stop after so many seconds.
        #[arg(long)]
        timeout: Option<u64>,
    },
    /// Call a direct method of a device.
    Invoke {
        /// Device id.
        device: String,
        /// Method name.
        method: String,
        /// Payload, JSON.
        #[arg(long, default_value = "null")]
        payload: String,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
}

/// Commands of `hub device`.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Create a device and print its connection string.
    Create {
        /// Device id.
        id: String,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
    /// List devices.
    List {
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
    /// Print a device's connection string.
    ConnectionString {
        /// Device id.
        id: String,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
}

/// Commands of `alerts`.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List alerts, and commands that wait.
    List {
        /// Also those that are over.
        #[arg(long)]
        all: bool,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
    /// Acknowledge an alert.
    Acknowledge {
        /// Alert id.
        id: String,
        /// Your name, for the record.
        #[arg(long, env = "USER", default_value = "somebody")]
        by: String,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
    /// Release a pending command: the machine is stopped.
    Approve {
        /// Command id.
        id: String,
        /// Your name, for the record.
        #[arg(long, env = "USER", default_value = "somebody")]
        by: String,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
}

/// Options of `train`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TrainOptions {
    /// What to do with runs and baselines, instead of fitting.
    #[command(subcommand)]
    pub command: Option<TrainCommand>,
    /// CSV file with a header; a time column (timestamp, datetime, ts or time) is used, labels are left out.
    /// Without a file, stored history is used.
    pub csv: Option<PathBuf>,
    /// Equipment model the baseline is for.
    #[arg(long, default_value = "")]
    pub equipment: String,
    /// Signals, comma-separated; default: every numeric column.
    #[arg(long, value_delimiter = ',')]
    pub signals: Vec<String>,
    /// Signals that choose the operating regime, comma-separated.
    #[arg(long, value_delimiter = ',')]
    pub settings: Vec<String>,
    /// Scorer to use, instead of the one that the rules choose.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(SCORERS))]
    pub scorer: Option<String>,
    /// Use only the first rows.
    #[arg(long)]
    pub rows: Option<usize>,
    /// Write the baseline here instead of promoting it on the platform.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayOptions {
    /// CSV file with a header.
    pub csv: PathBuf,
    /// Device that sends the rows; it is created if it is missing.
    #[arg(long)]
    pub device: String,
    /// Skip so many rows.
    #[arg(long, default_value_t = 0)]
    pub skip: usize,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}
