//! `retrain`: baselines of every equipment model, and of assets with history enough, from stored history, read segment by segment within a budget of memory
//! ([`gather`]). Killed at any instant, it leaves the baseline in force as it was; the next run does the work.

use std::ops::ControlFlow;

use tracing::{info, warn};
use twinwright_core::frame::Frame;
use twinwright_core::policy::EquipmentPolicy;
use twinwright_core::time::{Micros, SECOND, iso, parse_iso};
use twinwright_history::StoreError;
use twinwright_history::segments::SegmentLog;

use self::gather::{Faulty, Gathering, Label};
use crate::app::App;
use crate::kill;
use crate::scorers::assets;
use crate::train::periods::{self, PeriodKind};
use crate::train::records;
use crate::train::{Declared, Promotion, PromotionError, Readings, fit_and_promote};

/// Rows this long before an alert opened are left out too: the fault was there before it was seen.
const BEFORE_ALERT: Micros = 600 * SECOND;
const HOUR: Micros = 3_600 * SECOND;

/// What became of one equipment model.
pub type Retrained = Promotion;

/// Fits and promotes, model by model, and within a model asset by asset where there are rows enough; what cannot be fitted
/// is told, and does not hold up the others.
///
/// # Errors
/// History cannot be read.
pub async fn retrain_all(app: &App, now: Micros) -> Result<Vec<Retrained>, StoreError> {
    let from = now - i64::from(app.config.retrain.window_hours) * HOUR;
    let log = SegmentLog::new(app.store.clone(), app.config.hub.as_str());
    let (faulty, labels) = faulty_times(app, now).await?;
    let mut gathering = Gathering::new(&app.config.equipment, &faulty, labels);
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
        let declared = Declared { settings: &policy.settings, scorer: Some(&policy.scorer) };
        let asset_min_rows = app.config.retrain.asset_min_rows;
        let assets = if asset_min_rows > 0 { readings.assets(asset_min_rows) } else { Vec::new() };
        verdicts.push(retrain(app, &model, &mut readings, declared, now).await?);
        // A model of one device is that device's already.
        let one_of_many = readings.devices.len() > 1;
        for (device, _) in assets.into_iter().filter(|_| one_of_many).take(app.config.retrain.max_assets) {
            let Some(key) = assets::key(&model, &readings.devices[device as usize]) else { continue };
            kill::point("retrain-asset");
            verdicts.push(retrain(app, &key, &mut readings.of_device(device), declared, now).await?);
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

/// Fits and promotes one model or asset.
async fn retrain(
    app: &App,
    name: &str,
    readings: &mut Readings,
    declared: Declared<'_>,
    now: Micros,
) -> Result<Promotion, StoreError> {
    let rows = readings.rows();
    let refused = |reason: String| Promotion { equipment: name.to_owned(), promoted: None, reason, rows };
    if rows < app.config.retrain.min_rows {
        let needed = app.config.retrain.min_rows;
        return Ok(refused(format!("{rows} rows of normal operation, retrain.min_rows is {needed}")));
    }
    let until = records::pause(&records::all(&app.store, name).await?);
    if let Some(until) = until.filter(|until| *until > now) {
        return Ok(refused(format!("refused lately; it is tried again after {}", iso(until))));
    }
    match fit_and_promote(&app.store, name, readings, declared, now).await {
        Ok(promotion) => Ok(promotion),
        Err(PromotionError::Store(error)) => Err(error),
        Err(error) => Ok(refused(error.to_string())),
    }
}

/// Times in which a device had an alert, was in maintenance, or was labelled by people: a failing machine must not teach
/// that failing is normal. The labels once more by themselves: what people say was wrong, a candidate has to find.
async fn faulty_times(app: &App, now: Micros) -> Result<(Faulty, Vec<Label>), StoreError> {
    let (mut times, mut labels) = (Faulty::new(), Vec::new());
    for alert in app.alerts.list(now, false, usize::MAX).await? {
        let Some(opened) = parse_iso(&alert.opened_at) else { continue };
        let cleared = alert.cleared_at.as_deref().and_then(parse_iso).unwrap_or(Micros::MAX);
        times.entry(alert.device).or_default().push((opened - BEFORE_ALERT, cleared));
    }
    for (_, period) in periods::all(&app.store).await? {
        let Some((from, to)) = period.bounds() else { continue };
        if period.kind == PeriodKind::Label {
            labels.push(Label { device: period.device.clone(), from, to });
        }
        times.entry(period.device).or_default().push((from, to));
    }
    Ok((times, labels))
}

mod gather;
#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod tests;
