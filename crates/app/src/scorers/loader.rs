//! From a release to a scorer that can be instantiated: verified, compiled, tested. Also the scorers that come with the
//! app, and those of older batches.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tracing::{info, warn};
use twinwright_core::time::Micros;
use twinwright_history::store::Store;
use twinwright_scoring::package::{Envelope, LimitsAsked, Trust, Verified};
use twinwright_scoring::swap::{Reason, Release, TrialRecord, Verdict};
use twinwright_scoring::{Limits, LoadedScorer, ScoringEngine, conformance};

use super::registry::{Registry, component_path};
use super::rehearsal::rehearse;
use crate::clock::now;
use crate::config::Config;
use crate::partition::ingest::run_blocking;

/// A release in memory.
#[derive(Clone)]
pub struct Released {
    /// The scorer.
    pub loaded: LoadedScorer,
    /// What its manifest asks for.
    pub limits: Limits,
    envelope: Arc<Envelope>,
}

/// Verifies, compiles and remembers.
pub struct Loader {
    config: Arc<Config>,
    store: Store,
    registry: Registry,
    engine: OnceLock<Option<ScoringEngine>>,
    loaded: Mutex<HashMap<String, LoadedScorer>>,
    released: Mutex<HashMap<String, Released>>,
    under_way: Mutex<HashSet<String>>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Loader").finish_non_exhaustive()
    }
}

impl Loader {
    /// Nothing is loaded before it is needed.
    pub fn new(config: Arc<Config>, store: Store) -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(store.clone()),
            config,
            store,
            engine: OnceLock::new(),
            loaded: Mutex::default(),
            released: Mutex::default(),
            under_way: Mutex::default(),
        })
    }

    /// What this installation accepts. Read anew each time, so that a revocation counts within a refresh; a document
    /// that is missing or broken trusts nobody.
    pub fn trust(&self) -> Trust {
        let path = &self.config.scoring.trust_file;
        if path.as_os_str().is_empty() {
            return Trust::default();
        }
        let text = std::fs::read(path).map_err(|error| error.to_string());
        let trust = text.and_then(|text| Trust::from_json(&text).map_err(|error| error.to_string()));
        trust.unwrap_or_else(|cause| {
            warn!(path = %path.display(), cause, "no trust document: published scorers are refused");
            Trust::default()
        })
    }

    /// A release that is loaded and not being tested, while its signature still counts.
    pub fn ready(&self, release: &Release, now: Micros) -> Option<Released> {
        if self.under_way.lock().unwrap_or_else(PoisonError::into_inner).contains(&release.sha256) {
            return None;
        }
        let known =
            self.released.lock().unwrap_or_else(PoisonError::into_inner).get(&release.sha256).cloned()?;
        match known.envelope.verify(&self.trust(), now) {
            Ok(_) => Some(known),
            Err(error) => {
                warn!(release = release.id(), %error, "a published scorer is no longer accepted");
                None
            }
        }
    }

    /// Whether a release that is not loaded yet would be accepted.
    pub async fn trust_allows(&self, release: &Release, now: Micros) -> bool {
        self.registry.package(&release.name, &release.version, &self.trust(), now).await.is_ok()
    }

    /// Verifies and compiles a release. Compiling blocks the calling thread.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub async fn load_release(&self, release: &Release) -> Result<Released, String> {
        let say = |error: &dyn std::fmt::Display| error.to_string();
        let envelope = self.registry.envelope(&release.name, &release.version).await.map_err(|e| say(&e))?;
        let verified = envelope.verify(&self.trust(), now()).map_err(|e| say(&e))?;
        if verified.manifest().sha256 != release.sha256 || verified.manifest().id() != release.id() {
            return Err(format!("the package of {} is not the one that was decided on", release.id()));
        }
        let component = self.registry.component(&verified).await.map_err(|e| say(&e))?;
        let loaded = run_blocking(|| self.compile(&verified, &component))?;
        let limits = limits(&verified.manifest().draft.limits);
        let released = Released { loaded: loaded.clone(), limits, envelope: Arc::new(envelope) };
        self.remember(&format!("hash:{}", release.sha256), &loaded);
        let mut all = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(release.sha256.clone(), released.clone());
        info!(release = release.id(), cached = loaded.from_cache(), "published scorer loaded");
        Ok(released)
    }

    fn compile(&self, verified: &Verified, component: &[u8]) -> Result<LoadedScorer, String> {
        let engine = self.engine().ok_or("there is no WebAssembly engine here")?;
        let loaded = engine.load(component).map_err(|error| error.to_string())?;
        verified.manifest().draft.fits(loaded.descriptor()).map_err(|error| error.to_string())?;
        Ok(loaded)
    }

    /// Loads a release, tests it with a baseline and rehearses it on stored rows, beside everything else; a trial of one
    /// that cannot be used ends.
    pub fn prepare_aside(
        self: &Arc<Self>,
        release: &Release,
        baseline: Option<Bytes>,
        trial: Option<Arc<TrialRecord>>,
        now: Micros,
    ) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if !under_way.insert(release.sha256.clone()) {
            return;
        }
        drop(under_way);
        let (loader, release) = (Arc::clone(self), release.clone());
        tokio::spawn(async move {
            let tested = loader.test(&release, baseline, now).await;
            if let Err(cause) = tested {
                warn!(release = release.id(), cause, "published scorer cannot be used");
                if let Some(trial) = trial {
                    trial.end(Verdict::RollBack(Reason::Unusable(cause)));
                }
            }
            loader.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&release.sha256);
        });
    }

    async fn test(&self, release: &Release, baseline: Option<Bytes>, now: Micros) -> Result<(), String> {
        let released = self.load_release(release).await?;
        let Some(baseline) = baseline else { return Ok(()) };
        run_blocking(|| conformance::self_test(&released.loaded, &baseline)).map_err(|e| e.to_string())?;
        let rows = rehearse(&self.store, &self.config, &released, &baseline, now).await?;
        info!(release = release.id(), rows, "published scorer rehearsed on stored rows");
        Ok(())
    }

    /// A scorer that came with the app.
    pub fn from_folder(&self, name: &str) -> Option<LoadedScorer> {
        let path = self.folder_path(name);
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
        self.remember(&key, &loaded);
        Some(loaded)
    }

    fn folder_path(&self, name: &str) -> PathBuf {
        self.config.scoring.scorers_dir.join(format!("{name}.wasm"))
    }

    /// The scorer that scored an older batch, by the hash that its segment names.
    pub async fn by_hash(&self, hash: &str) -> Option<LoadedScorer> {
        if hash.is_empty() {
            return None;
        }
        let key = format!("hash:{hash}");
        if let Some(loaded) = self.remembered(&key) {
            return Some(loaded);
        }
        let bytes = self.store.read(&component_path(hash)).await.ok().flatten()?;
        if !twinwright_scoring::has_hash(&bytes, hash) {
            warn!(hash, "the component stored under this hash is another one; it is not used");
            return None;
        }
        let loaded = run_blocking(|| self.load(&bytes))?;
        self.remember(&key, &loaded);
        Some(loaded)
    }

    /// Keeps a component of the folder for later replays; create-only, so it costs nothing the second time.
    pub async fn keep(&self, name: &str, scorer: &LoadedScorer) {
        let Ok(bytes) = std::fs::read(self.folder_path(name)) else { return };
        let stored = self.store.create(&component_path(scorer.sha256()), Bytes::from(bytes)).await;
        match stored {
            Ok(_) => info!(scorer = scorer.id(), hash = scorer.sha256(), "scorer kept for replays"),
            Err(error) => {
                warn!(scorer = scorer.id(), %error, "scorer not kept; a replay would use the stand-in");
            }
        }
    }

    /// Everything that is loaded, by hash.
    pub fn all(&self) -> Vec<LoadedScorer> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<LoadedScorer> = loaded
            .iter()
            .filter(|(key, _)| key.starts_with("hash:"))
            .map(|(_, loaded)| loaded.clone())
            .collect();
        all.sort_by(|left, right| (left.id(), left.sha256()).cmp(&(right.id(), right.sha256())));
        all
    }

    fn engine(&self) -> Option<&ScoringEngine> {
        let start = || {
            let scoring = &self.config.scoring;
            let cache = &scoring.cache_dir;
            let config = twinwright_scoring::EngineConfig {
                deadline: Duration::from_millis(scoring.deadline_ms),
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

    fn remember(&self, key: &str, loaded: &LoadedScorer) {
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(format!("hash:{}", loaded.sha256()), loaded.clone());
        all.insert(key.to_owned(), loaded.clone());
    }
}

fn limits(asked: &LimitsAsked) -> Limits {
    Limits {
        deadline: asked.deadline_ms.map(Duration::from_millis),
        memory: asked.memory_mb.and_then(|mb| usize::try_from(mb << 20).ok()),
    }
}

/// The user's own cache: a folder that others can write to is no place for machine code.
fn default_cache() -> PathBuf {
    match std::env::var_os("HOME") {
        Some(home) => PathBuf::from(home).join(".cache/twinwright/scorers"),
        None => std::env::temp_dir().join(format!("twinwright-scorers-{}", std::process::id())),
    }
}
