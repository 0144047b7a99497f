//! The decision log: `scorers/v=1/decisions/<equipment model>/<number>.json`. Each document holds the whole standing,
//! so the highest number is all that an instance has to read, and the lower ones say how it came about.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twinwright_core::time::Micros;
use twinwright_history::StoreError;
use twinwright_history::numbered::NumberedDocuments;
use twinwright_history::store::Store;
use twinwright_scoring::swap::{Standing, SwapError};

const FORMAT: u32 = 1;
const FOLDER: &str = "scorers/v=1/decisions";

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Version of this form.
    pub format: u32,
    /// When, µs UTC.
    pub at: Micros,
    /// A person's name, or `twinwright`.
    pub by: String,
    /// `begin`, `advance`, `promote`, `settle` or `roll-back`.
    pub action: String,
    /// Which release, `name@version`.
    pub release: String,
    /// Why.
    pub reason: String,
    /// What holds from now on.
    pub standing: Standing,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The standing does not allow it.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// Storage.
    #[error("the registry cannot be reached: {0}")]
    Store(#[from] StoreError),
    /// A document of a newer program.
    #[error(
        "decision {number} for {model} cannot be read: {cause}; is this program older than the one that wrote it?"
    )]
    Unreadable {
        /// Equipment model.
        model: String,
        /// Number of the document.
        number: u64,
        /// Why.
        cause: String,
    },
}

/// What a decision says beside the standing.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// Who decides.
    pub by: &'a str,
    /// What is done.
    pub action: &'a str,
    /// To which release.
    pub release: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// The log of every equipment model.
#[derive(Clone, Debug)]
pub struct Decisions {
    store: Store,
}

impl Decisions {
    /// Decisions of a store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    fn documents(&self, model: &str) -> NumberedDocuments {
        NumberedDocuments::new(self.store.clone(), format!("{FOLDER}/{model}"))
    }

    /// What holds for a model, with the number that says so (0: nothing was ever decided).
    ///
    /// # Errors
    /// [`DecisionError`].
    pub async fn standing(&self, model: &str) -> Result<(u64, Standing), DecisionError> {
        match self.documents(model).latest().await? {
            Some((number, bytes)) => Ok((number, read(model, number, &bytes)?.standing)),
            None => Ok((0, Standing::default())),
        }
    }

    /// Decides on what holds now; races with other instances are run again. `None`: nothing is to be changed.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub async fn decide(
        &self,
        model: &str,
        note: Note<'_>,
        now: Micros,
        change: impl Fn(&Standing) -> Result<Option<Standing>, SwapError>,
    ) -> Result<Option<(u64, Standing)>, DecisionError> {
        let mut outcome: Result<Option<Standing>, DecisionError> = Ok(None);
        let number = self
            .documents(model)
            .append(|latest| {
                let standing = match latest {
                    Some((number, bytes)) => read(model, number, bytes).map(|decision| decision.standing),
                    None => Ok(Standing::default()),
                };
                outcome = standing.and_then(|standing| Ok(change(&standing)?));
                let next = outcome.as_ref().ok().and_then(Option::as_ref)?;
                let decision = Decision {
                    format: FORMAT,
                    at: now,
                    by: note.by.to_owned(),
                    action: note.action.to_owned(),
                    release: note.release.to_owned(),
                    reason: note.reason.to_owned(),
                    standing: next.clone(),
                };
                serde_json::to_vec_pretty(&decision).ok().map(Bytes::from)
            })
            .await?;
        Ok(number.zip(outcome?))
    }

    /// The newest decisions, oldest first.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub async fn log(&self, model: &str, most: usize) -> Result<Vec<(u64, Decision)>, DecisionError> {
        let documents = self.documents(model);
        let numbers = documents.list().await?;
        let mut log = Vec::new();
        for &number in &numbers[numbers.len().saturating_sub(most)..] {
            if let Some(bytes) = documents.read(number).await? {
                log.push((number, read(model, number, &bytes)?));
            }
        }
        Ok(log)
    }

    /// Equipment models that anything was ever decided for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn models(&self) -> Result<Vec<String>, StoreError> {
        let folders = self.store.folders(FOLDER).await?;
        let last = |path: &String| path.trim_end_matches('/').rsplit('/').next().map(str::to_owned);
        Ok(folders.iter().filter_map(last).collect())
    }
}

fn read(model: &str, number: u64, bytes: &[u8]) -> Result<Decision, DecisionError> {
    serde_json::from_slice(bytes).map_err(|error| DecisionError::Unreadable {
        model: model.to_owned(),
        number,
        cause: error.to_string(),
    })
}
