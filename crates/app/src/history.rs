//! Stored history as the functions use it: one reader with its caches, one compaction at a time in a process.

mod model;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell, Semaphore};
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::StoreError;
use twinwright_history::compact::{CompactOptions, CompactReport, Compactor};
use twinwright_history::reader::{History, WarmCache};
use twinwright_history::store::Store;
use twinwright_timeseries::model::Model;

use crate::config::Config;

/// Queries under way at once, of the warm and of the cold store, as Time Series Insights had it.
const WARM_QUERIES: usize = 30;
const COLD_QUERIES: usize = 20;
const DAY: Micros = 86_400 * SECOND;

/// What became of a compaction.
#[derive(Debug)]
pub enum Compacted {
    /// It did what there was.
    Done(Box<CompactReport>),
    /// Its time was up.
    Budget,
    /// There is one already.
    Running,
}

/// Which of the two stores a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreType {
    /// The last days.
    Warm,
    /// Everything.
    Cold,
}

/// History of the hub.
pub struct StoredHistory {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    history: OnceCell<History>,
    compacting: Arc<Mutex<()>>,
    warm: Arc<Semaphore>,
    cold: Arc<Semaphore>,
    /// The time series model, and when it was put together.
    pub(crate) model: Mutex<Option<(Micros, Arc<Model>)>>,
}

impl std::fmt::Debug for StoredHistory {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("StoredHistory").field("hub", &self.config.hub).finish_non_exhaustive()
    }
}

impl StoredHistory {
    /// Of the hub that the configuration names.
    pub fn new(config: &Arc<Config>, store: Store) -> Self {
        Self {
            config: Arc::clone(config),
            store,
            history: OnceCell::new(),
            compacting: Arc::default(),
            warm: Arc::new(Semaphore::new(WARM_QUERIES)),
            cold: Arc::new(Semaphore::new(COLD_QUERIES)),
            model: Mutex::new(None),
        }
    }

    /// The reader; files of the warm days are kept in a folder where storage is far away.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub async fn reader(&self) -> Result<&History, StoreError> {
        let settings = &self.config.history;
        let make = async || {
            let history = History::new(self.store.clone(), self.config.hub.as_str());
            let url = &self.config.storage.url;
            let near = url.starts_with("folder:") || url.starts_with("memory:");
            if near || settings.warm_cache_mb == 0 {
                return Ok(history);
            }
            let folder = if settings.warm_cache_dir.as_os_str().is_empty() {
                std::env::temp_dir().join("twinwright-warm")
            } else {
                settings.warm_cache_dir.clone()
            };
            let cache = WarmCache::open(folder, u64::from(settings.warm_cache_mb) << 20).await?;
            Ok(history.with_warm_cache(Arc::new(cache)))
        };
        self.history.get_or_try_init(make).await
    }

    /// The earliest time that a store has.
    pub fn earliest(&self, store: StoreType, now: Micros) -> Micros {
        match store {
            StoreType::Warm => now.saturating_sub(i64::from(self.config.history.warm_days) * DAY),
            StoreType::Cold => Micros::MIN,
        }
    }

    /// Leave for one query; none while there are too many.
    pub fn permit(&self, store: StoreType) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let permits = if store == StoreType::Warm { &self.warm } else { &self.cold };
        Arc::clone(permits).try_acquire_owned().ok()
    }

    /// How a compaction goes about it.
    pub fn options(&self, now: Micros) -> CompactOptions {
        let settings = &self.config.history;
        CompactOptions {
            min_age: i64::from(settings.compact_min_age_seconds) * SECOND,
            memory: (settings.compact_memory_mb as usize) << 20,
            // `retrain` and the dashboard read segments.
            keep_segments: i64::from(self.config.retrain.window_hours.max(24) + 24) * 3_600 * SECOND,
            keep_days: Some(settings.keep_days).filter(|days| *days > 0),
            delta: settings.delta,
            ..CompactOptions::new(now)
        }
    }

    /// Makes history of segments, for as long as the budget says. What a run had done when its time was up is found by the
    /// next one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn compact(&self, now: Micros) -> Result<Compacted, StoreError> {
        let Ok(guard) = Arc::clone(&self.compacting).try_lock_owned() else { return Ok(Compacted::Running) };
        let compactor = Compactor::new(self.store.clone(), self.config.hub.as_str());
        let options = self.options(now);
        // The run goes on by itself when the reply must not wait any longer; the guard goes with it.
        let run = tokio::spawn(async move {
            let _guard = guard;
            compactor.run(&options).await
        });
        let budget = Duration::from_secs(u64::from(self.config.history.compact_budget_seconds));
        match tokio::time::timeout(budget, run).await {
            Ok(Ok(report)) => report.map(|report| Compacted::Done(Box::new(report))),
            Ok(Err(error)) => {
                Err(StoreError::Invalid { what: format!("the compaction ended without an answer: {error}") })
            }
            Err(_) => Ok(Compacted::Budget),
        }
    }
}
