//! `twins model …`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use twinwright_azure::twins::{Model, TwinsClient};
use twinwright_dtdl::{ModelError, ModelSet, Rules, Source};

use super::{MOST, client};
use crate::args::ModelCommand;
use crate::output::{Output, table};

/// Models that the service takes at a time.
const AT_A_TIME: usize = 250;

pub(super) async fn run(command: ModelCommand, output: Output) -> anyhow::Result<()> {
    match command {
        ModelCommand::Create { files, target } => {
            let models = documents(&files)?;
            let client = client(&target)?;
            let mut ids: Vec<String> = Vec::new();
            for some in models.chunks(AT_A_TIME) {
                ids.extend(client.add_models(some).await?.into_iter().map(|model| model.id));
            }
            output.result(&ids, || format!("uploaded {}", ids.join(", ")));
        }
        ModelCommand::Check { files } => check(&files, output)?,
        ModelCommand::List { target } => {
            let models = client(&target)?.list_models(false)?.collect(MOST).await?;
            let rows: Vec<Value> = models.iter().map(summary).collect();
            let state = |model: &Model| if model.decommissioned { "decommissioned" } else { "" }.to_owned();
            let cells =
                models.iter().map(|model| vec![model.id.clone(), model.uploaded.clone(), state(model)]);
            output.result(&rows, || table(&["model", "uploaded", ""], &cells.collect::<Vec<_>>()));
        }
        ModelCommand::Show { id, target } => {
            let model = client(&target)?.get_model(&id).await?;
            let model =
                model.with_context(|| format!("there is no model {id}; twinwright twins model list"))?;
            output.result(&model.definition, || {
                serde_json::to_string_pretty(&model.definition).unwrap_or_default()
            });
        }
        ModelCommand::Delete { id, target } => {
            if !client(&target)?.delete_model(&id).await? {
                bail!("there is no model {id}; twinwright twins model list");
            }
            output.result(&json!({ "deleted": id }), || format!("deleted {id}"));
        }
        ModelCommand::Decommission { id, target } => {
            client(&target)?.decommission_model(&id).await?;
            output.result(&json!({ "decommissioned": id }), || format!("no new twins can be made of {id}"));
        }
    }
    Ok(())
}

fn summary(model: &Model) -> Value {
    json!({ "id": model.id, "uploadTime": model.uploaded, "decommissioned": model.decommissioned })
}

/// Names of a model's components, inherited ones included.
pub(super) async fn components(client: &TwinsClient, model: &str) -> anyhow::Result<Vec<String>> {
    let needed = client.list_dependencies(model)?.collect(MOST).await?;
    let documents: Vec<Value> = needed.into_iter().filter_map(|model| model.definition).collect();
    // What the service holds it has checked; where we cannot read it, its own words about the twin will do.
    let Ok(set) = ModelSet::new(Rules::DigitalTwins).with(&documents) else { return Ok(Vec::new()) };
    let resolved = set.resolve(model);
    Ok(resolved
        .map(|model| model.components().map(|(name, _)| name.to_owned()).collect())
        .unwrap_or_default())
}

/// JSON files of the arguments; folders give every `*.json` below them, in order.
fn paths(files: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for file in files {
        if !file.is_dir() {
            found.push(file.clone());
            continue;
        }
        let entries = std::fs::read_dir(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut below = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
        below.retain(|path| path.is_dir() || path.extension().is_some_and(|kind| kind == "json"));
        below.sort();
        found.extend(paths(&below)?);
    }
    Ok(found)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Checks files by themselves: nothing is sent. What they extend or embed has to be among them.
fn check(files: &[PathBuf], output: Output) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    for file in paths(files)? {
        sources.push(Source::new(file.display().to_string(), read(&file)?));
    }
    if sources.is_empty() {
        bail!("no models found: name DTDL files, or a folder that holds *.json");
    }
    let texts: Vec<String> = sources.iter().map(|source| source.text.clone()).collect();
    let errors = match ModelSet::new(Rules::DigitalTwins).load(sources) {
        Ok(loaded) => {
            let count = loaded.added.len();
            let warnings: Vec<String> =
                loaded.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
            let rows: Vec<Value> = loaded.warnings.iter().map(row).collect();
            let text = || format!("{}{count} models are valid", warnings.concat());
            output.result(&json!({ "models": count, "errors": [], "warnings": rows }), text);
            return Ok(());
        }
        Err(errors) => errors,
    };
    let shown = errors.iter().map(|error| match &error.at {
        Some(at) => error.render(&at.source, texts.get(at.index).map_or("", String::as_str)),
        None => error.to_string(),
    });
    let shown: Vec<String> = shown.collect();
    let rows: Vec<Value> = errors.iter().map(row).collect();
    output.result(&json!({ "errors": rows }), || shown.join("\n").trim_end().to_owned());
    bail!("{} errors", errors.len())
}

fn row(error: &ModelError) -> Value {
    let place = error.at.as_ref();
    json!({
        "code": error.code, "model": error.model, "path": error.path, "message": error.message, "hint": error.hint,
        "source": place.map(|at| &at.source), "line": place.map(|at| at.line), "column": place.map(|at| at.column),
    })
}

fn documents(files: &[PathBuf]) -> anyhow::Result<Vec<Value>> {
    let mut models = Vec::new();
    for file in paths(files)? {
        let value =
            serde_json::from_str(&read(&file)?).with_context(|| format!("{} is not JSON", file.display()))?;
        match value {
            Value::Array(list) => models.extend(list),
            model => models.push(model),
        }
    }
    if models.is_empty() {
        bail!("no models found: name DTDL files, or a folder that holds *.json");
    }
    Ok(models)
}
