//! Commands: asked for, approved, sent, answered. Each step is a document that is only ever created.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinwright_core::command::Command;
use twinwright_core::policy::OnCritical;
use twinwright_core::time::{Micros, SECOND, iso, parse_iso};
use twinwright_history::StoreError;
use twinwright_history::store::{Created, Store};

use super::journal::{Journal, Steps};

/// How far back commands are looked for.
const HORIZON: Micros = 7 * 86_400 * SECOND;
/// Time for connecting to the device and for the way, beyond the time that the device has to answer.
const ANSWER_MARGIN: Micros = 60 * SECOND;
/// Commands shown at the most.
const MAX_COMMANDS: usize = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Act {
    by: String,
    at: Micros,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// `answered`, `failed` or `expired`.
    pub state: String,
    /// The device's status, if it answered.
    pub status: Option<i64>,
    /// The device's payload, or why it failed.
    pub detail: Value,
    /// When.
    pub at: Micros,
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandStatus {
    /// Waits for a person.
    Pending,
    /// Approved, not yet sent.
    Approved,
    /// Sent, no outcome yet.
    Sent,
    /// The device answered.
    Answered,
    /// It could not be done.
    Failed,
    /// Nobody approved it, or the device was not there, in time.
    Expired,
}

/// A command as people see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandView {
    /// Id.
    pub id: String,
    /// Device.
    pub device: String,
    /// Direct method.
    pub method: String,
    /// Where it stands.
    pub state: CommandStatus,
    /// When it was asked for.
    pub requested_at: String,
    /// When it was last known to go out.
    pub sent_at: Option<String>,
    /// Alert behind it.
    pub alert: String,
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// How it ended.
    pub outcome: Option<Ended>,
    /// The command itself.
    #[serde(skip)]
    pub command: Option<Command>,
}

impl CommandView {
    /// Whether somebody may still be waiting for the device's answer.
    pub fn awaits_answer(&self, now: Micros) -> bool {
        let (Some(sent), Some(command)) = (self.sent_at.as_deref().and_then(parse_iso), &self.command) else {
            return false;
        };
        now < sent + i64::from(command.response_timeout_seconds) * SECOND + ANSWER_MARGIN
    }
}

/// The commands in storage; cheap to clone.
#[derive(Clone)]
pub struct CommandStore {
    journal: Journal,
}

impl std::fmt::Debug for CommandStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CommandStore").finish_non_exhaustive()
    }
}

impl CommandStore {
    /// Commands of a store.
    pub fn new(store: Store) -> Self {
        Self { journal: Journal::new(store, "commands/v=1") }
    }

    /// Records that a command is asked for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn request(&self, command: &Command) -> Result<Created, StoreError> {
        self.journal.step(command.requested_at, &command.id, "1-requested", command).await
    }

    /// Approves a pending command; `None` when there is none of this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approve(&self, id: &str, by: &str, now: Micros) -> Result<Option<CommandView>, StoreError> {
        let Some(view) = self.find(id, now).await? else { return Ok(None) };
        let by: String = by.chars().filter(|c| !c.is_control()).take(100).collect();
        if let (CommandStatus::Pending, Some(command)) = (view.state, &view.command) {
            self.journal.step(command.requested_at, id, "2-approved", &Act { by, at: now }).await?;
        }
        self.find(id, now).await
    }

    /// Notes that the command goes out. The mark is set before the call: should the process be killed in between,
    /// the next try sends it again under the same id rather than not at all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_sent(&self, command: &Command, now: Micros) -> Result<Created, StoreError> {
        let act = Act { by: "twinwright".to_owned(), at: now };
        self.journal.step(command.requested_at, &command.id, "3-sent", &act).await
    }

    /// Records how it ended; the first end counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, command: &Command, ended: &Ended) -> Result<Created, StoreError> {
        self.journal.step(command.requested_at, &command.id, "4-ended", ended).await
    }

    /// A command by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(&self, id: &str, now: Micros) -> Result<Option<CommandView>, StoreError> {
        Ok(self.list(now).await?.into_iter().find(|view| view.id == id))
    }

    /// Commands of the last week, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, now: Micros) -> Result<Vec<CommandView>, StoreError> {
        let cases = self.journal.cases(now - HORIZON, now, MAX_COMMANDS).await?;
        let mut views: Vec<CommandView> = cases.iter().filter_map(|case| view(case, now)).collect();
        views.sort_by(|a, b| b.requested_at.cmp(&a.requested_at));
        Ok(views)
    }
}

fn view(case: &Steps, now: Micros) -> Option<CommandView> {
    let command: Command = case.get("1-requested")?;
    let approved: Option<Act> = case.get("2-approved");
    let sent: Option<Act> = case.get("3-sent");
    let outcome: Option<Ended> = case.get("4-ended");
    let state = match (&outcome, &sent) {
        (Some(ended), _) => match ended.state.as_str() {
            "answered" => CommandStatus::Answered,
            "expired" => CommandStatus::Expired,
            _ => CommandStatus::Failed,
        },
        (None, Some(_)) => CommandStatus::Sent,
        (None, None) if now > command.expires_at => CommandStatus::Expired,
        (None, None) if approved.is_some() || command.mode == OnCritical::Stop => CommandStatus::Approved,
        (None, None) => CommandStatus::Pending,
    };
    Some(CommandView {
        id: case.id.clone(),
        device: command.device.clone(),
        method: command.method.clone(),
        state,
        requested_at: iso(command.requested_at),
        sent_at: sent.map(|act| iso(act.at)),
        alert: command.alert.clone(),
        reason: command.reason.clone(),
        approved_by: approved.map(|act| act.by),
        outcome,
        command: Some(command),
    })
}
