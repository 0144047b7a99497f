//! Our handler with a folder of its own, a baseline, and twins that never answer.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use twinwright_app::catalog::baselines;
use twinwright_app::train::{Declared, Readings, fit_only};
use twinwright_core::time::SECOND;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;

use crate::load::{Noise, SIGNALS, START};
use crate::subject::Subject;

/// Rows that the baseline is fitted on.
const ROWS: i64 = 6_000;

/// Storage with a baseline, and what else a handler needs.
pub(crate) struct Bench {
    app: PathBuf,
    folder: TempDir,
    store: Store,
    /// Connections wait in its queue for ever: patches are planned and coalesced for each batch, as always, and none
    /// goes out. Sending them is work of the network, at ADT's pace and not at the hub's, and is measured elsewhere.
    twins: TcpListener,
}

impl Bench {
    /// Prepares it.
    pub(crate) async fn new(app: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = Store::from_url(&format!("folder:{}", folder.path().join("storage").display()))?;
        let mut readings = Readings { signals: SIGNALS.map(str::to_owned).to_vec(), ..Readings::default() };
        let mut noise = Noise::new();
        for row in 0..ROWS {
            let values = noise.row();
            let value = |name: &str| SIGNALS.iter().position(|known| *known == name).map(|at| values[at]);
            readings.push(0, START + (row - ROWS) * SECOND, value);
        }
        let candidate =
            fit_only("robotic-arm", &mut readings, Declared::default(), 1, START).context("no baseline")?;
        baselines(&store, "robotic-arm").create(1, candidate.baseline.to_json()?.into()).await?;
        std::fs::write(folder.path().join("token"), "token")?;
        let twins = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self { app: app.to_owned(), folder, store, twins })
    }

    /// Starts the handler with a filter of its log.
    pub(crate) async fn start(&self, log: &str) -> anyhow::Result<Subject> {
        self.start_with(log, &[]).await
    }

    /// Starts the handler with further settings.
    pub(crate) async fn start_with(&self, log: &str, settings: &[(&str, &str)]) -> anyhow::Result<Subject> {
        let path = |name: &str| self.folder.path().join(name);
        let twins = format!("https://{}", self.twins.local_addr()?);
        let output = File::create(self.log())?;
        let handler = Subject::start(|port| {
            let mut command = Command::new(self.app.join("twinwright-functions"));
            command
                .current_dir(self.folder.path())
                .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
                .env("TWINWRIGHT_STORAGE__URL", format!("folder:{}", path("storage").display()))
                .env("TWINWRIGHT_SCORING__SCORERS_DIR", self.app.join("scorers"))
                .env("TWINWRIGHT_SCORING__CACHE_DIR", path("cache"))
                .env("TWINWRIGHT_TWINS__URL", twins)
                .env("TWINWRIGHT_TWINS__TOKEN_FILE", path("token"))
                .env("TWINWRIGHT_TELEMETRY__LOG", log)
                .env_remove("APPLICATIONINSIGHTS_CONNECTION_STRING")
                .envs(settings.iter().copied())
                .stdout(output)
                .stderr(Stdio::inherit());
            command
        });
        handler.await.context("the handler")
    }

    /// The handler's output.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("handler.log")
    }

    /// Holds what is stored against what was sent: a fast handler that loses events would not count. The scorer must
    /// have scored, not the stand-in.
    pub(crate) async fn check_stored(&self, events: usize) -> anyhow::Result<()> {
        let log = SegmentLog::new(self.store.clone(), "hub");
        let mut rows = 0;
        for name in log.range(START - SECOND, START + 86_400 * SECOND).await? {
            let (frame, metadata) = log.load(&name).await?;
            rows += frame.rows();
            let version = metadata.versions.get("robotic-arm").context("a segment was not scored")?;
            ensure!(!version.scorer_hash.is_empty(), "the stand-in scored, not the scorer");
        }
        ensure!(rows == events, "{rows} rows are stored, {events} events were sent");
        let output = std::fs::read_to_string(self.log())?;
        ensure!(!output.contains("the stand-in scored"), "the scorer failed:\n{output}");
        Ok(())
    }
}
