//! `train`: a baseline from a CSV file or from stored history.

use anyhow::{Context as _, bail};
use twinwright_app::clock::now;
use twinwright_app::train::{Declared, Readings, fit_and_promote, fit_only};
use twinwright_history::store::Store;

use super::alerts::post_admin;
use super::csv::Table;
use crate::args::{DataOption, TrainOptions};
use crate::connection::Connection;
use crate::output::Output;

/// Runs `train`.
///
/// # Errors
/// The rows do not give a baseline; the message says how many are missing.
pub async fn train(options: TrainOptions, output: Output) -> anyhow::Result<()> {
    if let Some(command) = options.command {
        return super::baselines::run(command, output).await;
    }
    let Some(csv) = &options.csv else {
        return run_on_history(&options.data, output).await;
    };
    if options.equipment.is_empty() {
        bail!("which equipment model is the baseline for? give --equipment NAME");
    }
    let mut table = Table::read(csv)?;
    if !options.signals.is_empty() {
        table = table.select(&options.signals)?;
    }
    let rows = options.rows.unwrap_or(usize::MAX).min(table.time.len());
    let width = table.signals.len();
    let mut readings = Readings {
        device: vec![0; rows],
        time: table.time[..rows].to_vec(),
        values: table.values[..rows * width].to_vec(),
        signals: table.signals,
        ..Readings::default()
    };
    let declared = Declared { settings: &options.settings, scorer: options.scorer.as_deref() };
    if let Some(path) = &options.out {
        let candidate = fit_only(&options.equipment, &mut readings, declared, 1, now())?;
        std::fs::write(path, candidate.baseline.to_json()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        output.result(&candidate.baseline, || {
            format!("baseline of {} on {rows} rows written to {}", options.equipment, path.display())
        });
        return Ok(());
    }
    let connection = Connection::load(&options.data.data)?;
    let store = Store::from_url(&connection.storage_url)?;
    let promotion = fit_and_promote(&store, &options.equipment, &mut readings, declared, now()).await?;
    output.result(&promotion, || promotion.to_string());
    Ok(())
}

/// Asks the platform to train. History is the functions' to read: the same code as the timer's.
pub(super) async fn run_on_history(data: &DataOption, output: Output) -> anyhow::Result<()> {
    let connection = Connection::load(&data.data)?;
    post_admin(&connection, "retrain").await?;
    output.result(&serde_json::json!({ "started": "retrain" }), || {
        "retrain is running on stored history; `twinwright train list MODEL` shows its verdict".to_owned()
    });
    Ok(())
}
