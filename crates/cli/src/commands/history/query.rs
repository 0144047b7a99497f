//! `status`, `query` and `series`.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use twinwright_core::time::{Micros, SECOND, iso};
use twinwright_history::Rows;
use twinwright_history::dead_letter::DeadLetters;
use twinwright_history::reader::{HistoryReport, SeriesQuery};
use twinwright_history::segment::Kind;

use super::{chart, picture};
use crate::args::{HistoryTarget, Span};
use crate::output::{Output, clean, table};

/// Intervals of a chart where none is given: about this many.
const INTERVALS: i64 = 120;
/// Widths that people like.
const WIDTHS: [i64; 12] = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400, 604_800];

/// What `series` shows.
pub(super) struct Wanted {
    pub(super) device: String,
    pub(super) signal: String,
    pub(super) from: Micros,
    pub(super) to: Micros,
    pub(super) interval: Option<Micros>,
}

pub(super) async fn status(target: &HistoryTarget, output: Output) -> anyhow::Result<()> {
    let history = target.history()?;
    let (contents, manifest) = (history.contents().await?, history.manifest().await?);
    let letters = DeadLetters::new(target.store()?, target.hub.as_str()).list(None).await?;
    let files = || manifest.days.iter().flat_map(|day| &day.files);
    let (rows, bytes): (u64, u64) =
        (files().map(|file| file.rows).sum(), files().map(|file| file.bytes).sum());
    let values: u64 = manifest.days.iter().map(|day| day.values).sum();
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let per_value = if values == 0 { 0.0 } else { bytes as f64 / values as f64 };
    let bounds = contents.bounds.map(|(low, high)| (iso(low), iso(high)));
    let value = json!({
        "hub": target.hub, "manifest": manifest.number, "from": bounds.as_ref().map(|b| &b.0),
        "to": bounds.as_ref().map(|b| &b.1), "days": manifest.days.len(), "files": files().count(), "rows": rows,
        "bytes": bytes, "values": values, "bytesPerValue": per_value, "columns": manifest.columns.len(),
        "waitingSegments": contents.waiting, "waitingRows": contents.waiting_rows, "deadLetterBatches": letters.len(),
        "damaged": manifest.damaged, "published": (manifest.number > 0).then(|| iso(manifest.published)),
    });
    output.result(&value, || {
        let mut lines = vec![
            vec!["hub".to_owned(), target.hub.clone()],
            vec!["from".into(), bounds.as_ref().map_or("-".into(), |b| b.0.clone())],
            vec!["to".into(), bounds.as_ref().map_or("-".into(), |b| b.1.clone())],
            vec!["days".into(), manifest.days.len().to_string()],
            vec!["rows".into(), rows.to_string()],
            vec!["files".into(), format!("{} with {bytes} bytes, {per_value:.2} a value", files().count())],
            vec!["manifest".into(), format!("{} of {}", manifest.number, iso(manifest.published))],
            vec![
                "waiting".into(),
                format!("{} segments with {} rows", contents.waiting, contents.waiting_rows),
            ],
            vec!["dead letters".into(), format!("{} batches", letters.len())],
        ];
        lines.extend(
            manifest
                .damaged
                .iter()
                .map(|damage| vec!["DAMAGED".into(), format!("{}: {}", damage.path, damage.cause)]),
        );
        table(&["what", "value"], &lines)
    });
    Ok(())
}

pub(super) async fn rows(
    target: &HistoryTarget,
    span: &Span,
    limit: usize,
    output: Output,
) -> anyhow::Result<()> {
    let history = target.history()?;
    let mut found: Vec<Map<String, Value>> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let report = history
        .visit(&span.query()?, |rows| {
            for row in 0..rows.len() {
                if found.len() >= limit {
                    return ControlFlow::Break(());
                }
                found.push(object(&rows, row, &mut names));
            }
            ControlFlow::Continue(())
        })
        .await?;
    output.result(&found, || {
        let head: Vec<&str> =
            ["device", "time"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let cell = |value: Option<&Value>| match value {
            None => "-".to_owned(),
            Some(Value::String(text)) => clean(text),
            Some(value) => value.to_string(),
        };
        let line = |object: &Map<String, Value>| head.iter().map(|name| cell(object.get(*name))).collect();
        let mut text = table(&head, &found.iter().map(line).collect::<Vec<_>>());
        if found.len() >= limit {
            text +=
                &format!("\nthe first {limit} rows; more with --limit, all with: twinwright history export");
        }
        text
    });
    told(&report)
}

fn object(rows: &Rows, row: usize, names: &mut Vec<String>) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("device".into(), json!(**rows.device(row)));
    object.insert("time".into(), json!(iso(rows.times()[row])));
    for (kind, name) in rows.columns() {
        let value = match kind {
            Kind::Signal => {
                rows.signal(name).map(|values| values[row]).filter(|v| v.is_finite()).map(Value::from)
            }
            Kind::State => rows.state(name, row).map(Value::from),
        };
        if let Some(value) = value {
            if !names.iter().any(|known| **known == **name) {
                names.push(name.to_string());
            }
            object.insert(name.to_string(), value);
        }
    }
    object
}

/// What could not be read is told, and makes the command fail.
pub(super) fn told(report: &HistoryReport) -> anyhow::Result<()> {
    for path in &report.damaged {
        eprintln!("damaged and left out: {path}");
    }
    anyhow::ensure!(
        report.damaged.is_empty(),
        "{} files or segments are damaged; see above",
        report.damaged.len()
    );
    Ok(())
}

pub(super) async fn series(
    target: &HistoryTarget,
    wanted: Wanted,
    png: Option<&Path>,
    output: Output,
) -> anyhow::Result<()> {
    anyhow::ensure!(wanted.from < wanted.to, "--from must be before --to");
    let interval = wanted.interval.unwrap_or_else(|| {
        let least = (wanted.to - wanted.from) / INTERVALS / SECOND;
        WIDTHS.into_iter().find(|width| *width >= least).unwrap_or(604_800) * SECOND
    });
    let query = SeriesQuery {
        device: wanted.device.clone(),
        signal: wanted.signal.clone(),
        from: wanted.from,
        to: wanted.to,
        interval,
    };
    let series = target.history()?.series(&query).await?;
    let time = |at: usize| series.start + interval * i64::try_from(at).unwrap_or(0);
    let buckets: Vec<Value> = series
        .summaries
        .iter()
        .enumerate()
        .filter(|(_, summary)| summary.count > 0)
        .map(|(at, summary)| {
            json!({ "time": iso(time(at)), "count": summary.count, "mean": summary.mean(), "min": summary.min,
                "max": summary.max, "first": summary.first, "last": summary.last })
        })
        .collect();
    let value = json!({ "device": wanted.device, "signal": wanted.signal, "intervalSeconds": interval / SECOND,
        "buckets": buckets });
    if let Some(path) = png {
        let image = picture::png(&series.summaries);
        std::fs::write(path, image).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output.result(&value, || {
        if buckets.is_empty() {
            let (device, signal) = (&wanted.device, &wanted.signal);
            return format!("{device} has no {signal} then: see what there is with twinwright history query --device {device}");
        }
        let (first, last) = (iso(series.start), iso(time(series.summaries.len())));
        format!("{} of {}\n{}", clean(&wanted.signal), clean(&wanted.device), chart::chart(&series.summaries, &first, &last))
    });
    told(&series.report)
}
