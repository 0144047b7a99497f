//! Long work: `export`, `import`, `compact`, `erase` and `verify`.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_app::clock::now;
use twinwright_core::time::{Micros, SECOND, iso};
use twinwright_history::compact::{CompactOptions, Compactor};
use twinwright_history::erase::erase as erase_device;
use twinwright_history::import::{ImportOptions as Columns, ImportReport, import_csv, import_parquet};
use twinwright_history::segments::SegmentLog;
use twinwright_history::verify::{KnownGaps, verify as prove};
use twinwright_history::{StoreError, export as files};

use super::progress::{Progress, watched};
use super::query::told;
use crate::args::{Format, HistoryTarget, ImportOptions, Span};
use crate::output::{Output, table};
use crate::platform::erase_twin;

pub(super) async fn export(
    target: &HistoryTarget,
    span: &Span,
    out: &Path,
    format: Option<Format>,
    output: Output,
) -> anyhow::Result<()> {
    let by_name = out.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    let format = match (format, by_name.as_str()) {
        (Some(Format::Csv), _) | (None, "csv") => files::Format::Csv,
        (Some(Format::Ndjson), _) | (None, "ndjson" | "jsonl") => files::Format::JsonLines,
        (Some(Format::Parquet), _) | (None, "parquet") => files::Format::Parquet,
        _ => bail!("{} says no kind of file: name it with --format csv, ndjson or parquet", out.display()),
    };
    // Written beside, then renamed: half a file is never taken for a whole one.
    let half = out.with_extension(format!("half{}", std::process::id()));
    let file = File::create(&half).with_context(|| format!("cannot write {}", half.display()))?;
    let exported = files::export(&target.history()?, &span.query()?, format, &mut BufWriter::new(file)).await;
    let report = match exported {
        Ok(report) => report,
        Err(error) => {
            let _best_effort = fs::remove_file(&half);
            return Err(error.into());
        }
    };
    fs::rename(&half, out).with_context(|| format!("cannot write {}", out.display()))?;
    let value = json!({ "rows": report.rows, "file": out });
    output.result(&value, || format!("{} rows written to {}", report.rows, out.display()));
    told(&report)
}

pub(super) async fn import(options: &ImportOptions, output: Output) -> anyhow::Result<()> {
    let store = options.target.store()?;
    let log = SegmentLog::new(store, options.target.hub.as_str());
    let columns =
        Columns { time: options.time.clone(), device: options.device.clone(), typed_names: options.tsi };
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for path in &options.paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files_below(path, &name, &mut found)?;
    }
    anyhow::ensure!(!found.is_empty(), "there are no CSV or Parquet files in what was named");
    found.sort();
    let mut progress = Progress::new(output, "rows read");
    let mut sum = ImportReport::default();
    let mut failed = Vec::new();
    for (name, path) in &found {
        let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let imported = if is_csv {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            import_csv(&log, name, BufReader::new(file), &columns).await
        } else {
            import_parquet(&log, name, path, &columns).await
        };
        match imported {
            Ok(report) => {
                progress.add(usize::try_from(report.rows).unwrap_or(0));
                sum.rows += report.rows;
                sum.refused += report.refused;
                sum.segments += report.segments;
                sum.known += report.known;
                for (line, reason) in &report.reasons {
                    eprintln!("{}: row {line} is left out: {reason}", path.display());
                }
            }
            // One damaged file does not hold up a thousand whole ones.
            Err(error @ (StoreError::Corrupt { .. } | StoreError::Invalid { .. })) => {
                eprintln!("{} is left out: {error}", path.display());
                failed.push(path.display().to_string());
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    let value = json!({ "files": found.len() - failed.len(), "failed": failed, "rows": sum.rows, "refused": sum.refused,
        "segments": sum.segments, "knownSegments": sum.known });
    output.result(&value, || {
        format!(
            "{} rows of {} files are in history ({} segments new, {} known), {} rows were refused; next: twinwright \
             history compact",
            sum.rows,
            found.len() - failed.len(),
            sum.segments,
            sum.known,
            sum.refused
        )
    });
    anyhow::ensure!(failed.is_empty(), "{} files were left out; see above", failed.len());
    Ok(())
}

/// Files with the names by which they are known again: the path from what was named.
fn files_below(path: &Path, name: &str, found: &mut Vec<(String, PathBuf)>) -> anyhow::Result<()> {
    if !path.is_dir() {
        found.push((name.to_owned(), path.to_owned()));
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let is_data = [".parquet", ".csv"].iter().any(|end| file.to_lowercase().ends_with(end));
        // A link could lead anywhere, in circles too.
        let kind = entry.file_type()?;
        if kind.is_dir() || (kind.is_file() && is_data) {
            files_below(&entry.path(), &format!("{name}/{file}"), found)?;
        }
    }
    Ok(())
}

pub(super) async fn compact(
    target: &HistoryTarget,
    all: bool,
    keep_days: Option<u32>,
    output: Output,
) -> anyhow::Result<()> {
    // What the timer function keeps, with the default of retrain.window_hours.
    let keep_segments = 8 * 86_400 * SECOND;
    let mut options = CompactOptions { keep_days, keep_segments, ..CompactOptions::new(now()) };
    if all {
        options.min_age = 0;
    }
    let compactor = Compactor::new(target.store()?, target.hub.as_str());
    let report = watched(&options.progress, output, compactor.run(&options)).await?;
    let damaged: Vec<_> = report.damaged.iter().map(|damage| json!(damage)).collect();
    let value = json!({ "manifest": report.manifest, "segments": report.segments, "rows": report.rows, "days": report.days,
        "files": report.files, "bytes": report.bytes, "damaged": damaged, "deletedSegments": report.deleted_segments,
        "deletedFiles": report.deleted_files, "expiredDays": report.expired_days });
    output.result(&value, || match report.manifest {
        None => "there is nothing to do".to_owned(),
        Some(manifest) => format!(
            "{} segments are history now: {} rows of {} days in {} files ({} bytes), manifest {manifest}",
            report.segments, report.rows, report.days, report.files, report.bytes
        ),
    });
    for damage in &report.damaged {
        eprintln!("damaged and left where it is: {}: {}", damage.path, damage.cause);
    }
    anyhow::ensure!(report.damaged.is_empty(), "{} segments are damaged; see above", report.damaged.len());
    Ok(())
}

pub(super) async fn erase(
    target: &HistoryTarget,
    device: &str,
    before: Micros,
    yes: bool,
    output: Output,
) -> anyhow::Result<()> {
    if !yes {
        bail!("everything of {device} enqueued before {} goes for ever: say so with --yes", iso(before));
    }
    let options = CompactOptions::new(now());
    let store = target.store()?;
    let erased = erase_device(&store, &target.hub, device, before, &options);
    let report = watched(&options.progress, output, erased).await?;
    // A device and its twin have one name.
    let changes = erase_twin(&store, device, before).await?;
    let value = json!({ "device": device, "before": iso(before), "rows": report.rows, "files": report.files,
        "segments": report.segments, "deadLetters": report.dead_letters, "scores": report.scores, "twinChanges": changes });
    output.result(&value, || {
        format!(
            "{} rows and {changes} changes of {device} are erased; {} files, {} segments, {} batches of dead letters and {} \
             files of scores were written without them",
            report.rows, report.files, report.segments, report.dead_letters, report.scores
        )
    });
    Ok(())
}

pub(super) async fn verify(target: &HistoryTarget, output: Output) -> anyhow::Result<()> {
    let report = prove(&target.store()?, &target.hub, &KnownGaps::default()).await?;
    let ranges = |holes: &[twinwright_core::frame::SequenceRange]| -> Vec<String> {
        holes.iter().map(|hole| format!("{}-{}", hole.first, hole.last)).collect()
    };
    let sources: Vec<_> = report
        .sources
        .iter()
        .map(|(source, found)| {
            json!({ "partition": source.partition, "epoch": source.epoch, "first": found.bounds.map(|b| b.first),
                "last": found.bounds.map(|b| b.last), "rows": found.rows, "deadLetters": found.dead_letters,
                "erased": found.erased, "missing": ranges(&found.holes), "twice": found.double_count })
        })
        .collect();
    let value = json!({ "whole": report.is_whole(), "sources": sources, "damaged": report.damaged });
    output.result(&value, || {
        let line = |(source, found): (
            &twinwright_history::manifest::Source,
            &twinwright_history::verify::SourceReport,
        )| {
            let missing = ranges(&found.holes);
            vec![
                format!("{}/{}", source.partition, source.epoch),
                found.bounds.map_or_else(|| "-".to_owned(), |b| format!("{}-{}", b.first, b.last)),
                found.rows.to_string(),
                found.dead_letters.to_string(),
                found.erased.to_string(),
                if missing.is_empty() { "none".to_owned() } else { missing.join(" ") },
                found.double_count.to_string(),
            ]
        };
        let head = ["partition/epoch", "numbers", "with rows", "dead letters", "erased", "missing", "twice"];
        table(&head, &report.sources.iter().map(line).collect::<Vec<_>>())
    });
    for path in &report.damaged {
        eprintln!("damaged: {path}");
    }
    anyhow::ensure!(
        report.is_whole(),
        "history is not whole: numbers are missing, there twice, or in damaged files"
    );
    Ok(())
}
