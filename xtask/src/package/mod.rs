//! `cargo xtask package`: the folder that the Functions host, `func start` and `func … publish` work with.
//!
//! The host finds `function.json` only one level below `host.json`, and publishing keeps the executable bit only of
//! the file that host.json names. [`stage`] makes such a folder; [`crate::check`] holds it against the rules.

mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;

use crate::args::PackageOptions;
use crate::check::check_staged;
use crate::process::{run as run_program, say};
use crate::scorers;
use crate::workspace::{HANDLER, Workspace};

use stage::{Parts, stage};

/// A build from nothing, on a slow machine.
const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// What to build, and how.
#[derive(Clone, Debug)]
pub(crate) struct Build<'a> {
    /// Names of binaries.
    pub(crate) binaries: &'a [&'a str],
    /// Cargo features, `package/feature`.
    pub(crate) features: Option<&'a str>,
    /// Optimised.
    pub(crate) release: bool,
    /// Target triple, if not the machine's.
    pub(crate) target: Option<&'a str>,
}

impl<'a> Build<'a> {
    /// As tests and the demonstration use it.
    pub(crate) fn development(binaries: &'a [&'a str]) -> Self {
        Self { binaries, features: None, release: false, target: None }
    }
}

/// Runs the task.
pub(crate) fn run(options: &PackageOptions) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    let target = options.target.as_deref();
    build(&workspace, &Build { binaries: &[HANDLER], features: None, release: options.release, target })?;
    let scorers = scorers::published(&workspace)?;
    let binary = workspace.binary(HANDLER, options.release, target);
    let default = workspace.target.join("functionapp");
    let out = options.out.as_ref().map_or(Ok(default), std::path::absolute)?;
    let staged = stage(&Parts { root: &workspace.root, binary: &binary, scorers: &scorers }, &out)?;
    println!("{staged}");
    let problems = check_staged(&out);
    for problem in &problems {
        say(&format!("the Functions host would not take this: {problem}"));
    }
    match problems.len() {
        0 => say("the folder obeys the rules of the Functions host"),
        count if options.check => bail!("{count} rule(s) of the Functions host broken by {}", out.display()),
        _ => say("fine for this machine; `--check` makes such problems errors"),
    }
    Ok(())
}

/// Builds binaries.
pub(crate) fn build(workspace: &Workspace, build: &Build<'_>) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
    command.arg("build");
    // Of one package alone, dependencies get fewer features than in the tests' build of the whole workspace, and
    // wasmtime and sixty others would be built twice. What goes to Azure has only the features it needs.
    if build.release {
        command.args(["--release", "--package", HANDLER])
    } else {
        command.arg("--workspace")
    };
    for name in build.binaries {
        command.args(["--bin", name]);
    }
    if let Some(features) = build.features {
        command.args(["--features", features]);
    }
    if let Some(target) = build.target {
        command.args(["--target", target]);
    }
    say(&format!("building {}", build.binaries.join(" and ")));
    run_program(&mut command, "cargo build", BUILD_DEADLINE)
}

/// Stages the development build in `<target>/functionapp`; answers the folder.
pub(crate) fn stage_default(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    stage_built(workspace, &workspace.target.join("functionapp"))
}

/// Builds optimised and stages in `<target>/functionapp-release`, for measuring; answers the folder.
pub(crate) fn stage_release(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    build(workspace, &Build { release: true, ..Build::development(&[HANDLER]) })?;
    stage_binary(workspace, true, &workspace.target.join("functionapp-release"))
}

/// Stages the development build as it is now; answers the folder.
pub(crate) fn stage_built(workspace: &Workspace, out: &Path) -> anyhow::Result<PathBuf> {
    stage_binary(workspace, false, out)
}

fn stage_binary(workspace: &Workspace, release: bool, out: &Path) -> anyhow::Result<PathBuf> {
    let scorers = scorers::published(workspace)?;
    let binary = workspace.binary(HANDLER, release, None);
    let staged = stage(&Parts { root: &workspace.root, binary: &binary, scorers: &scorers }, out)?;
    say(&staged.to_string());
    Ok(out.to_owned())
}
