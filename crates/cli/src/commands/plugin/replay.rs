//! `plugin replay`: a version through stored history, beside the one that serves, before anything depends on it.

mod page;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use twinwright_app::catalog::baselines;
use twinwright_app::clock::now;
use twinwright_app::scorers::backtest::{BackTest, Outcome, TestRow, difference};
use twinwright_app::scorers::decisions::Decisions;
use twinwright_app::scorers::registry::Registry;
use twinwright_core::policy::AlertPolicy;
use twinwright_core::time::iso;
use twinwright_history::Rows;
use twinwright_history::reader::RowQuery;
use twinwright_history::store::Store;
use twinwright_kernels::Baseline;
use twinwright_scoring::{EngineConfig, LoadedScorer, ScoringEngine};

use super::super::evaluate::scorers_folder;
use super::super::history::Progress;
use super::cases::component_of;
use super::keys::{read_trust, trust_path};
use super::package::{config, read_component};
use crate::args::PluginReplayOptions;
use crate::output::{Output, table};

/// A busy machine is not to look like a slow scorer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs `plugin replay`.
pub(super) async fn replay(options: &PluginReplayOptions, output: Output) -> anyhow::Result<()> {
    let model = options.equipment.as_str();
    let store = options.target.store()?;
    let equipment = twinwright_app::config::load(None, std::iter::empty())?.equipment;
    let policy = equipment.policy(model).map_or_else(AlertPolicy::default, |policy| policy.alert.clone());
    let json = match &options.baseline {
        Some(path) => std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        None => {
            let latest = baselines(&store, model).latest().await?;
            let (_, bytes) = latest.with_context(|| {
                format!("{model} has no baseline; train one (twinwright train) or give --baseline FILE")
            })?;
            bytes.to_vec()
        }
    };
    let baseline = Baseline::from_json(&json)?;
    let engine = ScoringEngine::new(EngineConfig { deadline: DEADLINE, ..config() })?;
    let candidate = engine.load(&read_component(&component_of(&options.path)?)?)?;
    let serving = serving(options, &store, &engine, &baseline).await?;
    let signals: Vec<Arc<str>> = baseline.signals.iter().map(|name| Arc::from(name.as_str())).collect();
    let query = RowQuery {
        columns: Some(baseline.signals.iter().cloned().collect::<BTreeSet<_>>()),
        ..options.span.query()?
    };
    let test = |loaded: &LoadedScorer| -> anyhow::Result<BackTest> {
        Ok(BackTest::new(Box::new(loaded.instantiate(&json)?), policy.clone()))
    };
    let mut runs = [test(&candidate)?, test(&serving)?];
    let mut progress = Progress::new(output, "rows scored");
    let named = query.devices.is_some();
    let history = options.target.history()?;
    let report = history.visit(&query, |part| {
        let rows = rows_of(&part, &signals, |device| named || equipment.model_of(device) == model);
        runs.iter_mut().for_each(|run| run.feed(&rows));
        progress.add(rows.len());
        ControlFlow::Continue(())
    });
    let report = report.await?;
    let [left, right] = runs.map(BackTest::end);
    if left.rows == 0 {
        bail!(
            "there are no rows of {model} in this time; name devices with --device, or another time with --from and --to"
        );
    }
    let told = Told {
        model,
        from: options.span.from,
        to: options.span.to,
        ids: [candidate.id(), serving.id()],
        outcomes: [&left, &right],
    };
    if let Some(path) = &options.html {
        let page = page::html(&told, &difference(&left, &right));
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut shown = told.json();
    shown["damaged"] = json!(report.damaged);
    shown["picture"] = json!(options.html);
    output.result(&shown, || told.text(options.html.as_deref()));
    Ok(())
}

/// Whom the candidate is held against: the one named, the promoted one, or the one that training chose.
async fn serving(
    options: &PluginReplayOptions,
    store: &Store,
    engine: &ScoringEngine,
    baseline: &Baseline,
) -> anyhow::Result<LoadedScorer> {
    if let Some(path) = &options.beside {
        return Ok(engine.load(&read_component(&component_of(path)?)?)?);
    }
    let (_, standing) = Decisions::new(store.clone()).standing(&options.equipment).await?;
    if let Some(release) = standing.promoted {
        let trust = read_trust(&trust_path(&options.target.data))?;
        let registry = Registry::new(store.clone());
        let package = registry.package(&release.name, &release.version, &trust, now()).await?;
        return Ok(engine.load(&registry.component(&package).await?)?);
    }
    let name = baseline.scorers.first().context("the baseline names no scorer; give --beside PATH")?;
    let path = scorers_folder(options.scorers.as_deref())?.join(format!("{name}.wasm"));
    Ok(engine.load(&read_component(&path)?)?)
}

fn rows_of(part: &Rows, signals: &[Arc<str>], wanted: impl Fn(&str) -> bool) -> Vec<TestRow> {
    let columns: Vec<Option<&[f64]>> = signals.iter().map(|name| part.signal(name)).collect();
    let row = |row: usize| {
        let device = part.device(row);
        wanted(device).then(|| TestRow {
            device: Arc::clone(device),
            time: part.times()[row],
            sequence: part.sequences()[row],
            values: columns.iter().map(|column| column.map_or(f64::NAN, |column| column[row])).collect(),
        })
    };
    (0..part.len()).filter_map(row).collect()
}

/// What there is to tell.
struct Told<'a> {
    model: &'a str,
    from: i64,
    to: i64,
    /// The candidate first.
    ids: [&'a str; 2],
    outcomes: [&'a Outcome; 2],
}

impl Told<'_> {
    fn json(&self) -> Value {
        let side = |id: &str, outcome: &Outcome| {
            json!({
                "scorer": id, "rows": outcome.rows, "scored": outcome.scored, "above": outcome.above,
                "alerts": outcome.alerts, "failedCalls": outcome.failed,
                "failures": outcome.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "usPerRow": us_per_row(outcome),
            })
        };
        json!({
            "equipment": self.model, "from": iso(self.from), "to": iso(self.to),
            "candidate": side(self.ids[0], self.outcomes[0]), "serving": side(self.ids[1], self.outcomes[1]),
            "difference": difference(self.outcomes[0], self.outcomes[1]),
        })
    }

    fn text(&self, picture: Option<&Path>) -> String {
        let line = |id: &str, outcome: &Outcome| {
            vec![
                id.to_owned(),
                outcome.rows.to_string(),
                outcome.scored.to_string(),
                outcome.above.to_string(),
                outcome.alerts.len().to_string(),
                outcome.failed.to_string(),
                format!("{:.2}", us_per_row(outcome)),
            ]
        };
        let lines = [line(self.ids[0], self.outcomes[0]), line(self.ids[1], self.outcomes[1])];
        let head = ["scorer", "rows", "scored", "above limit", "alerts", "failed calls", "µs a row"];
        let told = difference(self.outcomes[0], self.outcomes[1]);
        let mut text = vec![
            format!("{} from {} to {}", self.model, iso(self.from), iso(self.to)),
            table(&head, &lines),
            format!("scores: PSI {:.3}, KS {:.3} (chance {:.3})", told.psi, told.ks.0, told.ks.1),
            format!("alerts gained {}, lost {}", told.gained.len(), told.lost.len()),
        ];
        for (word, alerts) in [("gained", &told.gained), ("lost", &told.lost)] {
            text.extend(alerts.iter().take(20).map(|alert| {
                format!(
                    "  {word:6}  {}  {} to {}, peak {:.2}",
                    alert.device,
                    iso(alert.from),
                    iso(alert.to),
                    alert.peak
                )
            }));
        }
        text.extend(self.outcomes[0].failures.iter().map(|failure| format!("  failed  {failure}")));
        text.extend(picture.map(|path| format!("picture: {}", path.display())));
        text.join("\n")
    }
}

fn us_per_row(outcome: &Outcome) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rows = outcome.rows.max(1) as f64;
    outcome.seconds * 1e6 / rows
}

#[cfg(test)]
mod tests {
    use twinwright_app::scorers::backtest::RaisedAlert;
    use twinwright_core::alert::Severity;

    use super::*;

    #[test]
    fn the_page_names_both_and_shows_what_was_gained() {
        let alert = RaisedAlert {
            device: "<arm>".to_owned(),
            from: 20_000_000,
            to: 30_000_000,
            peak: 2.5,
            severity: Severity::Warning,
        };
        let candidate = Outcome { rows: 10, scored: 10, alerts: vec![alert], ..Outcome::default() };
        let serving = Outcome { rows: 10, scored: 10, ..Outcome::default() };
        let told = Told {
            model: "arm",
            from: 0,
            to: 60_000_000,
            ids: ["new@2.0.0", "old@1.0.0"],
            outcomes: [&candidate, &serving],
        };
        let text = told.text(None);
        assert!(text.contains("alerts gained 1, lost 0") && text.contains("peak 2.50"), "{text}");
        let page = page::html(&told, &difference(&candidate, &serving));
        assert!(page.contains("new@2.0.0") && page.contains("&lt;arm&gt;") && page.contains("<svg"));
        assert!(!page.contains("<arm>") && !page.contains("<script"));
    }
}
