//! Periods that people declare: maintenance, and labels of what was wrong. Stored as numbered documents, one a period,
//! so that what training left out can be read years later.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twinwright_core::time::{Micros, parse_iso};
use twinwright_history::StoreError;
use twinwright_history::numbered::NumberedDocuments;
use twinwright_history::store::Store;

/// A stretch of time of one device that training leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Period {
    /// Maintenance, or a label.
    pub kind: PeriodKind,
    /// Device id.
    pub device: String,
    /// Beginning, ISO 8601 UTC.
    pub from: String,
    /// End, ISO 8601 UTC.
    pub to: String,
    /// What was wrong (a label), or what was done (maintenance).
    pub what: String,
    /// Who said so.
    pub by: String,
}

/// Why a period is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeriodKind {
    /// People worked on the machine.
    Maintenance,
    /// People say that something was wrong.
    Label,
}

/// Why a period cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    /// The times make no period.
    #[error("{from} to {to} is no period; give two ISO 8601 times, the earlier first")]
    Times {
        /// Beginning as given.
        from: String,
        /// End as given.
        to: String,
    },
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The document cannot be written.
    #[error("the period cannot be written: {0}")]
    Document(#[from] serde_json::Error),
}

impl Period {
    /// Its bounds, µs UTC; `None` where the times cannot be read or are the wrong way round.
    pub fn bounds(&self) -> Option<(Micros, Micros)> {
        let (from, to) = (parse_iso(&self.from)?, parse_iso(&self.to)?);
        (from <= to).then_some((from, to))
    }
}

fn documents(store: &Store) -> NumberedDocuments {
    NumberedDocuments::new(store.clone(), "periods/v=1")
}

/// Stores a period; answers its number.
///
/// # Errors
/// [`PeriodError`].
pub async fn add(store: &Store, period: &Period) -> Result<u64, PeriodError> {
    if period.bounds().is_none() {
        return Err(PeriodError::Times { from: period.from.clone(), to: period.to.clone() });
    }
    let json = Bytes::from(serde_json::to_vec_pretty(period)?);
    let number = documents(store).append(|_| Some(json.clone())).await?;
    Ok(number.unwrap_or_default())
}

/// All periods by number. A document that cannot be read is left out, with a word in the log.
///
/// # Errors
/// [`StoreError`].
pub async fn all(store: &Store) -> Result<Vec<(u64, Period)>, StoreError> {
    let documents = documents(store);
    let mut periods = Vec::new();
    for number in documents.list().await? {
        let Some(json) = documents.read(number).await? else { continue };
        match serde_json::from_slice(&json) {
            Ok(period) => periods.push((number, period)),
            Err(error) => tracing::warn!(number, %error, "a period cannot be read and is left out"),
        }
    }
    Ok(periods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::runtime;

    #[test]
    fn periods_are_kept_and_nonsense_is_refused() {
        runtime().block_on(async {
            let store = Store::memory();
            let mut period = Period {
                kind: PeriodKind::Maintenance,
                device: "pump-1".to_owned(),
                from: "2025-01-01T00:00:00Z".to_owned(),
                to: "2025-01-01T02:00:00Z".to_owned(),
                what: "new seal".to_owned(),
                by: "shift two".to_owned(),
            };
            let first = add(&store, &period).await.unwrap();
            let second = add(&store, &period).await.unwrap();
            assert!(second > first);
            std::mem::swap(&mut period.from, &mut period.to);
            let error = add(&store, &period).await.unwrap_err();
            assert!(error.to_string().contains("the earlier first"), "{error}");
            assert_eq!(all(&store).await.unwrap().len(), 2);
        });
    }
}
