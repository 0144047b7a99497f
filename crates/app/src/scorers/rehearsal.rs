//! The rehearsal: a new version gets the newest stored rows of its machines before it meets a live one. What traps, runs late
//! or answers nonsense on them is not tried at all.

use std::ops::ControlFlow;
use std::sync::Arc;

use tracing::warn;
use twinwright_core::frame::ABSENT;
use twinwright_core::policy::{AlertPolicy, Equipment};
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;
use twinwright_kernels::Baseline;

use super::backtest::{BackTest, TestRow};
use super::loader::Released;
use crate::config::Config;
use crate::partition::ingest::run_blocking;

/// How far back rows are taken from.
const BACK: Micros = 1_800 * SECOND;
/// Rows at the most, the newest.
const ROWS: usize = 2_000;
/// Rows a call, about those of the self-test: a version that is slow on many rows may do for a small line.
const CALL: usize = 200;

/// Plays the newest rows; answers how many there were.
///
/// # Errors
/// What the version did with them, in words. Rows that cannot be read are no fault of the version's.
pub(super) async fn rehearse(
    store: &Store,
    config: &Config,
    released: &Released,
    document: &[u8],
    now: Micros,
) -> Result<usize, String> {
    // A document of another kind names no signals.
    let Ok(baseline) = Baseline::from_json(document) else { return Ok(0) };
    let rows = match newest(store, config, &baseline, now).await {
        Ok(rows) => rows,
        Err(error) => {
            warn!(%error, "no stored rows to rehearse a new version with");
            return Ok(0);
        }
    };
    run_blocking(|| {
        let scorer = released.loaded.instantiate_within(document, released.limits);
        let scorer = scorer.map_err(|error| error.to_string())?;
        let mut play = BackTest::new(Box::new(scorer), AlertPolicy::default());
        rows.chunks(CALL).for_each(|rows| play.feed(rows));
        match play.end().failures.into_iter().next() {
            Some(failure) => Err(format!("on the newest {} stored rows: {failure}", rows.len())),
            None => Ok(rows.len()),
        }
    })
}

async fn newest(
    store: &Store,
    config: &Config,
    baseline: &Baseline,
    now: Micros,
) -> Result<Vec<TestRow>, twinwright_history::StoreError> {
    let mut rows = Vec::new();
    let log = SegmentLog::new(store.clone(), config.hub.as_str());
    let visitor = |frame| {
        take(&frame, &config.equipment, baseline, &mut rows);
        // Partitions come one after another, so the newest rows are not the last.
        if rows.len() > 4 * ROWS {
            keep_newest(&mut rows);
        }
        ControlFlow::Continue(())
    };
    log.visit_rows(now - BACK, now + SECOND, None, visitor).await?;
    keep_newest(&mut rows);
    Ok(rows)
}

fn keep_newest(rows: &mut Vec<TestRow>) {
    rows.sort_by_key(|row| row.time);
    rows.drain(..rows.len().saturating_sub(ROWS));
}

fn take(
    frame: &twinwright_core::frame::Frame,
    equipment: &Equipment,
    baseline: &Baseline,
    rows: &mut Vec<TestRow>,
) {
    let ours: Vec<bool> =
        frame.devices.iter().map(|device| equipment.model_of(device) == baseline.equipment).collect();
    let column = |name: &String| frame.signals.iter().find(|column| *column.name == **name);
    let columns: Vec<_> = baseline.signals.iter().map(column).collect();
    for row in (0..frame.rows()).filter(|row| ours[frame.device[*row] as usize]) {
        rows.push(TestRow {
            device: Arc::clone(frame.device_id(row)),
            time: frame.time[row],
            sequence: frame.sequence.get(row).copied().unwrap_or_default(),
            values: columns
                .iter()
                .map(|column| column.map_or(ABSENT, |column| column.trusted(row)))
                .collect(),
        });
    }
}
