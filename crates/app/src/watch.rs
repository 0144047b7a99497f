//! The `watch` timer: devices gone silent, twins that lag behind history, commands that wait.
//!
//! It works from storage alone, since the functions may run in processes of their own.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use serde_json::json;
use tracing::{info, warn};
use twinwright_core::alert::{Severity, Subject, TransitionKind, case_id};
use twinwright_core::patch::TwinUpdate;
use twinwright_core::policy::EquipmentPolicy;
use twinwright_core::time::{Micros, SECOND, iso};
use twinwright_history::StoreError;
use twinwright_history::segments::SegmentLog;

use crate::app::App;
use crate::documents::alerts::AlertStatus;
use crate::documents::commands::CommandStatus;
use crate::messages::{AlertMessage, Outputs};
use crate::partition::apply::twin_update;
use crate::partition::state::PartitionState;
use crate::ports::TwinAnswer;

/// The rule of devices that send nothing.
pub const SILENT: &str = "silent";
/// How long a twin may lag before `watch` looks into it: `ingest` itself needs some seconds.
const LAG: Micros = 60 * SECOND;
/// How far back devices are looked for.
const HORIZON: Micros = 7 * 86_400 * SECOND;

/// What `watch` remembers from one run to the next: which partitions there are.
#[derive(Debug, Default)]
pub struct Watched {
    partitions: BTreeSet<u32>,
    until: Option<Micros>,
}

/// What a run needs to know of a device.
struct Seen {
    id: Arc<str>,
    model: Arc<str>,
    epoch: u32,
    updated: i64,
    enqueued: Micros,
    /// Its newest values, where its twin may lag behind them.
    settled: Option<TwinUpdate>,
}

/// One run.
///
/// # Errors
/// Storage failed; the next run sees the same.
pub async fn watch(app: &App, now: Micros) -> Result<Outputs, StoreError> {
    let mut outputs = Outputs::default();
    let open = app.alerts.list(now, true, usize::MAX).await?;
    let mut open: HashMap<&str, &str> = open
        .iter()
        .filter(|alert| alert.rule == SILENT && alert.state != AlertStatus::ClearedUnacknowledged)
        .map(|alert| (alert.device.as_str(), alert.id.as_str()))
        .collect();
    for partition in partitions(app, now).await? {
        let seen = match app.ingest.look(partition, now, |state| survey(state, partition, now)).await {
            Ok(seen) => seen,
            Err(error) => {
                warn!(partition, %error, "partition cannot be watched");
                continue;
            }
        };
        for device in seen {
            let before = open.remove(&*device.id);
            outputs.alerts.extend(silence(app, &device, partition, before, now));
            reconcile(app, device, now).await;
        }
    }
    commands(app, now).await?;
    for alert in &outputs.alerts {
        info!(alert = alert.id, device = alert.device, "{}", alert.summary());
        mark_silent(app, alert).await;
    }
    Ok(outputs)
}

/// Partitions with events within the horizon; after the first run only new segments are listed.
async fn partitions(app: &App, now: Micros) -> Result<BTreeSet<u32>, StoreError> {
    let from = app.watched.lock().unwrap_or_else(PoisonError::into_inner).until.unwrap_or(now - HORIZON);
    let log = SegmentLog::new(app.store.clone(), &app.config.hub);
    let names = log.range(from, Micros::MAX).await?;
    let mut watched = app.watched.lock().unwrap_or_else(PoisonError::into_inner);
    watched.partitions.extend(names.iter().map(|name| name.partition));
    watched.until = Some(now);
    Ok(watched.partitions.clone())
}

fn survey(state: &PartitionState, partition: u32, now: Micros) -> Vec<Seen> {
    let recent = state.devices.iter().filter(|device| now - device.enqueued < HORIZON);
    recent
        .filter_map(|device| {
            // Devices that still send are `ingest`'s; long-settled ones were looked at when they settled.
            let settled = (LAG..=10 * LAG).contains(&(now - device.enqueued));
            Some(Seen {
                id: Arc::clone(&device.id),
                model: Arc::clone(&state.models.get(device.model as usize)?.name),
                epoch: state.epoch(),
                updated: device.updated,
                enqueued: device.enqueued,
                settled: (settled && device.memory.newest.is_some())
                    .then(|| twin_update(state, device, partition)),
            })
        })
        .collect()
}

/// Raises or clears the silence of a device. The id follows from the last event before the silence, and a recorded
/// alert is not raised again.
fn silence(
    app: &App,
    device: &Seen,
    partition: u32,
    open: Option<&str>,
    now: Micros,
) -> Option<AlertMessage> {
    let default = EquipmentPolicy::default();
    let policy = app.config.equipment.policy(&device.model).unwrap_or(&default);
    let patience = i64::from(policy.silent_after_seconds) * SECOND;
    let silent = patience > 0 && now - device.enqueued > patience;
    let subject = Subject { hub: &app.config.hub, epoch: device.epoch, device: &device.id, rule: SILENT };
    let id = case_id(&subject, device.updated);
    let (transition, id) = match (silent, open) {
        (true, None) => (TransitionKind::Raised, id),
        (false, Some(open)) => (TransitionKind::Cleared, open.to_owned()),
        _ => return None,
    };
    Some(AlertMessage {
        id,
        device: device.id.to_string(),
        twin: device.id.to_string(),
        equipment: device.model.to_string(),
        rule: SILENT.to_owned(),
        transition,
        severity: Severity::Warning,
        at: now,
        opened_at: if transition == TransitionKind::Raised { now } else { device.enqueued },
        partition,
        sequence: device.updated,
        score: 0.0,
        peak: 0.0,
        causes: Vec::new(),
        advice: format!(
            "No telemetry since {}: check power, network and the device's clock.",
            iso(device.enqueued)
        ),
        scorer: String::new(),
        baseline: String::new(),
    })
}

/// A silent machine's twin says so; its next telemetry overwrites it.
async fn mark_silent(app: &App, alert: &AlertMessage) {
    let (Some(twins), TransitionKind::Raised) = (&app.twin_port, alert.transition) else { return };
    if let TwinAnswer::Done(version) = twins.version(&alert.twin).await {
        let patch = json!([{ "op": "add", "path": "/health/status", "value": "silent" }]);
        let answer = twins.patch(&alert.twin, patch.to_string(), &version.etag).await;
        if !matches!(answer, TwinAnswer::Done(_)) {
            warn!(device = alert.device, ?answer, "silence is an alert, but not on the twin");
        }
    }
}

/// Sends the newest of a twin that shows something older than history does.
async fn reconcile(app: &App, device: Seen, now: Micros) {
    let (Some(twins), Some(patcher), Some(update)) = (&app.twin_port, &app.patcher, device.settled) else {
        return;
    };
    if let TwinAnswer::Done(version) = twins.version(&device.id).await
        && version.observed_at.is_none_or(|shown| shown < update.observed_at)
    {
        info!(twin = &*device.id, "the twin lags behind history; sending its newest values");
        patcher.offer([update], now);
    }
}

/// Goes on with commands that were approved but not answered, and ends those that expired.
async fn commands(app: &App, now: Micros) -> Result<(), StoreError> {
    for view in app.commands.list(now).await? {
        let waits = match view.state {
            CommandStatus::Approved | CommandStatus::Expired => true,
            // Whoever sent it may still be waiting for the device's answer.
            CommandStatus::Sent => !view.awaits_answer(now),
            _ => false,
        };
        if waits && view.outcome.is_none() {
            app.responder().proceed(&view, now).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
