//! `doctor`: what is there, what is missing, what is stuck, and what to do about it.

use std::path::Path;
use std::process::Command;

use serde::Serialize;
use serde_json::Value;

use super::alerts::get;
use crate::args::DataOption;
use crate::connection::Connection;
use crate::output::{Output, table};

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Missing,
    Problem,
}

#[derive(Serialize)]
struct Check {
    what: String,
    verdict: Verdict,
    detail: String,
}

fn check(what: &str, verdict: Verdict, detail: impl Into<String>) -> Check {
    Check { what: what.to_owned(), verdict, detail: detail.into() }
}

/// Runs all checks; a problem makes the command fail.
///
/// # Errors
/// Something that should work does not.
pub async fn doctor(options: DataOption, output: Output) -> anyhow::Result<()> {
    let mut checks: Vec<Check> = [
        (
            "func",
            "--version",
            "Azure Functions Core Tools; needed for `func start` and for publishing, not for `twinwright up`",
        ),
        ("az", "--version", "Azure CLI; needed on Azure only"),
        ("azd", "version", "Azure Developer CLI; needed on Azure only"),
        ("node", "--version", "Node.js; needed for --azurite and for the tests of the Node SDKs"),
        ("python3", "--version", "Python; needed for the tests of the Python SDKs"),
    ]
    .iter()
    .map(|(name, argument, why)| tool(name, argument, why))
    .collect();
    checks.extend(platform(&options.data).await);
    let problems = checks.iter().filter(|check| matches!(check.verdict, Verdict::Problem)).count();
    output.result(&checks, || {
        let word = |check: &Check| match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Missing => "missing",
            Verdict::Problem => "PROBLEM",
        };
        let row = |c: &Check| vec![word(c).to_owned(), c.what.clone(), c.detail.clone()];
        table(&["", "what", "detail"], &checks.iter().map(row).collect::<Vec<_>>())
    });
    anyhow::ensure!(problems == 0, "{problems} problem(s) found; see above");
    Ok(())
}

fn tool(name: &str, argument: &str, why: &str) -> Check {
    match Command::new(name).arg(argument).output() {
        Ok(answer) if answer.status.success() => {
            let text = String::from_utf8_lossy(&answer.stdout);
            check(name, Verdict::Ok, text.lines().next().unwrap_or_default())
        }
        _ => check(name, Verdict::Missing, why),
    }
}

async fn platform(data: &Path) -> Vec<Check> {
    let connection = match Connection::load(data) {
        Ok(connection) => connection,
        Err(error) => return vec![check("platform", Verdict::Missing, error.to_string())],
    };
    let mut checks = Vec::new();
    checks.push(match connection.hub() {
        Ok(hub) => match hub.list_devices(1_000).await {
            Ok(devices) => check("hub", Verdict::Ok, format!("{} devices", devices.len())),
            Err(error) => check("hub", Verdict::Problem, error.to_string()),
        },
        Err(error) => check("hub", Verdict::Problem, error.to_string()),
    });
    match get(&connection, "api/status").await {
        Ok(status) => checks.extend(functions(&status)),
        Err(error) => checks.push(check("functions", Verdict::Problem, format!("{error:#}"))),
    }
    checks
}

fn functions(status: &Value) -> Vec<Check> {
    let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let events = number("/counters/committed");
    let dead = number("/counters/dead_lettered");
    let mut checks =
        vec![check("functions", Verdict::Ok, format!("{events} events committed since the start"))];
    if dead > 0 {
        checks.push(check(
            "dead letters",
            Verdict::Problem,
            format!("{dead} since the start; their reasons are in storage under dead-letters/"),
        ));
    }
    let waiting = number("/patches/waiting");
    checks.push(check(
        "patches",
        Verdict::Ok,
        format!("{waiting} waiting, {} sent", number("/patches/counts/patched")),
    ));
    for refused in status.pointer("/patches/refused").and_then(Value::as_array).into_iter().flatten() {
        let cause = refused["cause"].as_str().unwrap_or_default();
        checks.push(check(refused["twin"].as_str().unwrap_or("twin"), Verdict::Problem, cause));
    }
    let scorers = status["scorers"].as_array().into_iter().flatten();
    checks.extend(scorers.filter(|scorer| scorer["calls"]["instances"] != 0).map(scorer));
    checks
}

/// What a scorer does and costs. Failures since the start are told, not judged: who fails is replaced by the stand-in, and
/// a version on trial is rolled back by itself.
fn scorer(told: &Value) -> Check {
    let number = |key: &str| told["calls"][key].as_u64().unwrap_or(0);
    let serves = told["serves"].as_array().into_iter().flatten().map(|part| {
        let share = part["share"].as_f64().unwrap_or(0.0) * 100.0;
        format!("{share:.0} % of {}", part["equipment"].as_str().unwrap_or_default())
    });
    let serves = serves.collect::<Vec<_>>().join(", ");
    let serves = if serves.is_empty() { "serves nothing".to_owned() } else { format!("serves {serves}") };
    let detail = format!(
        "{serves}; {} rows, {:.1} µs a row, {} traps, {} past the deadline, {} kB",
        number("rows"),
        told["microsPerRow"].as_f64().unwrap_or(0.0),
        number("traps"),
        number("deadlines"),
        number("memory") / 1024,
    );
    check(told["scorer"].as_str().unwrap_or("scorer"), Verdict::Ok, detail)
}
