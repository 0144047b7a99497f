//! `twinwright twins …`: on the local platform, or on Azure with `--url`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DataOption;

/// Which Digital Twins is meant.
#[derive(Clone, Debug, Args)]
pub struct TwinsTarget {
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
    /// An instance on Azure, e.g. https://NAME.api.weu.digitaltwins.azure.net; who you are is taken from the managed
    /// identity or from `az login`.
    #[arg(long, value_name = "URL", env = "TWINWRIGHT_TWINS_URL")]
    pub url: Option<String>,
}

/// Commands of `twins`.
#[derive(Debug, Subcommand)]
pub enum TwinsCommand {
    /// DTDL models.
    Model {
        /// What to do.
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Create a twin; components that are not given are made empty.
    #[command(after_help = "Example:
  twinwright twins create pump-7 --model \"dtmi:twinwright:Equipment;1\" --properties '{\"equipmentId\":\"P-7\"}'")]
    Create {
        /// Twin id.
        id: String,
        /// Model id.
        #[arg(long)]
        model: String,
        /// Properties and components, a JSON object.
        #[arg(long, default_value = "{}")]
        properties: String,
        /// Replace a twin of that id.
        #[arg(long)]
        replace: bool,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Show a twin.
    Show {
        /// Twin id.
        id: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Set properties of a twin, or send a JSON Patch.
    #[command(after_help = "Examples:
  twinwright twins update pump-7 latest/speed=3.5 status='\"running\"'
  twinwright twins update pump-7 --patch '[{\"op\":\"remove\",\"path\":\"/status\"}]'")]
    Update {
        /// Twin id.
        id: String,
        /// PATH=VALUE; the value is JSON, or text where it is no JSON.
        #[arg(required_unless_present = "patch")]
        set: Vec<String>,
        /// A JSON Patch document (add, replace, remove).
        #[arg(long, conflicts_with = "set")]
        patch: Option<String>,
        /// Only if the twin still has this ETag.
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Run a query.
    #[command(after_help = "Examples:
  twinwright twins query \"SELECT * FROM DIGITALTWINS T WHERE T.health.score > 1\"
  twinwright twins query \"SELECT COUNT() FROM RELATIONSHIPS\"")]
    Query {
        /// e.g. "SELECT * FROM DIGITALTWINS".
        sql: String,
        /// Stop after so many rows.
        #[arg(long, default_value_t = 10_000)]
        most: usize,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Delete a twin and its relationships.
    Delete {
        /// Twin id.
        id: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Relationships.
    Relationship {
        /// What to do.
        #[command(subcommand)]
        command: RelationshipCommand,
    },
    /// Components of a twin.
    Component {
        /// What to do.
        #[command(subcommand)]
        command: ComponentCommand,
    },
    /// Publish a telemetry message of a twin to the event routes.
    Telemetry {
        /// Twin id.
        id: String,
        /// The message, JSON.
        payload: String,
        /// Component that sends it.
        #[arg(long)]
        component: Option<String>,
        /// Identifier by which receivers drop repeats; a new one by default.
        #[arg(long)]
        message_id: Option<String>,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Import models, twins and relationships from NDJSON, in the form of the service's import jobs.
    #[command(after_help = "Examples:
  twinwright twins import plant.ndjson
  twinwright twins import https://ACCOUNT.blob.core.windows.net/jobs/plant.ndjson --log https://ACCOUNT.blob.core.windows.net/jobs/log.ndjson --url https://…")]
    Import {
        /// A file, or the address of a blob, which the service reads itself.
        source: String,
        /// Where the service writes its log, with the address of a blob.
        #[arg(long, value_name = "BLOB")]
        log: Option<String>,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Export models, twins and relationships as NDJSON that `import` reads.
    Export {
        /// Where to; `-` for standard output.
        file: PathBuf,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Event routes.
    Route {
        /// What to do.
        #[command(subcommand)]
        command: RouteCommand,
    },
}

/// Commands of `twins model`.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Upload models from files, all or none of 250 at a time.
    Create {
        /// DTDL files, or folders of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Check models without uploading them; errors are shown as a compiler would.
    Check {
        /// DTDL files, or folders of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// List models.
    List {
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Show a model.
    Show {
        /// Model id.
        id: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Delete a model.
    Delete {
        /// Model id.
        id: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Let no new twins be made of a model.
    Decommission {
        /// Model id.
        id: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
}

/// Commands of `twins relationship`.
#[derive(Debug, Subcommand)]
pub enum RelationshipCommand {
    /// Connect two twins.
    Create {
        /// Source twin.
        source: String,
        /// Relationship name, as the model has it.
        name: String,
        /// Target twin.
        target_twin: String,
        /// Relationship id; default NAME-TARGET.
        #[arg(long)]
        id: Option<String>,
        /// Properties, a JSON object.
        #[arg(long, default_value = "{}")]
        properties: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// List relationships that begin at a twin.
    List {
        /// Source twin.
        source: String,
        /// Only those of this name.
        #[arg(long)]
        name: Option<String>,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// List relationships that end at a twin.
    Incoming {
        /// Target twin.
        twin: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Delete a relationship.
    Delete {
        /// Source twin.
        source: String,
        /// Relationship id.
        id: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
}

/// Commands of `twins component`.
#[derive(Debug, Subcommand)]
pub enum ComponentCommand {
    /// Show a component.
    Show {
        /// Twin id.
        id: String,
        /// Component name.
        component: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Set properties of a component.
    Update {
        /// Twin id.
        id: String,
        /// Component name.
        component: String,
        /// PATH=VALUE; the value is JSON, or text where it is no JSON.
        #[arg(required = true)]
        set: Vec<String>,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
}

/// Commands of `twins route`.
#[derive(Debug, Subcommand)]
pub enum RouteCommand {
    /// Create or replace an event route.
    Create {
        /// Route id.
        id: String,
        /// Endpoint.
        #[arg(long)]
        endpoint: String,
        /// Which events.
        #[arg(long, default_value = "true")]
        filter: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// List event routes.
    List {
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
    /// Delete an event route.
    Delete {
        /// Route id.
        id: String,
        /// Which Digital Twins.
        #[command(flatten)]
        target: TwinsTarget,
    },
}
