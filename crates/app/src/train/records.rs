//! What training runs did, as numbered documents an equipment model: the memory of `train list` and `train explain`, and
//! of the back-off.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twinwright_core::time::{Micros, SECOND, parse_iso};
use twinwright_history::StoreError;
use twinwright_history::numbered::NumberedDocuments;
use twinwright_history::store::Store;
use twinwright_training::registry::ModelCard;

/// The first pause after a refusal; each further one in a row doubles it.
const FIRST_PAUSE: Micros = 3_600 * SECOND;
/// Longest pause.
const LONGEST_PAUSE: Micros = 24 * 3_600 * SECOND;

/// A training run of one equipment model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrainingRun {
    /// When, ISO 8601 UTC.
    pub at: String,
    /// Equipment model.
    pub equipment: String,
    /// Number of the promoted baseline; absent where the candidate was refused.
    pub promoted: Option<u64>,
    /// Why.
    pub reason: String,
    /// Rows it learnt from.
    pub rows: usize,
    /// Rows that were left out, by cause.
    pub left_out: BTreeMap<String, usize>,
    /// SHA-256 of the training rows, where a candidate was fitted.
    pub data_hash: String,
    /// Scorer that the rules chose.
    pub scorer: String,
    /// Why that one, a rule a line.
    pub reasons: Vec<String>,
    /// Population stability index of each signal, the newest fifth of the rows against the older ones.
    pub drift: BTreeMap<String, f64>,
    /// Figures of the comparison.
    pub metrics: BTreeMap<String, f64>,
    /// Version of the code.
    pub code: String,
}

/// Where an equipment model's runs are.
pub fn runs(store: &Store, model: &str) -> NumberedDocuments {
    NumberedDocuments::new(store.clone(), format!("training/v=1/{model}"))
}

/// Stores a run.
///
/// # Errors
/// [`StoreError`].
pub async fn record(store: &Store, run: &TrainingRun) -> Result<(), StoreError> {
    let json = Bytes::from(serde_json::to_vec_pretty(run).unwrap_or_default());
    runs(store, &run.equipment).append(|_| Some(json.clone())).await?;
    Ok(())
}

/// Where the lineage of an equipment model's documents is, each under its document's number.
pub fn cards(store: &Store, model: &str) -> NumberedDocuments {
    NumberedDocuments::new(store.clone(), format!("cards/v=1/{model}"))
}

/// Stores the lineage of a promoted document; one that is there already stays.
///
/// # Errors
/// [`StoreError`].
pub async fn keep_card(store: &Store, model: &str, number: u64, document: &[u8]) -> Result<(), StoreError> {
    let card = match ModelCard::of(document) {
        Ok(card) => ModelCard { replaces: number.checked_sub(1).filter(|before| *before > 0), ..card },
        Err(error) => {
            tracing::warn!(model, number, %error, "a promoted document tells no lineage");
            return Ok(());
        }
    };
    let json = serde_json::to_vec_pretty(&card).unwrap_or_default();
    cards(store, model).create(number, Bytes::from(json)).await?;
    Ok(())
}

/// All runs of a model, the oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn all(store: &Store, model: &str) -> Result<Vec<(u64, TrainingRun)>, StoreError> {
    let documents = runs(store, model);
    let mut found = Vec::new();
    for number in documents.list().await? {
        let Some(json) = documents.read(number).await? else { continue };
        if let Ok(run) = serde_json::from_slice(&json) {
            found.push((number, run));
        }
    }
    Ok(found)
}

/// Until when a model is left alone after refusals in a row; `None` where it need not be.
pub fn pause(runs: &[(u64, TrainingRun)]) -> Option<Micros> {
    let refused = runs.iter().rev().take_while(|(_, run)| run.promoted.is_none()).count();
    let last = runs.last().and_then(|(_, run)| parse_iso(&run.at))?;
    if refused == 0 {
        return None;
    }
    let doubled = FIRST_PAUSE.saturating_mul(1_i64 << (refused - 1).min(10));
    Some(last.saturating_add(doubled.min(LONGEST_PAUSE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_in_a_row_double_the_pause_up_to_a_day() {
        let run = |promoted| TrainingRun {
            at: "2025-01-01T00:00:00Z".to_owned(),
            promoted,
            ..TrainingRun::default()
        };
        let at = parse_iso("2025-01-01T00:00:00Z").unwrap();
        let of = |runs: &[Option<u64>]| {
            let runs: Vec<_> = runs.iter().map(|promoted| (1, run(*promoted))).collect();
            pause(&runs).map(|until| (until - at) / SECOND)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[None, Some(2)]), None);
        assert_eq!(of(&[Some(2), None]), Some(3_600));
        assert_eq!(of(&[None, None, None]), Some(4 * 3_600));
        assert_eq!(of(&[None; 9]), Some(24 * 3_600));
    }
}
