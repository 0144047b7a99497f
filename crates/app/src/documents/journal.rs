//! Cases as folders of create-only steps: `<prefix>/date=<day>/<id>/<step>.json`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use twinwright_core::time::{Micros, SECOND, iso};
use twinwright_history::StoreError;
use twinwright_history::store::{Created, Store};

const DAY: Micros = 86_400 * SECOND;
/// Steps of one day that are looked at.
const MAX_STEPS: usize = 50_000;
/// Steps kept in memory; they never change.
const MAX_CACHED: usize = 20_000;

/// A journal of cases under one prefix; cheap to clone.
#[derive(Clone)]
pub(super) struct Journal {
    store: Store,
    prefix: &'static str,
    cache: Arc<Mutex<HashMap<String, Bytes>>>,
}

/// One case: its steps by name.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) id: String,
    steps: BTreeMap<String, Bytes>,
}

impl Steps {
    /// A step, if it was taken and can be read.
    pub(super) fn get<T: DeserializeOwned>(&self, step: &str) -> Option<T> {
        self.steps.get(step).and_then(|bytes| serde_json::from_slice(bytes).ok())
    }
}

impl Journal {
    pub(super) fn new(store: Store, prefix: &'static str) -> Self {
        Self { store, prefix, cache: Arc::default() }
    }

    fn folder(&self, day: Micros) -> String {
        format!("{}/date={}", self.prefix, &iso(day)[..10])
    }

    /// Takes a step once; the first one to take it wins.
    pub(super) async fn step<T: Serialize + Sync>(
        &self,
        day: Micros,
        id: &str,
        step: &str,
        content: &T,
    ) -> Result<Created, StoreError> {
        let path = format!("{}/{id}/{step}.json", self.folder(day));
        let bytes = serde_json::to_vec_pretty(content).unwrap_or_default();
        self.store.create(&path, Bytes::from(bytes)).await
    }

    /// Cases of the days from `from` to `to`, newest day first, at most `max`.
    pub(super) async fn cases(&self, from: Micros, to: Micros, max: usize) -> Result<Vec<Steps>, StoreError> {
        let mut cases = Vec::new();
        let mut day = to;
        while day >= from - DAY && cases.len() < max {
            let mut by_id: BTreeMap<String, BTreeMap<String, Bytes>> = BTreeMap::new();
            for entry in self.store.list(&self.folder(day), None, MAX_STEPS).await? {
                let mut parts = entry.path.rsplit('/');
                let step = parts.next().and_then(|name| name.strip_suffix(".json"));
                let (Some(step), Some(id)) = (step, parts.next()) else { continue };
                let Some(bytes) = self.content(&entry.path).await? else { continue };
                by_id.entry(id.to_owned()).or_default().insert(step.to_owned(), bytes);
            }
            cases.extend(by_id.into_iter().map(|(id, steps)| Steps { id, steps }));
            day -= DAY;
        }
        cases.truncate(max);
        Ok(cases)
    }

    async fn content(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let read = self.store.read(path).await?;
        if let Some(bytes) = &read {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if cache.len() >= MAX_CACHED {
                cache.clear();
            }
            cache.insert(path.to_owned(), bytes.clone());
        }
        Ok(read)
    }
}
