//! Microsoft's own clients against the local platform, unmodified: device SDKs for Python and Node, the Digital Twins
//! SDK for Python. They need the ports that they cannot change.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use twinwright_cli::args::PortOptions;
use twinwright_tests::line::{Line, options, until};
use twinwright_tests::{books, needed, package, staged};

const ARM: &str = "robotic-arm-001";
const HINT: &str = "cargo xtask test installs the SDKs";

fn script(name: &str) -> PathBuf {
    package().map(|folder| folder.join("sdk").join(name)).unwrap_or_default()
}

async fn line(app: &Path, folder: &Path) -> anyhow::Result<Line> {
    let mut options = options(&folder.join("data"), app)?;
    options.ports = PortOptions { mqtt_port: 8883, ..options.ports };
    Line::start_with(options, &[]).await
}

fn run(test: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(test)
}

async fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let answer =
        tokio::time::timeout(Duration::from_secs(120), command.stdin(Stdio::null()).output()).await??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    anyhow::ensure!(answer.status.success(), "{}\n{}", text(&answer.stdout), text(&answer.stderr));
    Ok(())
}

async fn hundred_messages_reach_the_twin(line: &Line) -> anyhow::Result<()> {
    until("100 messages on the twin", async || {
        let books = books::stored(&line.store).await?;
        let twin = line.twin(ARM).await?;
        let shown =
            twin["latest"]["temperature"].is_number() && twin["states"]["operationalStatus"] == "running";
        Ok(if books.committed == 100 && shown {
            Ok(())
        } else {
            Err(format!("{} stored, {twin}", books.committed))
        })
    })
    .await
}

#[test]
fn the_recipe_s_python_script_reaches_the_twin() -> anyhow::Result<()> {
    let (Some(app), Some(python)) = (staged("TWINWRIGHT_APP"), needed("TWINWRIGHT_PYTHON", HINT)) else {
        return Ok(());
    };
    run(async {
        let folder = tempfile::tempdir()?;
        let line = line(&app, folder.path()).await?;
        line.platform.hub.registry().ensure(ARM)?;
        let connection = line.platform.hub.device_connection_string(ARM).context("no device")?;
        let ca = &line.platform.connection.ca_file;
        succeed(
            Command::new(python).arg(script("send_telemetry.py")).arg(&connection).env("SSL_CERT_FILE", ca),
        )
        .await?;
        hundred_messages_reach_the_twin(&line).await?;
        line.stop().await;
        Ok(())
    })
}

#[test]
fn the_node_sdk_reaches_the_twin() -> anyhow::Result<()> {
    let (Some(app), Some(modules)) = (staged("TWINWRIGHT_APP"), needed("NODE_PATH", HINT)) else {
        return Ok(());
    };
    run(async {
        let folder = tempfile::tempdir()?;
        let line = line(&app, folder.path()).await?;
        line.platform.hub.registry().ensure(ARM)?;
        let connection = line.platform.hub.device_connection_string(ARM).context("no device")?;
        let mut node = Command::new("node");
        node.arg(script("send_telemetry.js")).arg(&connection).env("NODE_PATH", modules);
        succeed(node.env("NODE_EXTRA_CA_CERTS", &line.platform.connection.ca_file)).await?;
        hundred_messages_reach_the_twin(&line).await?;
        line.stop().await;
        Ok(())
    })
}

#[test]
fn an_emergency_stop_reaches_a_python_device_and_its_answer_comes_back() -> anyhow::Result<()> {
    let (Some(app), Some(python)) = (staged("TWINWRIGHT_APP"), needed("TWINWRIGHT_PYTHON", HINT)) else {
        return Ok(());
    };
    run(async {
        let folder = tempfile::tempdir()?;
        let line = line(&app, folder.path()).await?;
        line.platform.hub.registry().ensure(ARM)?;
        let connection = line.platform.hub.device_connection_string(ARM).context("no device")?;
        let mut device = Command::new(python)
            .arg(script("method_device.py"))
            .arg(&connection)
            .env("SSL_CERT_FILE", &line.platform.connection.ca_file)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(device.stdout.take().context("no output")?).lines();
        while let Some(text) = lines.next_line().await? {
            if text.contains("ready") {
                break;
            }
        }
        let (answer, connect) = (Duration::from_secs(30), Duration::from_secs(10));
        let hub = line.platform.connection.hub()?;
        let outcome =
            hub.invoke_method(ARM, "emergencyStop", &json!({ "reason": "test" }), answer, connect).await;
        let twinwright_azure::hub::MethodOutcome::Answered { status, payload } = outcome else {
            anyhow::bail!("{outcome:?}")
        };
        assert_eq!((status, &payload["stopped"]), (200, &json!(true)));
        line.stop().await;
        Ok(())
    })
}

#[test]
fn the_digital_twins_sdk_creates_the_recipe_s_line() -> anyhow::Result<()> {
    let (Some(app), Some(python)) = (staged("TWINWRIGHT_APP"), needed("TWINWRIGHT_PYTHON", HINT)) else {
        return Ok(());
    };
    run(async {
        let folder = tempfile::tempdir()?;
        let line = Line::bare(options(&folder.path().join("data"), &app)?, &[]).await?;
        let connection = &line.platform.connection;
        let mut recipe = Command::new(python);
        recipe.arg(script("twins_recipe.py")).args(["--url", &connection.twins_url]);
        recipe.arg("--token-file").arg(line.platform.twins.token_file()).arg("--ca").arg(&connection.ca_file);
        succeed(&mut recipe).await?;
        line.stop().await;
        Ok(())
    })
}

/// A run of one of the suites of every operation, against a platform of its own.
fn every_operation(suite: impl AsyncFnOnce(&Line) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let Some(app) = staged("TWINWRIGHT_APP") else { return Ok(()) };
    run(async {
        let folder = tempfile::tempdir()?;
        let line = Line::bare(options(&folder.path().join("data"), &app)?, &[]).await?;
        suite(&line).await?;
        line.stop().await;
        Ok(())
    })
}

#[test]
fn every_operation_of_digital_twins_works_from_python() -> anyhow::Result<()> {
    let Some(python) = needed("TWINWRIGHT_PYTHON", HINT) else { return Ok(()) };
    every_operation(async |line| {
        let mut suite = Command::new(python);
        suite.arg(script("twins_every_operation.py")).args(["--url", &line.platform.connection.twins_url]);
        suite.arg("--token-file").arg(line.platform.twins.token_file());
        suite.arg("--ca").arg(&line.platform.connection.ca_file);
        succeed(&mut suite).await
    })
}

#[test]
fn every_operation_of_digital_twins_works_from_javascript() -> anyhow::Result<()> {
    let Some(modules) = needed("NODE_PATH", HINT) else { return Ok(()) };
    every_operation(async |line| {
        let mut suite = Command::new("node");
        suite.arg(script("twins_every_operation.js")).args(["--url", &line.platform.connection.twins_url]);
        suite.arg("--token-file").arg(line.platform.twins.token_file());
        suite.env("NODE_EXTRA_CA_CERTS", &line.platform.connection.ca_file).env("NODE_PATH", modules);
        succeed(&mut suite).await
    })
}
