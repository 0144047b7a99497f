//! `train list|show|diff|promote|rollback|explain`: training runs and the baselines they gave.

mod report;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use twinwright_app::catalog::baselines;
use twinwright_app::clock::now;
use twinwright_app::scorers::assets;
use twinwright_app::scorers::document::Document;
use twinwright_app::train::records::{self, TrainingRun};
use twinwright_core::policy::AlertPolicy;
use twinwright_core::time::{SECOND, iso};
use twinwright_history::scores::{ScoreLog, ScoreRows};
use twinwright_history::store::{Created, Store};
use twinwright_kernels::Baseline;
use twinwright_training::suites::Table;

use self::report::Report;
use crate::args::{DataOption, ModelOption, NumberOption, TrainCommand};
use crate::connection::Connection;
use crate::output::{Output, clean, table};

/// Runs a subcommand of `train`.
///
/// # Errors
/// There is no such baseline or run, it cannot be used, or storage cannot be reached.
pub(super) async fn run(command: TrainCommand, output: Output) -> anyhow::Result<()> {
    match command {
        TrainCommand::Run(data) => super::train::run_on_history(&data, output).await,
        TrainCommand::List(model) => list(&model, output).await,
        TrainCommand::Show(of) => {
            let (number, baseline) = load(&of).await?;
            output.result(&baseline, || describe(number, &baseline));
            Ok(())
        }
        TrainCommand::Diff { number, with } => diff(number, with, output).await,
        TrainCommand::Promote { model, file } => {
            let json = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let document = Document::read(&json).with_context(|| format!("{} is refused", file.display()))?;
            promote(&model.data, &model.model, document, &format!("from {}", file.display()), output).await
        }
        TrainCommand::Rollback(of) => {
            if of.number.is_none() {
                bail!("which baseline? give --number N; `train list {}` shows them", of.model);
            }
            let (number, json) = stored(&of).await?;
            let why = format!("rolled back to number {number}");
            promote(&of.data, &of.model, Document::read(&json)?, &why, output).await
        }
        TrainCommand::Life(options) => super::life::life(&options, output),
        TrainCommand::Explain { model, run, html } => explain(&model, run, html.as_deref(), output).await,
    }
}

fn store(data: &DataOption) -> anyhow::Result<Store> {
    Ok(Store::from_url(&Connection::load(&data.data)?.storage_url)?)
}

async fn load(of: &NumberOption) -> anyhow::Result<(u64, Baseline)> {
    let (number, json) = stored(of).await?;
    match Document::read(&json)? {
        Document::Baseline(baseline) => Ok((number, Arc::unwrap_or_clone(baseline))),
        Document::Life(life) => bail!(
            "{} is a model of remaining life: {} features of {} signals, limit {} of at most {} {:?}; its document \
             is number {number}",
            life.id,
            life.features(),
            life.signals.len(),
            life.limit,
            life.cap,
            life.unit
        ),
    }
}

async fn stored(of: &NumberOption) -> anyhow::Result<(u64, Bytes)> {
    let documents = baselines(&store(&of.data)?, &of.model);
    let found = match of.number {
        Some(number) => documents.read(number).await?.map(|json| (number, json)),
        None => documents.latest().await?,
    };
    found.with_context(|| {
        format!("{} has no such baseline; `train list {}` shows what there is", of.model, of.model)
    })
}

/// Puts a document in force under the next number. Its id follows from the number, so it is written anew.
async fn promote(
    data: &DataOption,
    model: &str,
    document: Document,
    why: &str,
    output: Output,
) -> anyhow::Result<()> {
    let store = store(data)?;
    let documents = baselines(&store, model);
    let number = documents.highest_number().await?.map_or(1, |highest| highest + 1);
    let note = format!("{why} (was {})", document.id());
    let (json, data_hash) = match document {
        Document::Baseline(baseline) => {
            let mut baseline = Arc::unwrap_or_clone(baseline);
            (baseline.note, baseline.id) = (note, format!("{model}/{number}"));
            model.clone_into(&mut baseline.equipment);
            (baseline.to_json()?, baseline.data_hash)
        }
        Document::Life(life) => {
            let mut life = Arc::unwrap_or_clone(life);
            (life.note, life.id) = (note, format!("{model}/{number}"));
            model.clone_into(&mut life.equipment);
            (life.to_json()?, life.data_hash)
        }
    };
    let json = Bytes::from(json);
    if documents.create(number, json.clone()).await? == Created::AlreadyThere {
        bail!(
            "another run promoted a baseline meanwhile; look at it with `train list {model}`, then try again"
        );
    }
    records::keep_card(&store, model, number, &json).await?;
    let run = TrainingRun {
        at: iso(now()),
        equipment: model.to_owned(),
        promoted: Some(number),
        reason: format!("promoted by hand, {why}"),
        data_hash,
        code: env!("CARGO_PKG_VERSION").to_owned(),
        ..TrainingRun::default()
    };
    records::record(&store, &run).await?;
    output.result(&run, || format!("{model}: baseline {number} is in force, {why}"));
    Ok(())
}

async fn list(model: &ModelOption, output: Output) -> anyhow::Result<()> {
    let store = store(&model.data)?;
    let runs = records::all(&store, &model.model).await?;
    let numbers = baselines(&store, &model.model).list().await?;
    output.result(&serde_json::json!({ "baselines": numbers, "runs": runs }), || {
        let row = |(number, run): &(u64, TrainingRun)| {
            let promoted =
                run.promoted.map_or_else(|| "refused".to_owned(), |number| format!("baseline {number}"));
            vec![number.to_string(), run.at.clone(), promoted, run.rows.to_string(), clean(&run.reason)]
        };
        let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
        let force = numbers
            .last()
            .map_or_else(|| "no baseline".to_owned(), |last| format!("baseline {last} is in force"));
        format!("{}: {force}\n{}", model.model, table(&["run", "at", "outcome", "rows", "why"], &rows))
    });
    Ok(())
}

fn describe(number: u64, baseline: &Baseline) -> String {
    let mut lines = vec![
        format!("baseline {number} ({}), made {}", clean(&baseline.id), clean(&baseline.created)),
        format!("{} rows, {} to {}", baseline.window.rows, baseline.window.from, baseline.window.to),
        format!("signals {}; {} regimes", clean(&baseline.signals.join(", ")), baseline.regimes.len()),
    ];
    lines.extend(baseline.limits.iter().map(|(scorer, limit)| format!("limit of {scorer}: {limit:.4}")));
    lines.extend(baseline.metrics.iter().map(|(name, figure)| format!("{name}: {figure:.4}")));
    lines.join("\n")
}

async fn diff(of: NumberOption, with: u64, output: Output) -> anyhow::Result<()> {
    let (left, one) = load(&of).await?;
    let (right, other) = load(&NumberOption { number: Some(with), ..of }).await?;
    let mut rows = Vec::new();
    let mut put = |what: String, left: String, right: String| {
        if left != right {
            rows.push(vec![what, left, right]);
        }
    };
    put("signals".to_owned(), one.signals.join(", "), other.signals.join(", "));
    put("regimes".to_owned(), one.regimes.len().to_string(), other.regimes.len().to_string());
    put("rows".to_owned(), one.window.rows.to_string(), other.window.rows.to_string());
    let number =
        |figure: Option<&f64>| figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.4}"));
    for scorer in one.limits.keys().chain(other.limits.keys()).collect::<std::collections::BTreeSet<_>>() {
        put(format!("limit of {scorer}"), number(one.limits.get(scorer)), number(other.limits.get(scorer)));
    }
    for (at, (before, after)) in one.regimes.iter().zip(&other.regimes).enumerate() {
        for (signal, name) in one.signals.iter().enumerate().filter(|(_, _)| one.signals == other.signals) {
            let show = |regime: &twinwright_kernels::baseline::Regime| {
                format!("{:.4} ± {:.4}", regime.mean[signal], regime.deviation[signal])
            };
            put(format!("{name}, regime {at}"), show(before), show(after));
        }
    }
    let head = ["what".to_owned(), format!("number {left}"), format!("number {right}")];
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    output.result(&rows, || if rows.is_empty() { "they are alike".to_owned() } else { table(&head, &rows) });
    Ok(())
}

async fn explain(
    model: &ModelOption,
    number: Option<u64>,
    html: Option<&std::path::Path>,
    output: Output,
) -> anyhow::Result<()> {
    let store = store(&model.data)?;
    let runs = records::all(&store, &model.model).await?;
    let found = match number {
        Some(number) => runs.iter().find(|(of, _)| *of == number),
        None => runs.last(),
    };
    let (number, run) = found
        .with_context(|| format!("{} has no such training run; `train list` shows them", model.model))?;
    let outcome =
        run.promoted.map_or_else(|| "refused".to_owned(), |number| format!("baseline {number} promoted"));
    let mut lines = vec![
        format!("run {number} of {} at {}: {outcome}", model.model, run.at),
        format!("why: {}", clean(&run.reason)),
        format!("{} rows, data {}", run.rows, if run.data_hash.is_empty() { "–" } else { &run.data_hash }),
    ];
    if !run.scorer.is_empty() {
        lines.push(format!("scorer that the rules choose: {}", run.scorer));
    }
    lines.extend(run.reasons.iter().map(|reason| format!("  {}", clean(reason))));
    let mut drift = Table::new("Drift of the newest fifth (index above 0.25: shifted)", &["signal", "index"]);
    drift.rows = run.drift.iter().map(|(name, index)| vec![clean(name), format!("{index:.3}")]).collect();
    let mut figures = Table::new("Figures", &["figure", "value"]);
    figures.rows = run.metrics.iter().map(|(name, value)| vec![clean(name), format!("{value:.4}")]).collect();
    if let Some(path) = html {
        let page = page_of(&store, &model.model, run, &lines, &[&figures, &drift]).await?;
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output.result(run, || {
        let parts = [&drift, &figures].map(|part| {
            let head: Vec<&str> = part.head.iter().map(String::as_str).collect();
            format!("{}\n{}", part.title, table(&head, &part.rows))
        });
        format!("{}\n\n{}", lines.join("\n"), parts.join("\n\n"))
    });
    Ok(())
}

/// The local platform's hub in the paths of scores.
const HUB: &str = "local";
/// How far back the page shows scores.
const SCORES_SHOWN: i64 = 24 * 3_600 * SECOND;
/// Scores are read so much at a time, and each device's highest is kept: memory is that of one part.
const SCORES_PART: i64 = 1_800 * SECOND;

async fn page_of(
    store: &Store,
    model: &str,
    run: &TrainingRun,
    lines: &[String],
    tables: &[&Table],
) -> anyhow::Result<String> {
    let documents = baselines(store, model);
    let json = match run.promoted {
        Some(number) => documents.read(number).await?,
        None => documents.latest().await?.map(|(_, json)| json),
    };
    let baseline = json.and_then(|json| Baseline::from_json(&json).ok());
    let config = twinwright_app::config::load(None, std::iter::empty())?;
    let equipment = model.split_once('@').map_or(model, |(equipment, _)| equipment);
    let policy =
        config.equipment.policy(equipment).map_or_else(AlertPolicy::default, |policy| policy.alert.clone());
    let log = ScoreLog::new(store.clone(), HUB);
    let mut scores = ScoreRows::default();
    // A device with a baseline of its own is MODEL@DEVICE.
    let is_named =
        |device: &str| model == equipment || assets::key(equipment, device).as_deref() == Some(model);
    let end = now();
    for part in 0..SCORES_SHOWN / SCORES_PART {
        let from = end - SCORES_SHOWN + part * SCORES_PART;
        let all = log.read(None, from, from + SCORES_PART).await?;
        let mut highest: BTreeMap<&str, usize> = BTreeMap::new();
        for row in (0..all.rows()).filter(|row| all.score[*row].is_finite()) {
            let Some(device) = all.device.get(row) else { continue };
            if config.equipment.model_of(device) == equipment && is_named(device) {
                let best = highest.entry(device).or_insert(row);
                *best = if all.score[row] > all.score[*best] { row } else { *best };
            }
        }
        highest.values().for_each(|row| scores.push(&all, *row));
    }
    let report = Report { lines, tables, baseline: baseline.as_ref(), policy: &policy, scores: &scores };
    Ok(report::html(&report))
}
