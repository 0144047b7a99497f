//! What goes through the queues: alert transitions and commands. Receivers drop what they have seen by its id.

use serde::{Deserialize, Serialize};
use twinwright_core::alert::{Severity, TransitionKind};
use twinwright_core::command::Command;
use twinwright_core::time::Micros;

/// One signal's part in an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Signal.
    pub signal: String,
    /// Share of the score, 0 to 1.
    pub share: f64,
    /// Newest value, in the device's unit.
    pub value: Option<f64>,
    /// What the baseline expects.
    pub expected: Option<f64>,
    /// `high` or `low` against the baseline.
    pub direction: String,
}

/// A transition of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertMessage {
    /// Alert id; follows from device, rule and first sequence number.
    pub id: String,
    /// Device.
    pub device: String,
    /// Equipment twin.
    pub twin: String,
    /// Equipment model.
    pub equipment: String,
    /// Rule.
    pub rule: String,
    /// What happened.
    pub transition: TransitionKind,
    /// Worst so far.
    pub severity: Severity,
    /// Event time of the transition, µs UTC.
    pub at: Micros,
    /// Event time of the opening, µs UTC.
    pub opened_at: Micros,
    /// Partition.
    pub partition: u32,
    /// Sequence number of the row that made the transition.
    pub sequence: i64,
    /// Score of that row.
    pub score: f64,
    /// Highest score so far.
    pub peak: f64,
    /// Causes, largest first.
    pub causes: Vec<Cause>,
    /// What to do first.
    pub advice: String,
    /// Scorer, `name@version`.
    pub scorer: String,
    /// Baseline id.
    pub baseline: String,
}

impl AlertMessage {
    /// Names this transition: the same transition of the same alert has the same key.
    pub fn key(&self) -> String {
        let kind = match self.transition {
            TransitionKind::Raised => "1-raised",
            TransitionKind::Escalated => "2-escalated",
            TransitionKind::Cleared => "3-cleared",
        };
        format!("{}/{kind}", self.id)
    }

    /// The alert in a sentence.
    pub fn summary(&self) -> String {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        let verb = match self.transition {
            TransitionKind::Raised => "raised",
            TransitionKind::Escalated => "became critical",
            TransitionKind::Cleared => "cleared",
        };
        let cause = self.causes.first().map(|cause| {
            format!(": {} is {} ({:.0} % of the score)", cause.signal, cause.direction, cause.share * 100.0)
        });
        format!(
            "{severity} alert of {} {verb}, score {:.2}{}",
            self.device,
            self.score,
            cause.unwrap_or_default()
        )
    }
}

/// Messages that a reply carries, or that wait to be confirmed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    /// For the queue `alerts`.
    pub alerts: Vec<AlertMessage>,
    /// For the queue `commands`.
    pub commands: Vec<Command>,
}

impl Outputs {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.commands.is_empty()
    }
}
