//! `api/trend`: a machine's signals and score over the last minutes, thinned to what a screen can show.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use twinwright_core::time::{Micros, SECOND, iso};
use twinwright_history::segments::SegmentLog;

use super::api::{Answer, ApiError};
use crate::app::App;
use crate::clock::now;

#[derive(Deserialize)]
pub(super) struct TrendQuery {
    device: String,
    minutes: Option<u32>,
    points: Option<usize>,
}

/// Longest span, in minutes: one day.
const MAX_MINUTES: u32 = 1_440;
/// Most points.
const MAX_POINTS: usize = 5_000;

/// Reads stored history; every point is the row nearest to it in time, so that no peak of the score is lost the
/// highest score of the bucket is shown.
pub(super) async fn trend(State(app): State<Arc<App>>, Query(query): Query<TrendQuery>) -> Answer {
    if query.device.is_empty() || query.device.len() > 256 {
        return Err(ApiError(StatusCode::BAD_REQUEST, "device: needs a device id".to_owned()));
    }
    let minutes = query.minutes.unwrap_or(15).clamp(1, MAX_MINUTES);
    let points = query.points.unwrap_or(600).clamp(10, MAX_POINTS);
    let to = now();
    let from = to - i64::from(minutes) * 60 * SECOND;
    let log = SegmentLog::new(app.store.clone(), &app.config.hub);
    let frames = log.read_rows(from, to, Some(&[query.device.as_str()])).await?;
    let scores = app.scores.log().read(Some(&query.device), from, to).await?;
    let width = ((to - from) / i64::try_from(points).unwrap_or(1)).max(1);
    let bucket = |time: Micros| (time - from) / width;
    let mut times: BTreeMap<i64, Micros> = BTreeMap::new();
    let mut signals: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
    for frame in &frames {
        for row in 0..frame.rows() {
            let at = bucket(frame.time[row]);
            times.insert(at, frame.time[row]);
            for column in frame.signals.iter().filter(|column| !column.values[row].is_nan()) {
                let known = signals.entry(column.name.to_string()).or_default();
                known.insert(at, column.values[row]);
            }
        }
    }
    let mut score: BTreeMap<i64, f64> = BTreeMap::new();
    for (&time, &value) in scores.time.iter().zip(&scores.score).filter(|(_, value)| value.is_finite()) {
        let highest = score.entry(bucket(time)).or_insert(0.0);
        *highest = highest.max(value);
    }
    let series = |values: &BTreeMap<i64, f64>| -> Vec<Option<f64>> {
        times.keys().map(|at| values.get(at).copied()).collect()
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 with microseconds fit a double")]
    let seconds: Vec<f64> = times.values().map(|&time| time as f64 / 1e6).collect();
    let signals: BTreeMap<&String, Vec<Option<f64>>> =
        signals.iter().map(|(name, values)| (name, series(values))).collect();
    Ok(Json(json!({
        "device": query.device,
        "from": iso(from),
        "to": iso(to),
        "t": seconds,
        "signals": signals,
        "score": series(&score),
        "limit": 1.0,
    })))
}
