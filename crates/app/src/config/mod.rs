//! Configuration: embedded defaults, then `twinwright.toml`, then app settings; read whole and checked whole before
//! the port opens. An unknown key is an error that names the nearest known one.

mod load;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use twinwright_core::policy::Equipment;
use twinwright_scoring::swap::SwapPolicy;

pub use load::{ConfigError, load};

/// The defaults, as a commented file.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Everything that can be set; `defaults.toml` says what each setting means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the hub in stored history's paths.
    pub hub: String,
    /// Stored history.
    pub storage: Storage,
    /// Azure Digital Twins.
    pub twins: Twins,
    /// IoT Hub's service side.
    pub iot_hub: IotHub,
    /// Scorers.
    pub scoring: Scoring,
    /// The `ingest` function.
    pub ingest: Ingest,
    /// The `compact` function and queries of history.
    pub history: History,
    /// The `notify` function.
    pub notify: Notify,
    /// The `retrain` function.
    pub retrain: Retrain,
    /// Logs.
    pub telemetry: Telemetry,
    /// Equipment models.
    pub equipment: Equipment,
}

/// Section `storage`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Where history is.
    pub url: String,
}

/// Section `twins`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twins {
    /// Endpoint, or empty.
    pub url: String,
    /// Token file of the local platform, or empty.
    pub token_file: PathBuf,
    /// CA of the local platform, or empty.
    pub ca_file: PathBuf,
    /// Patches under way at once.
    pub parallel: usize,
}

/// Section `iot_hub`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IotHub {
    /// Host name, or empty.
    pub host: String,
    /// Connection string file of the local platform, or empty.
    pub connection_file: PathBuf,
    /// CA of the local platform, or empty.
    pub ca_file: PathBuf,
}

/// Section `scoring`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Folder of scorer components.
    pub scorers_dir: PathBuf,
    /// Folder for compiled scorers.
    pub cache_dir: PathBuf,
    /// Bound of one call.
    pub deadline_ms: u64,
    /// Memory of one scorer instance.
    pub memory_mb: usize,
    /// How long a new baseline or scorer may go unnoticed.
    pub refresh_seconds: u32,
    /// Keys that published scorers are signed with, what is revoked, lowest versions; or empty.
    pub trust_file: PathBuf,
    /// When a new version of a scorer is promoted or rolled back.
    pub canary: SwapPolicy,
}

/// Section `ingest`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// Events of one batch at the most.
    pub max_batch: usize,
    /// Segments between two snapshots.
    pub snapshot_every_segments: u32,
}

/// Section `history`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Days of the warm store.
    pub warm_days: u32,
    /// Folder of the warm days' files, or empty: the system's temporary folder.
    pub warm_cache_dir: PathBuf,
    /// Bytes of it, in MB; 0 for none.
    pub warm_cache_mb: u32,
    /// Days after which history goes; 0 for never.
    pub keep_days: u32,
    /// How long segments wait.
    pub compact_min_age_seconds: u32,
    /// How long a run takes.
    pub compact_budget_seconds: u32,
    /// Memory of rows.
    pub compact_memory_mb: u32,
    /// Whether the Delta Lake table is written.
    pub delta: bool,
}

/// Section `notify`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Where alerts are posted, or empty.
    pub webhook_url: String,
    /// File with the signing key.
    pub webhook_key_file: PathBuf,
}

/// Section `retrain`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retrain {
    /// History that a new baseline is fitted on.
    pub window_hours: u32,
    /// Fewer rows are not fitted.
    pub min_rows: usize,
    /// A device with so many rows gets a baseline of its own beside its model's; 0 never.
    pub asset_min_rows: usize,
    /// Devices of a model with a baseline of their own at the most: each takes a scorer's memory.
    pub max_assets: usize,
}

/// Section `telemetry`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Filter of log lines.
    pub log: String,
}
