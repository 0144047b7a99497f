//! Arguments of `plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{DataOption, HistoryTarget, Span};

/// Commands of `plugin`.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Start a scorer: a folder that builds, with a case to test it by.
    New(NewOptions),
    /// Build a scorer's folder into a component; says what to install where a tool is missing.
    Build(BuildOptions),
    /// Check a component: world, imports, limits, determinism, states, and the cases of its folder.
    Check(CheckOptions),
    /// Run the cases of a folder (golden/*.json: baseline, batch, expected).
    Test(CheckOptions),
    /// Say of an ONNX file which engine reads it, what to export otherwise, and compare with onnxruntime.
    CheckModel(CheckModelOptions),
    /// Time and memory of a component by batch size, beside the built-in scorer.
    Bench(PluginBenchOptions),
    /// Run a version through stored history beside the one that serves: alerts gained and lost, scores, a picture.
    Replay(PluginReplayOptions),
    /// Make a signing key, private to this user, and trust it on this platform.
    Keygen {
        /// Who the key belongs to, for people.
        #[arg(long, env = "USER", default_value = "somebody")]
        owner: String,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
    /// Sign a component with its manifest.
    Sign(SignOptions),
    /// Check a signed manifest and its component.
    Verify(VerifyOptions),
    /// Put a signed component into the registry; nothing uses it yet.
    Publish(PublishOptions),
    /// Try a published version: shadow, then a share of the devices, then promoted or rolled back by itself.
    Canary(DecideOptions),
    /// Promote a published version at once; it may still be rolled back.
    Promote(DecideOptions),
    /// Go back: end a trial, or return to the version before.
    Rollback(RollbackOptions),
    /// Published packages, and what serves each equipment model.
    List {
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
    /// A published package: manifest, signatures, whether they count.
    Show {
        /// NAME@VERSION.
        release: String,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
    /// The decisions on an equipment model's scorers, oldest first.
    Log {
        /// Equipment model.
        equipment: String,
        /// The latest so many.
        #[arg(long, default_value_t = 50)]
        most: usize,
        /// The platform.
        #[command(flatten)]
        data: DataOption,
    },
}

/// Language of a scorer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust: the quickest to run.
    Rust,
    /// Python: standard library only.
    Python,
    /// JavaScript.
    Js,
    /// C.
    C,
    /// A model as an ONNX file: neural networks, linear models, mixtures.
    Onnx,
    /// Forests and boosted trees as an ONNX file.
    Trees,
}

/// Options of `plugin new`.
#[derive(Clone, Debug, Args)]
pub struct NewOptions {
    /// Name: lower case letters, digits and hyphens.
    pub name: String,
    /// Language.
    #[arg(long, value_enum, default_value = "python")]
    pub lang: Language,
    /// Where to make the folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub parent: PathBuf,
}

/// Options of `plugin build`.
#[derive(Clone, Debug, Args)]
pub struct BuildOptions {
    /// The scorer's folder.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Where the engines of models are.
    #[command(flatten)]
    pub engines: EnginesOption,
}

/// Where the engines of models are.
#[derive(Clone, Debug, Args)]
pub struct EnginesOption {
    /// Folder of the engines that read models [default: `engines` beside this program's folder].
    #[arg(long, value_name = "DIR", env = "TWINWRIGHT_ENGINES")]
    pub engines: Option<PathBuf>,
}

impl EnginesOption {
    /// Folders to look in.
    pub fn folders(&self) -> Vec<PathBuf> {
        let program = std::env::current_exe().ok();
        let beside = program.iter().flat_map(|program| program.ancestors().skip(1).take(2));
        let beside = beside.map(|folder| folder.join("engines"));
        self.engines.iter().cloned().chain(beside).collect()
    }
}

/// Options of `plugin replay`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  twinwright plugin replay --equipment robotic-arm --from 7d
  twinwright plugin replay my-scorer --equipment robotic-arm --from 2026-03-01 --to 2026-03-08 --html replay.html")]
pub struct PluginReplayOptions {
    /// The scorer's folder (a built one), or a component.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Equipment model: its baseline, its alert rules, and its devices unless some are named.
    #[arg(long, value_name = "MODEL")]
    pub equipment: String,
    /// When and whose.
    #[command(flatten)]
    pub span: Span,
    /// Another scorer to hold it against: a folder or component [default: the promoted one, else the baseline's].
    #[arg(long, value_name = "PATH")]
    pub beside: Option<PathBuf>,
    /// Another baseline than the promoted one.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write a page with distributions and alerts in time.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Folder of the scorers that come with the app.
    #[arg(long, value_name = "DIR", env = "TWINWRIGHT_SCORERS")]
    pub scorers: Option<PathBuf>,
    /// Whose history.
    #[command(flatten)]
    pub target: HistoryTarget,
}

/// Options of `plugin check-model`.
#[derive(Clone, Debug, Args)]
pub struct CheckModelOptions {
    /// The model.
    #[arg(value_name = "FILE.onnx")]
    pub model: PathBuf,
    /// Signals of a row, where the model does not say.
    #[arg(long, value_name = "N")]
    pub signals: Option<usize>,
    /// Rows to compare.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rows: u32,
    /// A Python that has onnxruntime, to compare with [default: .venv/bin/python, then python3].
    #[arg(long, value_name = "PROGRAM", env = "TWINWRIGHT_PYTHON")]
    pub python: Option<PathBuf>,
    /// Where the engines are.
    #[command(flatten)]
    pub engines: EnginesOption,
}

/// Options of `plugin check` and `plugin test`.
#[derive(Clone, Debug, Args)]
pub struct CheckOptions {
    /// The scorer's folder (a built one), or a component.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Baseline to check with; without one, that of the first case, or a made-up one.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// Options of `plugin bench`.
#[derive(Clone, Debug, Args)]
pub struct PluginBenchOptions {
    /// The scorer's folder (a built one), or a component.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Baseline to run with; without one, a made-up one.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Signals of the made-up baseline.
    #[arg(long, default_value_t = 8)]
    pub signals: usize,
    /// Fail where a row takes more fuel (instructions, the same on every machine).
    #[arg(long, value_name = "N")]
    pub most_fuel: Option<u64>,
}

/// Options of `plugin sign`.
#[derive(Clone, Debug, Args)]
pub struct SignOptions {
    /// The component; its manifest is manifest.json beside it, or NAME.manifest.json.
    pub component: PathBuf,
    /// Private key; without one, that of the platform.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}

/// Options of `plugin verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyOptions {
    /// The component; its signed manifest is NAME.signed.json beside it.
    pub component: PathBuf,
    /// Trust document; without one, that of the platform.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}

/// Options of `plugin publish`.
#[derive(Clone, Debug, Args)]
pub struct PublishOptions {
    /// The component; its signed manifest is NAME.signed.json beside it.
    pub component: PathBuf,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}

/// Options of `plugin canary` and `plugin promote`.
#[derive(Clone, Debug, Args)]
pub struct DecideOptions {
    /// NAME@VERSION of a published package.
    pub release: String,
    /// Equipment models; without any, those of the manifest.
    #[arg(long, value_delimiter = ',')]
    pub equipment: Vec<String>,
    /// Per cent of the devices that the canary serves.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub share: u8,
    /// Also a version in quarantine.
    #[arg(long)]
    pub force: bool,
    /// Why, for the log.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Your name, for the log.
    #[arg(long, env = "USER", default_value = "somebody")]
    pub by: String,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}

/// Options of `plugin rollback`.
#[derive(Clone, Debug, Args)]
pub struct RollbackOptions {
    /// Equipment models.
    #[arg(long, value_delimiter = ',', required = true)]
    pub equipment: Vec<String>,
    /// Why, for the log.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Your name, for the log.
    #[arg(long, env = "USER", default_value = "somebody")]
    pub by: String,
    /// The platform.
    #[command(flatten)]
    pub data: DataOption,
}
