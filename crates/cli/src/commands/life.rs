//! `train life`: a model of remaining life from machines that ran until they failed.

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_app::clock::now;
use twinwright_core::time::iso;
use twinwright_kernels::life::Unit;
use twinwright_training::rul::{LifeOptions, LifeRun, fit};

use super::csv::Table;
use crate::args::{LifeOptions as Asked, LifeUnit};
use crate::output::Output;

/// Runs `train life`.
///
/// # Errors
/// A file cannot be read, the files differ in their columns, or there are too few runs.
pub(super) fn life(asked: &Asked, output: Output) -> anyhow::Result<()> {
    let mut signals: Vec<String> = Vec::new();
    let mut runs = Vec::new();
    for path in &asked.runs {
        let mut table = Table::read(path)?;
        if !asked.signals.is_empty() {
            table = table.select(&asked.signals)?;
        } else if !signals.is_empty() {
            table = table.select(&signals).with_context(|| format!("{}", path.display()))?;
        }
        signals.clone_from(&table.signals);
        if !table.time.is_sorted() {
            bail!(
                "{}: its times go back; a run is one machine's rows until its failure, in order",
                path.display()
            );
        }
        runs.push(LifeRun { time: table.time, values: table.values });
    }
    let options = LifeOptions {
        created: iso(now()),
        unit: match asked.unit {
            LifeUnit::Hours => Unit::Hours,
            LifeUnit::Cycles => Unit::Cycles,
        },
        cap: asked.cap,
        note: format!("from {} runs to failure", runs.len()),
        ..LifeOptions::default()
    };
    let candidate = fit(&asked.equipment, &signals, &asked.settings, &runs, &options)?;
    let model = &candidate.model;
    std::fs::write(&asked.out, model.to_json()?)
        .with_context(|| format!("cannot write {}", asked.out.display()))?;
    let shown = json!({
        "id": model.id, "runs": runs.len(), "rows": model.window.rows, "cap": model.cap, "limit": model.limit,
        "metrics": model.metrics, "file": asked.out,
    });
    output.result(&shown, || {
        let unit = match asked.unit {
            LifeUnit::Hours => "hours",
            LifeUnit::Cycles => "cycles",
        };
        let mut lines = vec![
            format!(
                "{} from {} runs, {} rows of {} signals",
                model.id,
                runs.len(),
                model.window.rows,
                signals.len()
            ),
            format!(
                "tells lives up to {:.1} {unit} apart; an alert from {:.1} {unit} on",
                model.cap, model.limit
            ),
        ];
        lines.extend(model.metrics.iter().map(|(name, value)| format!("  {name:24} {value:.3}")));
        lines.push(format!(
            "written to {0}; put it in force with: twinwright train promote {1} --file {0}",
            asked.out.display(),
            asked.equipment
        ));
        lines.join("\n")
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn machines_that_ran_until_they_failed_give_a_model_that_can_be_promoted() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for machine in 0..8_u32 {
            let hours = 120 + machine * 10;
            let mut text = "timestamp,temperature,wear\n".to_owned();
            for hour in 0..hours {
                let left = f64::from(hours - hour);
                let noise = f64::from((hour * 37 + machine * 11) % 17) / 17.0;
                let time = iso(1_767_225_600_000_000 + i64::from(hour) * 3_600_000_000);
                let _ =
                    writeln!(text, "{time},{:.3},{:.4}", 40.0 + noise, 60.0 / (left + 12.0) + noise / 20.0);
            }
            let path = folder.path().join(format!("{machine}.csv"));
            std::fs::write(&path, text).unwrap();
            paths.push(path);
        }
        let asked = Asked {
            runs: paths.clone(),
            equipment: "press".to_owned(),
            out: folder.path().join("life.json"),
            signals: vec![],
            settings: vec![],
            unit: LifeUnit::Hours,
            cap: None,
        };
        life(&asked, Output::new(true)).unwrap();
        let json = std::fs::read(&asked.out).unwrap();
        let document = twinwright_app::scorers::document::Document::read(&json).unwrap();
        let twinwright_app::scorers::document::Document::Life(model) = document else {
            panic!("no model of life")
        };
        assert!(
            model.metrics.values().all(|value| value.is_finite()) && model.cap > 50.0,
            "{:?}",
            model.metrics
        );
        let few = life(&Asked { runs: paths[..2].to_vec(), ..asked }, Output::new(true));
        assert!(few.unwrap_err().to_string().contains("runs"));
    }
}
