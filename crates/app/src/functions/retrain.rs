//! `retrain`: baselines of every equipment model from stored history, read segment by segment within a budget of memory
//! ([`gather`]). Killed at any instant, it leaves the baseline in force as it was; the next run does the work.

use std::ops::ControlFlow;

use tracing::{info, warn};
use twinwright_core::frame::Frame;
use twinwright_core::policy::EquipmentPolicy;
use twinwright_core::time::{Micros, SECOND, iso, parse_iso};
use twinwright_history::StoreError;
use twinwright_history::segments::SegmentLog;

use self::gather::{Faulty, Gathering};
use crate::app::App;
use crate::kill;
use crate::train::{Promotion, PromotionError, fit_and_promote};
use crate::train::{periods, records};

/// Rows this long before an alert opened are left out too: the fault was there before it was seen.
const BEFORE_ALERT: Micros = 600 * SECOND;
const HOUR: Micros = 3_600 * SECOND;

/// What became of one equipment model.
pub type Retrained = Promotion;

/// Fits and promotes, model by model; a model that cannot be fitted is told, and does not hold up the others.
///
/// # Errors
/// History cannot be read.
pub async fn retrain_all(app: &App, now: Micros) -> Result<Vec<Retrained>, StoreError> {
    let from = now - i64::from(app.config.retrain.window_hours) * HOUR;
    let log = SegmentLog::new(app.store.clone(), app.config.hub.as_str());
    let faulty = faulty_times(app, now).await?;
    let mut gathering = Gathering::new(&app.config.equipment, &faulty);
    let take = |frame: Frame| {
        gathering.take(&frame);
        ControlFlow::Continue(())
    };
    log.visit_rows(from, now, None, take).await?;
    kill::point("retrain-read");
    let mut verdicts = Vec::new();
    for (model, mut readings) in gathering.finish() {
        let default = EquipmentPolicy::default();
        let policy = app.config.equipment.policy(&model).unwrap_or(&default);
        if readings.rows() < app.config.retrain.min_rows {
            let (rows, needed) = (readings.rows(), app.config.retrain.min_rows);
            let reason = format!("{rows} rows of normal operation, retrain.min_rows is {needed}");
            verdicts.push(Promotion { equipment: model, promoted: None, reason, rows });
            continue;
        }
        let until = records::pause(&records::all(&app.store, &model).await?);
        if let Some(until) = until.filter(|until| *until > now) {
            let rows = readings.rows();
            let reason = format!("refused lately; it is tried again after {}", iso(until));
            verdicts.push(Promotion { equipment: model, promoted: None, reason, rows });
            continue;
        }
        let settings = &policy.settings;
        match fit_and_promote(&app.store, &model, &mut readings, settings, now).await {
            Ok(promotion) => verdicts.push(promotion),
            Err(PromotionError::Store(error)) => return Err(error),
            Err(error) => {
                let (rows, reason) = (readings.rows(), error.to_string());
                verdicts.push(Promotion { equipment: model, promoted: None, reason, rows });
            }
        }
    }
    for verdict in &verdicts {
        match verdict.promoted {
            Some(_) => info!("{verdict}"),
            None => warn!("{verdict}"),
        }
    }
    Ok(verdicts)
}

/// Times in which a device had an alert, was in maintenance, or was labelled by people: a failing machine must not teach
/// that failing is normal.
async fn faulty_times(app: &App, now: Micros) -> Result<Faulty, StoreError> {
    let mut times = Faulty::new();
    for alert in app.alerts.list(now, false, usize::MAX).await? {
        let Some(opened) = parse_iso(&alert.opened_at) else { continue };
        let cleared = alert.cleared_at.as_deref().and_then(parse_iso).unwrap_or(Micros::MAX);
        times.entry(alert.device).or_default().push((opened - BEFORE_ALERT, cleared));
    }
    for (_, period) in periods::all(&app.store).await? {
        if let Some(bounds) = period.bounds() {
            times.entry(period.device).or_default().push(bounds);
        }
    }
    Ok(times)
}

mod gather;
#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod tests;
