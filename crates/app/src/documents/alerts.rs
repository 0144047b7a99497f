//! Alerts: what the partitions decided, and what people did about it.

use serde::{Deserialize, Serialize};
use twinwright_core::alert::{Severity, TransitionKind};
use twinwright_core::time::{Micros, SECOND, iso};
use twinwright_history::StoreError;
use twinwright_history::store::{Created, Store};

use super::journal::{Journal, Steps};
use crate::messages::{AlertMessage, Cause};

/// How far back alerts are looked for.
const HORIZON: Micros = 31 * 86_400 * SECOND;
/// Alerts shown at the most.
pub const MAX_ALERTS: usize = 1_000;

/// Who acknowledged, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Acknowledgement {
    by: String,
    at: Micros,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertStatus {
    /// Open, and nobody has seen it.
    Open,
    /// Open, and somebody has it.
    Acknowledged,
    /// Over, but nobody has seen it: latched until somebody does.
    ClearedUnacknowledged,
    /// Over.
    Cleared,
}

/// An alert as people see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertView {
    /// Id.
    pub id: String,
    /// Device.
    pub device: String,
    /// Equipment model.
    pub equipment: String,
    /// Rule.
    pub rule: String,
    /// Worst so far.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlertStatus,
    /// When it opened.
    pub opened_at: String,
    /// When it cleared.
    pub cleared_at: Option<String>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<String>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// Score at the last transition.
    pub score: f64,
    /// Highest score known.
    pub peak: f64,
    /// Causes, largest first.
    pub causes: Vec<Cause>,
    /// What to do first.
    pub advice: String,
    /// Scorer.
    pub scorer: String,
    /// Baseline.
    pub baseline: String,
}

/// The alerts in storage; cheap to clone.
#[derive(Clone)]
pub struct AlertStore {
    journal: Journal,
}

impl std::fmt::Debug for AlertStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("AlertStore").finish_non_exhaustive()
    }
}

impl AlertStore {
    /// Alerts of a store.
    pub fn new(store: Store) -> Self {
        Self { journal: Journal::new(store, "alerts/v=1") }
    }

    /// Records a transition; `AlreadyThere` says that it came before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record(&self, message: &AlertMessage) -> Result<Created, StoreError> {
        let key = message.key();
        let step = key.rsplit('/').next().unwrap_or("1-raised");
        self.journal.step(message.opened_at, &message.id, step, message).await
    }

    /// Notes that the transition was pushed, so that a redelivered queue message is not pushed twice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_notified(&self, message: &AlertMessage) -> Result<Created, StoreError> {
        let step = format!("notified-{}", message.key().rsplit('/').next().unwrap_or_default());
        self.journal.step(message.opened_at, &message.id, &step, &message.summary()).await
    }

    /// Whether the transition was pushed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn was_notified(&self, message: &AlertMessage) -> Result<bool, StoreError> {
        let step = format!("notified-{}", message.key().rsplit('/').next().unwrap_or_default());
        let day = self.journal.cases(message.opened_at, message.opened_at, usize::MAX).await?;
        Ok(day.iter().any(|case| case.id == message.id && case.get::<String>(&step).is_some()))
    }

    /// Alerts of the last month, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, now: Micros, open_only: bool, max: usize) -> Result<Vec<AlertView>, StoreError> {
        let cases = self.journal.cases(now - HORIZON, now, MAX_ALERTS).await?;
        let mut views: Vec<AlertView> = cases.iter().filter_map(view).collect();
        views.retain(|view| !open_only || view.state != AlertStatus::Cleared);
        views.sort_by(|a, b| b.opened_at.cmp(&a.opened_at));
        views.truncate(max);
        Ok(views)
    }

    /// Acknowledges an alert; doing it again changes nothing. `None` when there is no such alert.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn acknowledge(
        &self,
        id: &str,
        by: &str,
        now: Micros,
    ) -> Result<Option<AlertView>, StoreError> {
        let Some(raised) = self.raised(id, now).await? else { return Ok(None) };
        let by: String = by.chars().filter(|c| !c.is_control()).take(100).collect();
        self.journal.step(raised.opened_at, id, "4-acknowledged", &Acknowledgement { by, at: now }).await?;
        Ok(self.list(now, false, MAX_ALERTS).await?.into_iter().find(|view| view.id == id))
    }

    async fn raised(&self, id: &str, now: Micros) -> Result<Option<AlertMessage>, StoreError> {
        let cases = self.journal.cases(now - HORIZON, now, MAX_ALERTS).await?;
        Ok(cases.iter().find(|case| case.id == id).and_then(newest))
    }
}

/// The newest transition of a case: the steps may come in any order, since queues promise none.
fn newest(case: &Steps) -> Option<AlertMessage> {
    ["3-cleared", "2-escalated", "1-raised"].iter().find_map(|step| case.get(step))
}

fn view(case: &Steps) -> Option<AlertView> {
    let last = newest(case)?;
    let raised: AlertMessage = case.get("1-raised").unwrap_or_else(|| last.clone());
    let escalated: Option<AlertMessage> = case.get("2-escalated");
    let acknowledged: Option<Acknowledgement> = case.get("4-acknowledged");
    let cleared = last.transition == TransitionKind::Cleared;
    let state = match (cleared, &acknowledged) {
        (false, None) => AlertStatus::Open,
        (false, Some(_)) => AlertStatus::Acknowledged,
        (true, None) => AlertStatus::ClearedUnacknowledged,
        (true, Some(_)) => AlertStatus::Cleared,
    };
    let told = escalated.as_ref().unwrap_or(&raised);
    Some(AlertView {
        id: case.id.clone(),
        severity: last.severity.max(told.severity),
        state,
        opened_at: iso(raised.opened_at),
        cleared_at: cleared.then(|| iso(last.at)),
        acknowledged_at: acknowledged.as_ref().map(|a| iso(a.at)),
        acknowledged_by: acknowledged.map(|a| a.by),
        score: last.score,
        peak: last.peak,
        causes: told.causes.clone(),
        advice: told.advice.clone(),
        device: last.device,
        equipment: last.equipment,
        rule: last.rule,
        scorer: last.scorer,
        baseline: last.baseline,
    })
}
