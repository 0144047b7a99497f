//! Arguments of `history`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which history.
#[derive(Clone, Debug, Args)]
pub struct HistoryTarget {
    /// Folder of the local platform; it need not run.
    #[arg(long, value_name = "DIR", default_value = ".twinwright", env = "TWINWRIGHT_DATA")]
    pub data: PathBuf,
    /// Storage instead of the platform's: folder:PATH, azure://ACCOUNT/CONTAINER or azurite:FILE.
    #[arg(long, value_name = "URL", env = "TWINWRIGHT_STORAGE__URL")]
    pub storage: Option<String>,
    /// Name of the hub in the paths of history.
    #[arg(long, value_name = "NAME", default_value = "local", env = "TWINWRIGHT_HUB")]
    pub hub: String,
}

/// When, whose and what.
#[derive(Clone, Debug, Args)]
pub struct Span {
    /// From this time: 2026-03-04, 2026-03-04T05:06:07Z (UTC without a zone), or a duration back from now such as 6h or 7d.
    #[arg(long, default_value = "24h", value_parser = crate::commands::history_time)]
    pub from: i64,
    /// Until this time, exclusive.
    #[arg(long, default_value = "now", value_parser = crate::commands::history_time)]
    pub to: i64,
    /// Devices, comma-separated; all, if none are named.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub device: Vec<String>,
    /// Signals and states, comma-separated; all, if none are named.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub signal: Vec<String>,
}

/// Kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a row.
    Csv,
    /// A JSON object a line.
    Ndjson,
    /// One Parquet file.
    Parquet,
}

/// Where replayed rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayInto {
    /// The hub: the whole way, as if the devices sent them again.
    Hub,
    /// The twins: the newest values of each device until the end of the span.
    Twins,
}

/// Options of `import`.
#[derive(Clone, Debug, Args)]
pub struct ImportOptions {
    /// CSV and Parquet files, or folders of Parquet files such as V=1/PT=Time of Time Series Insights.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Column of the event time.
    #[arg(long, default_value = "timestamp")]
    pub time: String,
    /// Column of the device id.
    #[arg(long, default_value = "device_id")]
    pub device: String,
    /// Columns are named as Time Series Insights does (speed_double, speed_long): one signal each.
    #[arg(long)]
    pub tsi: bool,
    /// Which history.
    #[command(flatten)]
    pub target: HistoryTarget,
}

/// Commands of `history`.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum HistoryCommand {
    /// What there is: days, rows, bytes, what waits for compaction.
    Status {
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// Rows of devices, by device and time.
    Query {
        /// When, whose and what.
        #[command(flatten)]
        span: Span,
        /// Rows at the most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// One signal of one device by interval, as a chart.
    Series {
        /// Device id.
        device: String,
        /// Signal.
        signal: String,
        /// From this time, as in `query`.
        #[arg(long, default_value = "24h", value_parser = crate::commands::history_time)]
        from: i64,
        /// Until this time, exclusive.
        #[arg(long, default_value = "now", value_parser = crate::commands::history_time)]
        to: i64,
        /// Width of an interval: 10s, 1m, 1h, 1d, or PT1M; chosen by the span, if none is given.
        #[arg(long, value_parser = crate::commands::history_span)]
        interval: Option<i64>,
        /// Write a picture to this file.
        #[arg(long, value_name = "FILE")]
        png: Option<PathBuf>,
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// Write rows to a file, however many.
    Export {
        /// File.
        out: PathBuf,
        /// Kind of file; by the file's name, if none is given.
        #[arg(long)]
        format: Option<Format>,
        /// When, whose and what.
        #[command(flatten)]
        span: Span,
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// Read files into history; a file that was read before is not there twice.
    Import(ImportOptions),
    /// Make history of segments now, as the timer function does.
    Compact {
        /// Also segments that came a moment ago.
        #[arg(long)]
        all: bool,
        /// Keep only so many days.
        #[arg(long, value_name = "DAYS")]
        keep_days: Option<u32>,
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// Erase a device's data: rows, roll-ups, scores, dead letters, and what its local twin went through.
    ///
    /// The twin itself stays (`twinwright twins delete`), and so does what Azure keeps elsewhere, as in Data Explorer.
    Erase {
        /// Device id.
        device: String,
        /// What was enqueued before this time.
        #[arg(long, default_value = "now", value_parser = crate::commands::history_time)]
        before: i64,
        /// Yes, for ever.
        #[arg(long)]
        yes: bool,
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// Send stored rows again, in their order.
    Replay {
        /// When, whose and what.
        #[command(flatten)]
        span: Span,
        /// How much faster than they came: 1x, 10x, max.
        #[arg(long, default_value = "max", value_parser = crate::commands::history_speed)]
        speed: f64,
        /// Where to.
        #[arg(long)]
        into: ReplayInto,
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// Prove that every sequence number of every partition is there once, or list what is not.
    Verify {
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
    /// Views over the files for DuckDB, Spark and Azure Data Explorer; with --run, a query in DuckDB.
    Sql {
        /// Run this with `duckdb`, which must be installed.
        #[arg(long, value_name = "SQL")]
        run: Option<String>,
        /// Which history.
        #[command(flatten)]
        target: HistoryTarget,
    },
}

const EXAMPLES: &str = "Examples:
  twinwright history status
  twinwright history series robotic-arm-001 temperature --from 7d --interval 1h --png week.png
  twinwright history query --device pump-7 --from 2026-03-04 --to 2026-03-05 --limit 20 --json
  twinwright history export march.parquet --from 2026-03-01 --to 2026-04-01
  twinwright history import V=1/PT=Time --tsi --device deviceId_string
  twinwright history replay --from 2h --into hub --speed 10x
  twinwright history sql --run \"select device_id, avg(temperature) from history group by 1\"
  twinwright history verify                  fails where a number is missing or there twice";
