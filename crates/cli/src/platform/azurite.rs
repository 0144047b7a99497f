//! Azurite, started through npm: the storage that `func start` uses too.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use crate::connection::private_file;

/// Account and key are published by Microsoft for the emulator and protect nothing.
const ACCOUNT: &str = "AccountName=devstoreaccount1;AccountKey=\
    Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const BLOB_PORT: u16 = 10_000;
const QUEUE_PORT: u16 = 10_001;
const TABLE_PORT: u16 = 10_002;
const PATIENCE: Duration = Duration::from_secs(90);

/// A running Azurite.
pub(super) struct Azurite {
    child: Child,
    /// How the functions and the host reach it.
    pub(super) connection_string: String,
    /// The same in a file.
    pub(super) connection_file: PathBuf,
}

impl Azurite {
    /// Starts it with its data below the folder.
    pub(super) async fn start(data: &Path) -> anyhow::Result<Self> {
        let location = data.join("azurite");
        let mut command = match std::env::var_os("TWINWRIGHT_AZURITE") {
            Some(script) => {
                let mut command = Command::new("node");
                command.arg(script);
                command
            }
            None => {
                let mut command = Command::new("npx");
                command.args(["--yes", "azurite@3.35"]);
                command
            }
        };
        command
            .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--location"])
            .arg(&location)
            .args(["--blobPort", &BLOB_PORT.to_string(), "--queuePort", &QUEUE_PORT.to_string()])
            .args(["--tablePort", &TABLE_PORT.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let child = command.spawn().context("cannot start Azurite; it needs Node.js 20 and npm")?;
        let connection_string = format!(
            "DefaultEndpointsProtocol=http;{ACCOUNT};BlobEndpoint=http://127.0.0.1:{BLOB_PORT}/devstoreaccount1;\
             QueueEndpoint=http://127.0.0.1:{QUEUE_PORT}/devstoreaccount1;"
        );
        let connection_file = data.join("azurite-connection-string");
        private_file(&connection_file, connection_string.as_bytes())?;
        let mut azurite = Self { child, connection_string, connection_file };
        azurite.ready().await?;
        Ok(azurite)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for port in [BLOB_PORT, QUEUE_PORT] {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                if let Some(status) = self.child.try_wait()? {
                    bail!("Azurite ended at once ({status}); is another one running on port {port}?");
                }
                if tokio::time::Instant::now() > deadline {
                    bail!("Azurite does not answer on port {port}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Ends it.
    pub(super) async fn stop(mut self) {
        let _ = self.child.kill().await;
    }
}
