//! `plugin publish`, `list`, `show`, `log`.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_app::clock::now;
use twinwright_app::scorers::decisions::Decisions;
use twinwright_app::scorers::registry::Registry;
use twinwright_core::time::iso;
use twinwright_history::store::Store;
use twinwright_scoring::swap::{Stage, Standing};

use super::keys::{read_trust, trust_path};
use super::package::verified;
use crate::args::PublishOptions;
use crate::connection::Connection;
use crate::output::{Output, clean, table};

/// The store of a running platform.
pub(super) fn store(data: &Path) -> anyhow::Result<Store> {
    Ok(Store::from_url(&Connection::load(data)?.storage_url)?)
}

/// Name and version of NAME@VERSION.
pub(super) fn parse(release: &str) -> anyhow::Result<(&str, &str)> {
    match release.split_once('@') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => Ok((name, version)),
        _ => bail!("{release:?} names no release; write NAME@VERSION, e.g. my-scorer@1.2.0"),
    }
}

/// Runs `plugin publish`.
pub(super) async fn publish(options: &PublishOptions, output: Output) -> anyhow::Result<()> {
    let data = &options.data.data;
    let (envelope, _, bytes) = verified(&options.component, &trust_path(data))?;
    let trust = read_trust(&trust_path(data))?;
    let published = Registry::new(store(data)?).publish(&envelope, &bytes, &trust, now()).await?;
    let manifest = published.manifest();
    output.result(manifest, || {
        format!("{} published; try it with: twinwright plugin canary {0} --equipment MODEL", manifest.id())
    });
    Ok(())
}

/// In a word, what serves and what is on trial.
pub(super) fn words(standing: &Standing) -> [String; 3] {
    let promoted = standing.promoted.as_ref().map_or_else(|| "(configuration)".to_owned(), |r| r.id());
    let trial = standing.candidate.as_ref().map_or_else(String::new, |candidate| {
        let id = candidate.release.id();
        match candidate.stage {
            Stage::Shadow => format!("{id} in shadow"),
            Stage::Canary => format!("{id} serves {} %", candidate.share_percent),
            Stage::Probation => format!("{id} on probation"),
        }
    });
    [promoted, trial, standing.quarantine.len().to_string()]
}

/// Runs `plugin list`.
pub(super) async fn list(data: &Path, output: Output) -> anyhow::Result<()> {
    let store = store(data)?;
    let packages = Registry::new(store.clone()).list().await?;
    let decisions = Decisions::new(store);
    let mut standings = Vec::new();
    for model in decisions.models().await? {
        let (number, standing) = decisions.standing(&model).await?;
        standings.push((model, number, standing));
    }
    let models: Vec<_> = standings
        .iter()
        .map(|(model, number, standing)| json!({ "equipment": model, "decision": number, "standing": standing }))
        .collect();
    let ids: Vec<String> = packages.iter().map(|(name, version)| format!("{name}@{version}")).collect();
    output.result(&json!({ "packages": ids, "equipment": models }), || {
        let rows: Vec<Vec<String>> = standings
            .iter()
            .map(|(model, number, standing)| {
                let [promoted, trial, quarantined] = words(standing);
                vec![model.clone(), promoted, trial, quarantined, number.to_string()]
            })
            .collect();
        let published = if ids.is_empty() { "nothing is published yet".to_owned() } else { ids.join("\n") };
        let head = ["equipment", "promoted", "on trial", "quarantined", "decision"];
        format!("{published}\n\n{}", table(&head, &rows))
    });
    Ok(())
}

/// Runs `plugin show`.
pub(super) async fn show(release: &str, data: &Path, output: Output) -> anyhow::Result<()> {
    let (name, version) = parse(release)?;
    let envelope = Registry::new(store(data)?).envelope(name, version).await?;
    let counts = envelope.verify(&read_trust(&trust_path(data))?, now());
    let manifest = envelope.unverified().context("the stored manifest cannot be read")?;
    let verdict = match &counts {
        Ok(verified) => format!("signed by key {}, which counts", verified.key()),
        Err(error) => format!("NOT accepted: {error}"),
    };
    output.result(&json!({ "manifest": manifest, "accepted": counts.is_ok(), "verdict": verdict }), || {
        let draft = &manifest.draft;
        let lines = [
            ("release", manifest.id()),
            ("summary", clean(&draft.summary)),
            ("author", clean(&draft.author)),
            ("world", clean(&draft.world)),
            ("sha256", manifest.sha256.clone()),
            ("size", format!("{} bytes", manifest.bytes)),
            ("equipment", clean(&draft.equipment.join(", "))),
            ("signals", clean(&draft.signals.join(", "))),
            ("signed", clean(&manifest.created)),
            ("verdict", verdict.clone()),
        ];
        lines.map(|(name, value)| format!("{name:<10} {value}")).join("\n")
    });
    Ok(())
}

/// Runs `plugin log`.
pub(super) async fn log(equipment: &str, most: usize, data: &Path, output: Output) -> anyhow::Result<()> {
    let log = Decisions::new(store(data)?).log(equipment, most).await?;
    let shown: Vec<_> =
        log.iter().map(|(number, decision)| json!({ "number": number, "decision": decision })).collect();
    output.result(&shown, || {
        let rows: Vec<Vec<String>> = log
            .iter()
            .map(|(number, decision)| {
                let [promoted, trial, _] = words(&decision.standing);
                let reason = clean(&decision.reason);
                let by = clean(&decision.by);
                vec![
                    number.to_string(),
                    iso(decision.at),
                    by,
                    decision.action.clone(),
                    decision.release.clone(),
                    promoted,
                    trial,
                    reason,
                ]
            })
            .collect();
        table(&["no.", "at", "by", "action", "release", "promoted", "on trial", "reason"], &rows)
    });
    Ok(())
}
