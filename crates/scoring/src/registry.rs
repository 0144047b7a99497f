//! Which scorer a name stands for at this moment.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::LoadedScorer;

/// Names of scorers and what is loaded under them.
///
/// A batch takes its scorer at the start and finishes on it; a swap counts from the next batch on. Instances
/// belong to their caller, which compares [`LoadedScorer::sha256`] to learn that its instance is outdated.
#[derive(Debug, Default)]
pub struct ScorerRegistry {
    scorers: RwLock<BTreeMap<String, LoadedScorer>>,
}

impl ScorerRegistry {
    /// The scorer of a name.
    pub fn get(&self, name: &str) -> Option<LoadedScorer> {
        self.scorers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Puts a scorer in place and hands out the one before.
    pub fn swap(&self, name: &str, loaded: LoadedScorer) -> Option<LoadedScorer> {
        self.scorers.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), loaded)
    }

    /// Takes a scorer out.
    pub fn remove(&self, name: &str) -> Option<LoadedScorer> {
        self.scorers.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// All names with their scorers, in name order.
    pub fn list(&self) -> Vec<(String, LoadedScorer)> {
        let scorers = self.scorers.read().unwrap_or_else(PoisonError::into_inner);
        scorers.iter().map(|(name, loaded)| (name.clone(), loaded.clone())).collect()
    }
}
