//! `cargo xtask demo`: from a fresh clone to the running line.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

use crate::args::DemoOptions;
use crate::package::{Build, build, stage_default};
use crate::process::say;
use crate::tools::node;
use crate::workspace::{CLI, HANDLER, Workspace};

/// Builds what the demonstration needs, then becomes `twinwright demo`.
pub(crate) fn run(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    ensure!(
        options.seconds.is_none_or(|seconds| seconds >= 30),
        "--seconds must be at least 30: the faults need time"
    );
    let workspace = Workspace::find()?;
    say("building the line; on a fresh clone the dependencies take 10-15 minutes on two cores, once");
    // One call for both binaries: two would build shared dependencies twice, for two sets of features.
    build(&workspace, &Build::development(&[HANDLER, CLI]))?;
    let staged = stage_default(&workspace)?;
    let data = options.data.clone().unwrap_or_else(|| workspace.root.join(".twinwright/demo"));
    let mut command = Command::new(workspace.binary(CLI, false, None));
    command.arg("demo").arg("--app").arg(&staged).arg("--data").arg(&data);
    if let Some(seconds) = options.seconds {
        command.args(["--seconds", &seconds.to_string()]);
    }
    if let Some(report) = &options.report {
        command.arg("--report").arg(report);
    }
    if options.azurite {
        let installed =
            node::install(&workspace.root).map_err(anyhow::Error::msg).context("--azurite needs Azurite")?;
        command.arg("--azurite").env("TWINWRIGHT_AZURITE", &installed);
    }
    command.args(&options.more);
    say(&format!("starting the line; its data are kept in {}", data.display()));
    become_program(command)
}

/// The program takes this one's place, so that Ctrl-C and its exit code are its own.
#[cfg(unix)]
fn become_program(mut command: Command) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))
}

/// Without `exec`, its exit code is passed on.
#[cfg(not(unix))]
fn become_program(mut command: Command) -> anyhow::Result<ExitCode> {
    let status = command.status().context("cannot start twinwright")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
