//! `retrain`: baselines of every equipment model from stored history.

use std::collections::{BTreeMap, HashMap};

use tracing::{info, warn};
use twinwright_core::frame::Frame;
use twinwright_core::policy::EquipmentPolicy;
use twinwright_core::time::{Micros, SECOND, iso, parse_iso};
use twinwright_history::StoreError;
use twinwright_history::segments::SegmentLog;

use crate::app::App;
use crate::train::{DeviceNumbers, Promotion, PromotionError, Readings, fit_and_promote};
use crate::train::{periods, records};

/// Rows this long before an alert opened are left out too: the fault was there before it was seen.
const BEFORE_ALERT: Micros = 600 * SECOND;
/// A signal with values in less than this share of the rows is left out.
const COVERAGE: f64 = 0.5;
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
    let frames = log.read_rows(from, now, None).await?;
    let faulty = faulty_times(app, now).await?;
    let mut verdicts = Vec::new();
    for (model, frames) in by_model(app, &frames) {
        let default = EquipmentPolicy::default();
        let policy = app.config.equipment.policy(&model).unwrap_or(&default);
        let mut readings = readings(app, &model, policy, &frames, &faulty);
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
async fn faulty_times(app: &App, now: Micros) -> Result<HashMap<String, Vec<(Micros, Micros)>>, StoreError> {
    let mut times: HashMap<String, Vec<(Micros, Micros)>> = HashMap::new();
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

fn by_model<'a>(app: &App, frames: &'a [Frame]) -> BTreeMap<String, Vec<&'a Frame>> {
    let mut models: BTreeMap<String, Vec<&Frame>> = BTreeMap::new();
    for frame in frames {
        let mut names: Vec<&str> = frame.devices.iter().map(|d| app.config.equipment.model_of(d)).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            models.entry(name.to_owned()).or_default().push(frame);
        }
    }
    models
}

fn readings(
    app: &App,
    model: &str,
    policy: &EquipmentPolicy,
    frames: &[&Frame],
    faulty: &HashMap<String, Vec<(Micros, Micros)>>,
) -> Readings {
    let of_model = |frame: &Frame| -> Vec<bool> {
        frame.devices.iter().map(|device| app.config.equipment.model_of(device) == model).collect()
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut total = 0;
    for frame in frames {
        let ours = of_model(frame);
        let rows: Vec<usize> = (0..frame.rows()).filter(|&row| ours[frame.device[row] as usize]).collect();
        total += rows.len();
        for column in &frame.signals {
            let values = rows.iter().filter(|&&row| !column.values[row].is_nan()).count();
            *counts.entry(&column.name).or_default() += values;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of a count of rows")]
    let covered = |count: usize| total > 0 && count as f64 >= COVERAGE * total as f64;
    let kept =
        counts.iter().filter(|(name, count)| covered(**count) && !policy.ignore.iter().any(|i| i == **name));
    let mut readings =
        Readings { signals: kept.map(|(name, _)| (*name).to_owned()).collect(), ..Readings::default() };
    let mut numbers = DeviceNumbers::default();
    for frame in frames {
        let ours = of_model(frame);
        let columns: HashMap<&str, _> = frame.signals.iter().map(|column| (&*column.name, column)).collect();
        for row in (0..frame.rows()).filter(|&row| ours[frame.device[row] as usize]) {
            let (device, time) = (frame.device_id(row), frame.time[row]);
            let bad = faulty
                .get(&**device)
                .is_some_and(|times| times.iter().any(|(a, b)| (*a..=*b).contains(&time)));
            if bad || frame.row_flags.get(row).is_some_and(|flags| *flags != 0) {
                continue;
            }
            let number = numbers.of(device);
            readings.push(number, time, |name| {
                let column = columns.get(name)?;
                (column.flags.get(row).is_none_or(|flags| *flags == 0)).then_some(column.values[row])
            });
        }
    }
    readings
}

#[cfg(test)]
mod tests;
