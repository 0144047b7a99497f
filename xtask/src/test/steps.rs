//! The steps.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::examples::examples;
use super::session::{Session, Staged};
use super::tally::{Runner, Tally};
use crate::check::check_staged;
use crate::package::{Build, build, stage_built};
use crate::process::{Server, on_path, run, watch};
use crate::scorers;
use crate::workspace::HANDLER;

/// Long steps end after this: everything, dependencies included, is built within it.
const LONG: Duration = Duration::from_secs(40 * 60);
/// Steps that compile nothing.
const SHORT: Duration = Duration::from_secs(5 * 60);
/// How long the demonstration runs in the tests, seconds.
const DEMO_SECONDS: &str = "45";
/// Options of the platform's ports; each is given 0, a free one.
const PORTS: [&str; 4] = ["--mqtt-port", "--hub-port", "--twins-port", "--http-port"];
/// With this feature the handler can be killed at a chosen point.
const KILL_POINTS: &str = "twinwright-functions/kill-points";

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// cargo fmt.
    Format,
    /// clippy.
    Lints,
    /// One build of everything.
    Build,
    /// Scorers and the staged app.
    Package,
    /// Python, npm, Chromium.
    Tools,
    /// The tests.
    Tests,
    /// Examples in the documentation.
    DocTests,
    /// The examples of scorers in each language.
    Examples,
    /// Bicep and models.
    Infrastructure,
    /// The page in a browser.
    Dashboard,
    /// The line, running.
    Demo,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds; a word about it.
    Passed(String),
    /// It could not be tried; why.
    Skipped(String),
    /// It does not hold; why.
    Failed(String),
}

impl Outcome {
    /// The word for it, and its text.
    pub(crate) fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Passed(text) => ("passed", text),
            Self::Skipped(text) => ("skipped", text),
            Self::Failed(text) => ("FAILED", text),
        }
    }

    /// Where it is strict, what was not tried has failed.
    pub(crate) fn is_failure(&self, strict: bool) -> bool {
        match self {
            Self::Passed(_) => false,
            Self::Skipped(_) => strict,
            Self::Failed(_) => true,
        }
    }
}

impl Step {
    /// In order: what fails soon comes first.
    pub(crate) const ALL: [Self; 11] = [
        Self::Format,
        Self::Lints,
        Self::Build,
        Self::Package,
        Self::Tools,
        Self::Tests,
        Self::DocTests,
        Self::Examples,
        Self::Infrastructure,
        Self::Dashboard,
        Self::Demo,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lints => "lints",
            Self::Build => "build",
            Self::Package => "package",
            Self::Tools => "tools",
            Self::Tests => "tests",
            Self::DocTests => "doc-tests",
            Self::Examples => "examples",
            Self::Infrastructure => "infrastructure",
            Self::Dashboard => "dashboard",
            Self::Demo => "demo",
        }
    }

    /// What it does, in a line.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Format => "cargo fmt --all --check",
            Self::Lints => "clippy on all targets, warnings are errors",
            Self::Build => "everything that the later steps use, in one build",
            Self::Package => {
                "scorers, the staged app and the one with kill points, held against the host's rules"
            }
            Self::Tools => "Python SDKs, npm packages and a browser, installed where they are missing",
            Self::Tests => "unit, conformance, acceptance and kill tests",
            Self::DocTests => "examples in the documentation",
            Self::Examples => {
                "scorers in Rust, C, JavaScript and Python, made, built and checked as a new user would"
            }
            Self::Infrastructure => "tests/infra/check.py on the Bicep files and the models",
            Self::Dashboard => "tests/browser: the dashboard and the explorer in a real browser",
            Self::Demo => "twinwright demo: the books must balance, and both faults be found",
        }
    }

    /// Whether it needs nothing but Rust.
    pub(crate) fn is_fast(self) -> bool {
        matches!(self, Self::Format | Self::Lints | Self::Build | Self::Package | Self::Tests)
    }

    /// Whether it uses more than Rust where it can.
    pub(crate) fn needs_tools(self) -> bool {
        matches!(self, Self::Tools | Self::Tests | Self::Examples | Self::Infrastructure | Self::Dashboard)
    }

    /// Whether its tests are counted one by one.
    pub(crate) fn counts_tests(self) -> bool {
        matches!(self, Self::Tests | Self::DocTests)
    }

    /// Runs it.
    pub(crate) fn run(self, session: &mut Session) -> Outcome {
        let done = match self {
            Self::Format => format(session),
            Self::Lints => lints(session),
            Self::Build => build_all(session),
            Self::Package => package(session),
            Self::Tools => return tools(session),
            Self::Tests => tests(session),
            Self::DocTests => doc_tests(session),
            Self::Examples => return needing(examples(session)),
            Self::Infrastructure => return needing(infrastructure(session)),
            Self::Dashboard => return needing(dashboard(session)),
            Self::Demo => return needing(demo(session)),
        };
        done.map_or_else(|error| Outcome::Failed(format!("{error:#}")), Outcome::Passed)
    }
}

/// A result whose outer error says what is missing.
fn needing(done: Result<anyhow::Result<String>, String>) -> Outcome {
    match done {
        Ok(done) => done.map_or_else(|error| Outcome::Failed(format!("{error:#}")), Outcome::Passed),
        Err(missing) => Outcome::Skipped(missing),
    }
}

fn format(session: &Session) -> anyhow::Result<String> {
    let mut command = session.workspace.cargo();
    run(command.args(["fmt", "--all", "--check"]), "cargo fmt", SHORT)?;
    Ok(String::new())
}

fn lints(session: &Session) -> anyhow::Result<String> {
    let mut command = session.workspace.cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    run(&mut command, "cargo clippy", LONG)?;
    Ok(String::new())
}

/// The same set of features as the tests, so that nothing is compiled twice.
fn build_all(session: &Session) -> anyhow::Result<String> {
    let mut command = session.workspace.cargo();
    run(command.args(["build", "--workspace", "--bins", "--tests"]), "cargo build", LONG)?;
    Ok(String::new())
}

fn package(session: &mut Session) -> anyhow::Result<String> {
    let workspace = &session.workspace;
    let app = stage_built(workspace, &workspace.target.join("functionapp"))?;
    // The other handler takes the first one's place in the target folder, so it is built when that one is staged.
    let variant = Build { features: Some(KILL_POINTS), ..Build::development(&[HANDLER]) };
    build(workspace, &variant)?;
    let kill_points = stage_built(workspace, &workspace.target.join("functionapp-kill-points"))?;
    let scorers = scorers::all(workspace)?;
    let problems = [check_staged(&app), check_staged(&kill_points)].concat();
    session.staged = Some(Staged { app, kill_points, scorers });
    ensure!(
        problems.is_empty(),
        "the staged app breaks rules of the Functions host: {}",
        problems.join("; ")
    );
    Ok("the staged app obeys the host's rules".to_owned())
}

fn tools(session: &mut Session) -> Outcome {
    let Some(tools) = session.tools() else { return Outcome::Skipped("installing broke off".to_owned()) };
    let missing = tools.missing();
    missing.iter().for_each(|text| crate::process::say(&format!("missing: {text}")));
    if missing.is_empty() {
        Outcome::Passed("all there".to_owned())
    } else {
        Outcome::Skipped(missing.join("; "))
    }
}

fn tests(session: &mut Session) -> anyhow::Result<String> {
    let mut command = session.test_cargo();
    // One process for each test, and a summary that says which were slow; where it is missing, cargo's own does.
    let runner = if on_path("cargo-nextest") {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        Runner::Nextest
    } else {
        command.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
        Runner::Cargo
    };
    counted(session, runner, &mut command, "the tests")
}

fn doc_tests(session: &mut Session) -> anyhow::Result<String> {
    let mut command = session.test_cargo();
    command.args(["test", "--workspace", "--doc", "--no-fail-fast"]);
    counted(session, Runner::Cargo, &mut command, "the doc tests")
}

/// Runs a test runner, counting.
fn counted(
    session: &mut Session,
    runner: Runner,
    command: &mut Command,
    what: &str,
) -> anyhow::Result<String> {
    if std::io::stderr().is_terminal() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let before = session.tally;
    let tally = &mut session.tally;
    let done = watch(command, what, LONG, &mut |line| {
        eprintln!("{line}");
        tally.read(runner, line);
    });
    let counts = Tally {
        passed: tally.passed - before.passed,
        failed: tally.failed - before.failed,
        skipped: tally.skipped - before.skipped,
    };
    if done.is_err() && counts.failed == 0 {
        // What does not even compile is a failure as well.
        tally.failed += 1;
    }
    done.with_context(|| counts.to_string())?;
    Ok(counts.to_string())
}

fn infrastructure(session: &mut Session) -> Result<anyhow::Result<String>, String> {
    let root = session.workspace.root.clone();
    let script = root.join("tests/infra/check.py");
    if !script.is_file() {
        return Err(format!("{} is not there", script.display()));
    }
    let python = session.tools().ok_or("no tools")?.python_infra.clone()?;
    let mut command = Command::new(python);
    command.arg(script).current_dir(root).stdin(Stdio::null());
    Ok(run(&mut command, "tests/infra/check.py", SHORT).map(|()| String::new()))
}

fn dashboard(session: &mut Session) -> Result<anyhow::Result<String>, String> {
    let root = session.workspace.root.clone();
    let tools = session.tools().ok_or("no tools")?;
    let (npm, browser) = (tools.npm.clone()?, tools.browser.clone()?);
    let node = |script: &str| {
        let mut command = Command::new("node");
        command.arg(root.join("tests/browser").join(script)).current_dir(&root).stdin(Stdio::null());
        command.env("NODE_PATH", npm.join("node_modules")).env("CHROMIUM", &browser);
        command
    };
    let tried = || {
        let server = Server::start(&mut node("mock.mjs"), "tests/browser/mock.mjs", Duration::from_secs(30))?;
        let address = server.first_line.clone();
        run(node("dashboard.mjs").arg(&address), "tests/browser/dashboard.mjs", SHORT)?;
        let narrow = ["--scheme", "dark", "--width", "360", "--no-alert"];
        run(
            node("dashboard.mjs").arg(&address).args(narrow),
            "tests/browser/dashboard.mjs on a telephone",
            SHORT,
        )?;
        Ok(())
    };
    let explored = |app: &Path| -> anyhow::Result<()> {
        let folder = session.workspace.target.join("explorer-test");
        let _ = fs::remove_dir_all(&folder);
        let mut up = Command::new(session.cli());
        up.args(["up", "--no-simulate", "--app"]).arg(app).arg("--data").arg(&folder);
        for port in PORTS {
            up.args([port, "0"]);
        }
        let _platform = Server::start(&mut up, "twinwright up", Duration::from_secs(60))?;
        let connection: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("connection.json"))?)?;
        let address = connection["twinsUrl"].as_str().context("the platform says no address of its twins")?;
        let mut page = node("explorer.mjs");
        page.arg(address).arg(folder.join("twins/twins.token"));
        run(&mut page, "tests/browser/explorer.mjs", SHORT)
    };
    let app = session.staged.as_ref().map(|staged| staged.app.clone()).ok_or("nothing was staged")?;
    Ok(tried().and_then(|()| explored(&app)).map(|()| {
        "the dashboard on a desktop and on a telephone, the explorer of a running platform".to_owned()
    }))
}

fn demo(session: &mut Session) -> Result<anyhow::Result<String>, String> {
    let staged = session.staged.as_ref().ok_or("nothing was staged")?;
    let folder = session.workspace.target.join("demo-test");
    let report = folder.join("report.json");
    let mut command = Command::new(session.cli());
    command.args(["demo", "--seconds", DEMO_SECONDS, "--app"]).arg(&staged.app).stdin(Stdio::null());
    command.arg("--report").arg(&report).arg("--data").arg(folder.join("data"));
    // Whatever else listens on this machine is left alone.
    for port in PORTS {
        command.args([port, "0"]);
    }
    let mut tried = || {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        run(&mut command, "twinwright demo", SHORT)?;
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&report)?)?;
        Ok(format!(
            "{} events sent, {} committed, {} alerts, {} ms p99",
            report["events_sent"],
            report["events_committed"],
            report["alerts_raised"],
            report["latency_ms"]["p99"]
        ))
    };
    Ok(tried())
}
