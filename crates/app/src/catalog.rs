//! Which scorer and which baseline an equipment model uses now, and how to get the ones of an older batch.
//!
//! Baselines are numbered documents, the highest number rules. Scorers come with the app (a folder); one that was
//! used is kept in storage under its hash, so that a replay after an update still finds it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use tracing::{info, warn};
use twinwright_core::policy::EquipmentPolicy;
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::numbered::NumberedDocuments;
use twinwright_history::segment::Version;
use twinwright_history::store::Store;
use twinwright_kernels::Baseline;
use twinwright_scoring::{LoadedScorer, ScoringEngine, StandIn};

use crate::config::Config;
use crate::partition::ingest::run_blocking;
use crate::partition::scorer::ModelScorer;

/// A scorer and a baseline that fit together.
#[derive(Clone)]
pub struct Selected {
    /// Which.
    pub version: Version,
    scorer: Option<LoadedScorer>,
    baseline: Arc<Baseline>,
    baseline_json: Bytes,
}

impl Selected {
    /// A scorer of its own for one partition; `None` when not even the stand-in takes the baseline.
    pub fn prepare(&self) -> Option<ModelScorer> {
        let stand_in = match StandIn::new(&self.baseline_json) {
            Ok(stand_in) => stand_in,
            Err(error) => {
                warn!(baseline = self.version.baseline, %error, "baseline cannot be used");
                return None;
            }
        };
        let scorer = self.scorer.as_ref().and_then(|loaded| match loaded.instantiate(&self.baseline_json) {
            Ok(scorer) => Some(Box::new(scorer) as Box<dyn twinwright_core::scoring::Scorer>),
            Err(error) => {
                warn!(scorer = self.version.scorer, %error, "scorer refused its baseline, the stand-in scores");
                None
            }
        });
        let heaviest = self.baseline.regimes.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
        Some(ModelScorer {
            version: self.version.clone(),
            key: Arc::from(format!("{}/{}", self.version.scorer_hash, self.version.baseline)),
            signals: self.baseline.signals.iter().map(|name| Arc::from(name.as_str())).collect(),
            expected: heaviest.map_or_else(Vec::new, |regime| regime.mean.clone()),
            scorer,
            stand_in: Box::new(stand_in),
            failures: 0,
        })
    }
}

struct Cached {
    checked: Micros,
    number: u64,
    selected: Option<Selected>,
}

/// See the module.
pub struct Catalog {
    config: Arc<Config>,
    store: Store,
    engine: OnceLock<Option<ScoringEngine>>,
    loaded: Mutex<HashMap<String, LoadedScorer>>,
    current: tokio::sync::Mutex<HashMap<String, Cached>>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Catalog").finish_non_exhaustive()
    }
}

/// Where an equipment model's baselines are.
pub fn baselines(store: &Store, model: &str) -> NumberedDocuments {
    NumberedDocuments::new(store.clone(), format!("baselines/v=1/{model}"))
}

impl Catalog {
    /// Nothing is loaded before it is needed.
    pub fn new(config: Arc<Config>, store: Store) -> Self {
        Self {
            config,
            store,
            engine: OnceLock::new(),
            loaded: Mutex::default(),
            current: tokio::sync::Mutex::default(),
        }
    }

    /// Loads the scorers that the configuration names, so that the first batch need not wait for the compiler.
    pub fn warm_up(&self) {
        let generic = EquipmentPolicy::default().scorer;
        for name in self.config.equipment.0.values().map(|policy| &policy.scorer).chain([&generic]) {
            self.load_from_folder(name);
        }
    }

    /// The scorer and baseline for a model now; `None` while it has no baseline.
    pub async fn current(&self, model: &str, now: Micros) -> Option<Selected> {
        let mut current = self.current.lock().await;
        let fresh = i64::from(self.config.scoring.refresh_seconds) * SECOND;
        if let Some(cached) = current.get(model).filter(|cached| now < cached.checked.saturating_add(fresh)) {
            return cached.selected.clone();
        }
        let latest = match baselines(&self.store, model).latest().await {
            Ok(latest) => latest,
            Err(error) => {
                warn!(model, %error, "baselines cannot be read; the one in use stays");
                return current.get(model).and_then(|cached| cached.selected.clone());
            }
        };
        let known =
            current.get(model).filter(|cached| latest.as_ref().is_some_and(|(n, _)| *n == cached.number));
        let selected = match (known.and_then(|cached| cached.selected.clone()), &latest) {
            (Some(selected), _) => Some(selected),
            (None, Some((_, json))) => {
                let name = self.config.equipment.policy(model).map(|policy| policy.scorer.clone());
                let name = name.unwrap_or_else(|| EquipmentPolicy::default().scorer);
                let scorer = run_blocking(|| self.load_from_folder(&name));
                if let Some(scorer) = &scorer {
                    self.keep(&name, scorer).await;
                }
                select(scorer, &name, json.clone())
            }
            (None, None) => None,
        };
        let number = latest.map_or(0, |(number, _)| number);
        current.insert(model.to_owned(), Cached { checked: now, number, selected: selected.clone() });
        selected
    }

    /// The scorer and baseline that scored an older batch.
    pub async fn exact(&self, model: &str, version: &Version) -> Option<Selected> {
        let cached = self.current.lock().await.get(model).and_then(|cached| cached.selected.clone());
        if let Some(selected) = cached.filter(|selected| selected.version == *version) {
            return Some(selected);
        }
        let number: u64 = version.baseline.rsplit('/').next().and_then(|n| n.parse().ok())?;
        let json = match baselines(&self.store, model).read(number).await {
            Ok(json) => json?,
            Err(error) => {
                warn!(model, baseline = version.baseline, %error, "baseline of an older batch cannot be read");
                return None;
            }
        };
        let scorer = self.by_hash(&version.scorer_hash).await;
        select(scorer, &version.scorer, json)
            .map(|selected| Selected { version: version.clone(), ..selected })
    }

    fn engine(&self) -> Option<&ScoringEngine> {
        let start = || {
            let scoring = &self.config.scoring;
            let cache = &scoring.cache_dir;
            let config = twinwright_scoring::EngineConfig {
                deadline: std::time::Duration::from_millis(scoring.deadline_ms),
                memory_limit: scoring.memory_mb * 1024 * 1024,
                cache_dir: Some(if cache.as_os_str().is_empty() { default_cache() } else { cache.clone() }),
                ..twinwright_scoring::EngineConfig::default()
            };
            ScoringEngine::new(config)
                .inspect_err(|error| warn!(%error, "no WebAssembly here, the stand-in scores everything"))
                .ok()
        };
        self.engine.get_or_init(start).as_ref()
    }

    fn load_from_folder(&self, name: &str) -> Option<LoadedScorer> {
        let path = self.config.scoring.scorers_dir.join(format!("{name}.wasm"));
        let key = format!("name:{name}");
        if let Some(loaded) = self.remembered(&key) {
            return Some(loaded);
        }
        let bytes = std::fs::read(&path)
            .inspect_err(
                |error| warn!(path = %path.display(), %error, "scorer not found, the stand-in scores"),
            )
            .ok()?;
        let loaded = self.load(&bytes)?;
        self.remember(key, &loaded);
        Some(loaded)
    }

    async fn by_hash(&self, hash: &str) -> Option<LoadedScorer> {
        if hash.is_empty() {
            return None;
        }
        let key = format!("hash:{hash}");
        if let Some(loaded) = self.remembered(&key) {
            return Some(loaded);
        }
        let bytes = self.store.read(&path_of(hash)).await.ok().flatten()?;
        let loaded = run_blocking(|| self.load(&bytes))?;
        self.remember(key, &loaded);
        Some(loaded)
    }

    fn load(&self, bytes: &[u8]) -> Option<LoadedScorer> {
        match self.engine()?.load(bytes) {
            Ok(loaded) => Some(loaded),
            Err(error) => {
                warn!(%error, "scorer cannot be loaded, the stand-in scores");
                None
            }
        }
    }

    fn remembered(&self, key: &str) -> Option<LoadedScorer> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn remember(&self, key: String, loaded: &LoadedScorer) {
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(format!("hash:{}", loaded.sha256()), loaded.clone());
        all.insert(key, loaded.clone());
    }

    /// Keeps the component for later replays; create-only, so it costs nothing the second time.
    async fn keep(&self, name: &str, scorer: &LoadedScorer) {
        let Ok(bytes) = std::fs::read(self.config.scoring.scorers_dir.join(format!("{name}.wasm"))) else {
            return;
        };
        let stored = self.store.create(&path_of(scorer.sha256()), Bytes::from(bytes)).await;
        match stored {
            Ok(_) => info!(scorer = scorer.id(), hash = scorer.sha256(), "scorer kept for replays"),
            Err(error) => {
                warn!(scorer = scorer.id(), %error, "scorer not kept; a replay would use the stand-in")
            }
        }
    }
}

fn path_of(hash: &str) -> String {
    format!("scorers/v=1/{hash}.wasm")
}

/// The user's own cache: a folder that others can write to is no place for machine code.
fn default_cache() -> PathBuf {
    match std::env::var_os("HOME") {
        Some(home) => PathBuf::from(home).join(".cache/twinwright/scorers"),
        None => std::env::temp_dir().join(format!("twinwright-scorers-{}", std::process::id())),
    }
}

fn select(scorer: Option<LoadedScorer>, name: &str, json: Bytes) -> Option<Selected> {
    let baseline = match Baseline::from_json(&json) {
        Ok(baseline) => Arc::new(baseline),
        Err(error) => {
            warn!(%error, "baseline cannot be used");
            return None;
        }
    };
    let version = Version {
        scorer: scorer.as_ref().map_or_else(|| name.to_owned(), |scorer| scorer.id().to_owned()),
        scorer_hash: scorer.as_ref().map_or_else(String::new, |scorer| scorer.sha256().to_owned()),
        baseline: baseline.id.clone(),
    };
    Some(Selected { version, scorer, baseline, baseline_json: json })
}
