//! `notify` and `respond`: alerts are recorded and pushed, commands are sent. Both take a message twice without harm.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use azure_functions_rs_custom_handler::{QueueTrigger, Reply};
use serde_json::json;
use tracing::{error, info, warn};
use twinwright_core::command::Command;

use crate::app::App;
use crate::clock::now;
use crate::kill;
use crate::messages::AlertMessage;
use crate::respond::Response;

/// Records an alert's transition, then pushes it.
pub(super) async fn notify(State(app): State<Arc<App>>, QueueTrigger(message): QueueTrigger) -> Reply {
    let alert: AlertMessage = match message.json() {
        Ok(alert) => alert,
        Err(cause) => return unreadable("alerts", &cause),
    };
    match push(&app, &alert).await {
        Ok(()) => Reply::ok(),
        Err(cause) => {
            error!(alert = alert.id, cause, "alert not pushed; the queue brings it again");
            Reply::failed(StatusCode::SERVICE_UNAVAILABLE, cause)
        }
    }
}

async fn push(app: &App, alert: &AlertMessage) -> Result<(), String> {
    let say = |error: twinwright_history::StoreError| error.to_string();
    app.alerts.record(alert).await.map_err(say)?;
    kill::point("alert-recorded");
    let Some(webhook) = &app.webhook else { return Ok(()) };
    if app.alerts.was_notified(alert).await.map_err(say)? {
        return Ok(());
    }
    let body = json!({ "type": "twinwright.alert", "summary": alert.summary(), "alert": alert });
    webhook.notify(&alert.key(), &body).await?;
    kill::point("alert-pushed");
    app.alerts.mark_notified(alert).await.map_err(say)?;
    info!(alert = alert.id, "alert pushed");
    Ok(())
}

/// Takes a command as far as its policy and approval allow.
pub(super) async fn respond(State(app): State<Arc<App>>, QueueTrigger(message): QueueTrigger) -> Reply {
    let command: Command = match message.json() {
        Ok(command) => command,
        Err(cause) => return unreadable("commands", &cause),
    };
    match app.responder().respond(&command, now()).await {
        Ok(Response::Pending) => {
            info!(command = command.id, device = command.device, "command waits for approval");
            Reply::ok()
        }
        Ok(Response::Ended(_)) => Reply::ok(),
        Ok(Response::Again(cause)) => {
            warn!(
                command = command.id,
                cause, "command not delivered yet; `watch` tries again until it expires"
            );
            Reply::ok()
        }
        Err(cause) => {
            error!(command = command.id, %cause, "command not sent; the queue brings it again");
            Reply::failed(StatusCode::SERVICE_UNAVAILABLE, cause)
        }
    }
}

/// Retrying cannot mend a message that is not ours: after five tries the host moves it to the poison queue.
fn unreadable(queue: &str, cause: &dyn std::fmt::Display) -> Reply {
    Reply::failed(StatusCode::BAD_REQUEST, format!("a message of queue {queue} cannot be read: {cause}"))
}
