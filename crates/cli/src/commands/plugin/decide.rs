//! `plugin canary`, `promote`, `rollback`: a person's decisions, in the same log as the platform's own.

use anyhow::bail;
use serde_json::json;
use twinwright_app::clock::now;
use twinwright_app::scorers::decisions::{Decisions, Note};
use twinwright_app::scorers::registry::Registry;
use twinwright_scoring::swap::{Release, SwapPolicy};

use super::keys::{read_trust, trust_path};
use super::registry::{parse, store, words};
use crate::args::{DecideOptions, RollbackOptions};
use crate::output::Output;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Canary,
    Promote,
}

/// Runs `plugin canary` and `plugin promote`.
pub(super) async fn decide(options: &DecideOptions, what: What, output: Output) -> anyhow::Result<()> {
    let data = &options.data.data;
    let store = store(data)?;
    let (name, version) = parse(&options.release)?;
    let trust = read_trust(&trust_path(data))?;
    let package = Registry::new(store.clone()).package(name, version, &trust, now()).await?;
    let manifest = package.manifest();
    let models = if options.equipment.is_empty() { &manifest.draft.equipment } else { &options.equipment };
    if models.is_empty() {
        bail!("the manifest names no equipment model; say which with --equipment MODEL");
    }
    let release =
        Release { name: name.to_owned(), version: version.to_owned(), sha256: manifest.sha256.clone() };
    let action = if what == What::Canary { "begin" } else { "promote" };
    let note = Note { by: &options.by, action, release: &options.release, reason: &options.reason };
    let mut done = Vec::new();
    for model in models {
        let at = now();
        let decided = Decisions::new(store.clone())
            .decide(model, note, at, |standing| match what {
                What::Canary => standing.begin(&release, options.share, at, options.force).map(Some),
                What::Promote => standing.promote(&release, at, options.force).map(Some),
            })
            .await?;
        done.extend(decided.map(|(number, standing)| (model.clone(), number, standing)));
    }
    told(&done, output);
    Ok(())
}

/// Runs `plugin rollback`.
pub(super) async fn roll_back(options: &RollbackOptions, output: Output) -> anyhow::Result<()> {
    let decisions = Decisions::new(store(&options.data.data)?);
    let mut done = Vec::new();
    for model in &options.equipment {
        let at = now();
        let (_, standing) = decisions.standing(model).await?;
        let left = standing.candidate.map(|candidate| candidate.release).or(standing.promoted);
        let left = left.map_or_else(String::new, |release| release.id());
        let note = Note { by: &options.by, action: "roll-back", release: &left, reason: &options.reason };
        let back = |standing: &twinwright_scoring::swap::Standing| {
            standing.roll_back(at, &SwapPolicy::default()).map(Some)
        };
        let decided = decisions.decide(model, note, at, back).await?;
        done.extend(decided.map(|(number, standing)| (model.clone(), number, standing)));
    }
    told(&done, output);
    Ok(())
}

fn told(done: &[(String, u64, twinwright_scoring::swap::Standing)], output: Output) {
    let shown: Vec<_> = done
        .iter()
        .map(|(model, number, standing)| json!({ "equipment": model, "decision": number, "standing": standing }))
        .collect();
    output.result(&shown, || {
        let line = |(model, number, standing): &(String, u64, twinwright_scoring::swap::Standing)| {
            let [promoted, trial, _] = words(standing);
            let trial = if trial.is_empty() { String::new() } else { format!(", {trial}") };
            format!("{model}: {promoted} serves{trial} (decision {number})")
        };
        done.iter().map(line).collect::<Vec<_>>().join("\n")
    });
}
