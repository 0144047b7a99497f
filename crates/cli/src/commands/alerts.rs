//! `alerts …`, over the API that the dashboard uses.

use anyhow::bail;
use serde_json::{Value, json};

use crate::args::AlertsCommand;
use crate::connection::Connection;
use crate::output::{Output, clean, table};

/// Runs an `alerts` command.
///
/// # Errors
/// No platform runs, or there is no such alert or command.
pub async fn alerts(command: AlertsCommand, output: Output) -> anyhow::Result<()> {
    match command {
        AlertsCommand::List { all, data } => {
            let connection = Connection::load(&data.data)?;
            let state = if all { "all" } else { "open" };
            let alerts = get(&connection, &format!("api/alerts?state={state}&limit=1000")).await?;
            let commands = get(&connection, "api/commands?state=pending").await?;
            let both = json!({ "alerts": alerts["alerts"], "commands": commands["commands"] });
            output.result(&both, || show(&both));
        }
        AlertsCommand::Acknowledge { id, by, data } => {
            let path = format!("api/alerts/{id}/acknowledge");
            let alert = post(&Connection::load(&data.data)?, &path, &by).await?;
            output
                .result(&alert, || format!("{id} is {}", alert["state"].as_str().unwrap_or("acknowledged")));
        }
        AlertsCommand::Approve { id, by, data } => {
            let path = format!("api/commands/{id}/approve");
            let command = post(&Connection::load(&data.data)?, &path, &by).await?;
            output.result(&command, || {
                let detail = &command["outcome"]["detail"];
                let detail = if detail.is_null() { String::new() } else { format!(": {detail}") };
                format!("{id} is {}{detail}", command["state"].as_str().unwrap_or("approved"))
            });
        }
    }
    Ok(())
}

/// Asks the API.
pub(super) async fn get(connection: &Connection, path: &str) -> anyhow::Result<Value> {
    answer(reqwest::Client::new().get(format!("{}{path}", connection.dashboard_url))).await
}

async fn post(connection: &Connection, path: &str, by: &str) -> anyhow::Result<Value> {
    let request = reqwest::Client::new().post(format!("{}{path}", connection.dashboard_url));
    answer(request.header("x-twinwright", "1").json(&json!({ "by": by }))).await
}

/// Starts a function by hand, as the admin endpoint of the host allows.
pub(super) async fn post_admin(connection: &Connection, function: &str) -> anyhow::Result<()> {
    let url = format!("{}admin/functions/{function}", connection.dashboard_url);
    let response = reqwest::Client::new().post(url).json(&json!({})).send().await?;
    anyhow::ensure!(
        response.status().is_success(),
        "the host refused to run {function}: {}",
        response.status()
    );
    Ok(())
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let response = request.timeout(std::time::Duration::from_secs(320)).send().await?;
    let status = response.status();
    let value: Value = response.json().await.unwrap_or_default();
    if !status.is_success() {
        bail!("{}", value["error"].as_str().unwrap_or(status.as_str()));
    }
    Ok(value)
}

fn show(both: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), clean);
    let cause = |alert: &Value| {
        let first = &alert["causes"][0];
        match first["signal"].as_str() {
            Some(signal) => {
                let share = first["share"].as_f64().unwrap_or(0.0) * 100.0;
                format!("{} {} ({share:.0} %)", clean(signal), text(&first["direction"]))
            }
            None => "-".to_owned(),
        }
    };
    let empty = Vec::new();
    let alerts = both["alerts"].as_array().unwrap_or(&empty);
    let row = |a: &Value| {
        vec![
            text(&a["id"]),
            text(&a["device"]),
            text(&a["severity"]),
            text(&a["state"]),
            text(&a["openedAt"]),
            format!("{:.2}", a["peak"].as_f64().unwrap_or(0.0)),
            cause(a),
        ]
    };
    let head = ["alert", "device", "severity", "state", "opened", "peak", "top cause"];
    let mut shown = if alerts.is_empty() {
        "no alerts".to_owned()
    } else {
        table(&head, &alerts.iter().map(row).collect::<Vec<_>>())
    };
    for command in both["commands"].as_array().unwrap_or(&empty) {
        let id = text(&command["id"]);
        let (method, device) = (text(&command["method"]), text(&command["device"]));
        shown += &format!("\n\n{method} of {device} waits for you: twinwright alerts approve {id}");
    }
    shown
}
