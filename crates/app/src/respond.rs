//! Sending a command to a device: once approved or allowed, not after it expired, and its outcome on record.

use serde_json::{Value, json};
use tracing::{info, warn};
use twinwright_core::command::Command;
use twinwright_core::time::{Micros, iso};
use twinwright_history::StoreError;

use crate::documents::commands::{CommandStatus, CommandStore, CommandView, Ended};
use crate::kill;
use crate::ports::{DevicePort, MethodAnswer, TwinAnswer, TwinPort};

/// What sending came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// It waits for approval.
    Pending,
    /// It is over, now or before.
    Ended(Ended),
    /// The device or the hub was not there: try again.
    Again(String),
}

/// Sends commands.
pub struct Responder<'a> {
    /// Commands in storage.
    pub commands: &'a CommandStore,
    /// The hub; `None` when none is configured.
    pub devices: Option<&'a dyn DevicePort>,
    /// The twins; `None` when none are configured.
    pub twins: Option<&'a dyn TwinPort>,
}

impl Responder<'_> {
    /// Takes a command as far as it may go.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was sent, or its outcome is not on record; try again.
    pub async fn respond(&self, command: &Command, now: Micros) -> Result<Response, StoreError> {
        self.commands.request(command).await?;
        kill::point("command-requested");
        let Some(view) = self.commands.find(&command.id, now).await? else {
            return Ok(Response::Again("the command is not on record yet".to_owned()));
        };
        self.proceed(&view, now).await
    }

    /// Sends a command that is approved, or allowed without asking.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn proceed(&self, view: &CommandView, now: Micros) -> Result<Response, StoreError> {
        let Some(command) = &view.command else { return Ok(Response::Pending) };
        if let Some(ended) = &view.outcome {
            return Ok(Response::Ended(ended.clone()));
        }
        if now > command.expires_at {
            return self.end(command, "expired", None, Value::Null, now).await;
        }
        if view.state == CommandStatus::Pending {
            return Ok(Response::Pending);
        }
        let Some(devices) = self.devices else {
            return Ok(Response::Again("no IoT Hub is configured (iot_hub.host)".to_owned()));
        };
        self.commands.mark_sent(command, now).await?;
        kill::point("command-marked");
        // The id lets the device tell a repeated call from a second command.
        let payload = json!({ "commandId": command.id, "alert": command.alert, "reason": command.reason });
        let timeout = command.response_timeout_seconds;
        let answer = devices.invoke(&command.device, &command.method, &payload, timeout).await;
        kill::point("command-answered");
        match answer {
            MethodAnswer::Answered { status, payload } => {
                info!(device = command.device, method = command.method, status, "command answered");
                self.end(command, "answered", Some(status), payload, now).await
            }
            MethodAnswer::NotFound => {
                self.end(command, "failed", None, "there is no such device".into(), now).await
            }
            MethodAnswer::NotOnline => Ok(Response::Again("the device is not connected".to_owned())),
            MethodAnswer::TimedOut => Ok(Response::Again("the device did not answer in time".to_owned())),
            MethodAnswer::Failed(cause) => Ok(Response::Again(cause)),
        }
    }

    async fn end(
        &self,
        command: &Command,
        state: &str,
        status: Option<i64>,
        detail: Value,
        now: Micros,
    ) -> Result<Response, StoreError> {
        let ended = Ended { state: state.to_owned(), status, detail, at: now };
        self.commands.end(command, &ended).await?;
        if let Some(twins) = self.twins {
            let status = status.map_or_else(String::new, |status| format!(" with status {status}"));
            let text = format!("{} {state}{status} at {}", command.method, iso(now));
            let patch = json!([{ "op": "add", "path": "/health/lastCommand", "value": text }]).to_string();
            if let TwinAnswer::Done(version) = twins.version(&command.device).await {
                let written = twins.patch(&command.device, patch, &version.etag).await;
                if !matches!(written, TwinAnswer::Done(_)) {
                    warn!(device = command.device, ?written, "the outcome is on record, but not on the twin");
                }
            }
        }
        Ok(Response::Ended(ended))
    }
}
