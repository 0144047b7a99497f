//! Which scorer and which baseline an equipment model uses now, and how to get the ones of an older batch.
//!
//! Baselines are numbered documents, the highest number rules; so are the decisions on published scorers. Where nothing
//! was decided, the scorer that the configuration names serves; it comes with the app. What was used is kept in storage
//! under its hash, so that a replay after an update still finds it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use tracing::{info, warn};
use twinwright_core::policy::AUTOMATIC;
use twinwright_core::scoring::Scorer;
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::numbered::NumberedDocuments;
use twinwright_history::segment::Version;
use twinwright_history::store::Store;
use twinwright_scoring::swap::{Role, Stage, Standing, Trial, TrialRecord};
use twinwright_scoring::{Limits, LoadedScorer};

use crate::config::Config;
use crate::partition::ingest::run_blocking;
use crate::partition::scorer::ModelScorer;
use crate::scorers::assets::{self, Assets};
use crate::scorers::canary::{self, Canary};
use crate::scorers::decisions::Decisions;
use crate::scorers::document::Document;
use crate::scorers::loader::Loader;
use crate::scorers::trials::Trials;

/// Scorers that every baseline can be read by.
const USUAL: [&str; 2] = ["ewma-chart", "smoothed-mahalanobis"];

/// A scorer and a baseline that fit together.
#[derive(Clone)]
pub struct Selected {
    /// Which.
    pub version: Version,
    scorer: Option<LoadedScorer>,
    limits: Limits,
    document: Document,
    baseline_json: Bytes,
    trial: Option<OnTrial>,
}

/// A version on trial beside the one that serves.
#[derive(Clone)]
struct OnTrial {
    record: Arc<TrialRecord>,
    /// `None` on probation: it is the one that serves.
    candidate: Option<Arc<Selected>>,
}

impl Selected {
    /// A scorer of its own for one partition; `None` when not even the stand-in takes the baseline.
    pub fn prepare(&self) -> Option<ModelScorer> {
        let stand_in = match self.document.stand_in(&self.baseline_json) {
            Ok(stand_in) => stand_in,
            Err(error) => {
                warn!(baseline = self.version.baseline, %error, "baseline cannot be used");
                return None;
            }
        };
        Some(ModelScorer {
            version: self.version.clone(),
            key: Arc::from(self.state_key()),
            signals: self.document.signals().iter().map(|name| Arc::from(name.as_str())).collect(),
            expected: self.document.expected(),
            life: self.document.life(),
            scorer: self.instance(),
            stand_in,
            failures: 0,
            canary: None,
            trial: None,
        })
    }

    /// Whose states a scorer reads: its own name's in its own format, about the same baseline. So a new version goes
    /// on where the old one stopped, unless it says that it cannot.
    fn state_key(&self) -> String {
        let Version { scorer_hash, baseline, .. } = &self.version;
        match &self.scorer {
            Some(scorer) => {
                let descriptor = scorer.descriptor();
                format!("{}/{}/{baseline}", descriptor.name, descriptor.state_format)
            }
            None => format!("{scorer_hash}/{baseline}"),
        }
    }

    fn instance(&self) -> Option<Box<dyn Scorer>> {
        let loaded = self.scorer.as_ref()?;
        match loaded.instantiate_within(&self.baseline_json, self.limits) {
            Ok(scorer) => Some(Box::new(scorer)),
            Err(error) => {
                warn!(scorer = self.version.scorer, %error, "scorer refused its baseline, the stand-in scores");
                None
            }
        }
    }

    /// Puts the scorers of a model in place where they are not yet, with what its trial needs.
    pub fn install(&self, model: &str, scorers: &mut HashMap<Arc<str>, ModelScorer>) {
        let record = self.trial.as_ref().map(|trial| &trial.record);
        let in_place = scorers.get(model).is_some_and(|scorer| {
            let other = scorer.trial.as_ref().map(Trial::record);
            let same_trial = match (record, other) {
                (Some(record), Some(other)) => Arc::ptr_eq(record, other),
                (None, None) => true,
                _ => false,
            };
            scorer.version == self.version && same_trial
        });
        if in_place {
            return;
        }
        let Some(mut scorer) = self.prepare() else { return };
        scorers.retain(|key, _| canary::home_of(key) != model);
        let Version { scorer: name, baseline, .. } = &self.version;
        info!(model, scorer = name, baseline, "scorer in use");
        if let Some(OnTrial { record, candidate }) = &self.trial {
            let stage = record.candidate().stage;
            let role = if stage == Stage::Probation { Role::CandidateServes } else { Role::PromotedServes };
            let beside = candidate.as_ref().and_then(|candidate| candidate.instance());
            scorer.trial = Some(Trial::new(Arc::clone(record), role, beside));
            if let Some(candidate) = candidate.as_ref().filter(|_| stage == Stage::Canary)
                && let Some(mut served) = candidate.prepare()
            {
                let percent = record.candidate().share_percent;
                let key: Arc<str> = Arc::from(canary::key(model, percent));
                let seed = Arc::from(candidate.version.scorer_hash.as_str());
                served.trial = Some(Trial::new(Arc::clone(record), Role::CandidateServes, self.instance()));
                scorer.canary = Some(Canary { key: Arc::clone(&key), seed, percent });
                info!(model, canary = served.version.scorer, percent, "canary in use");
                scorers.insert(key, served);
            }
        }
        scorers.insert(Arc::from(model), scorer);
    }

    /// What a segment has to name, so that a replay scores as the live path does.
    pub fn versions(&self, model: &str) -> Vec<(String, Version)> {
        let mut versions = vec![(model.to_owned(), self.version.clone())];
        if let Some(OnTrial { record, candidate: Some(candidate) }) = &self.trial
            && record.candidate().stage == Stage::Canary
        {
            let key = canary::key(model, record.candidate().share_percent);
            versions.push((key, candidate.version.clone()));
        }
        versions
    }
}

struct Cached {
    checked: Micros,
    decided: u64,
    baseline: u64,
    standing: Standing,
    complete: bool,
    selected: Option<Selected>,
}

/// See the module.
pub struct Catalog {
    config: Arc<Config>,
    store: Store,
    loader: Arc<Loader>,
    decisions: Decisions,
    trials: Trials,
    assets: Assets,
    current: tokio::sync::Mutex<HashMap<String, Cached>>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Catalog").finish_non_exhaustive()
    }
}

/// Where the baselines of an equipment model are, or of an asset ([`assets::key`]).
pub fn baselines(store: &Store, model: &str) -> NumberedDocuments {
    NumberedDocuments::new(store.clone(), format!("baselines/v=1/{model}"))
}

impl Catalog {
    /// Nothing is loaded before it is needed.
    pub fn new(config: Arc<Config>, store: Store) -> Self {
        let decisions = Decisions::new(store.clone());
        Self {
            loader: Loader::new(Arc::clone(&config), store.clone()),
            trials: Trials::new(decisions.clone(), config.scoring.canary),
            decisions,
            assets: Assets::default(),
            config,
            store,
            current: tokio::sync::Mutex::default(),
        }
    }

    /// What is loaded.
    pub fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// The trials under way.
    pub fn trials(&self) -> &Trials {
        &self.trials
    }

    /// Loads the scorers that the configuration names, so that the first batch need not wait for the compiler.
    pub fn warm_up(&self) {
        let named = self.config.equipment.0.values().map(|policy| policy.scorer.as_str());
        for name in named.filter(|name| *name != AUTOMATIC).chain(USUAL) {
            self.loader.from_folder(name);
        }
    }

    fn fresh(&self) -> Micros {
        i64::from(self.config.scoring.refresh_seconds) * SECOND
    }

    /// Names of the assets that have a baseline of their own.
    pub async fn assets(&self, now: Micros) -> Arc<BTreeSet<String>> {
        self.assets.named(&self.store, now, self.fresh()).await
    }

    /// The scorer and baseline for a model or an asset now; `None` while it has no baseline.
    pub async fn current(&self, model: &str, now: Micros) -> Option<Selected> {
        let mut current = self.current.lock().await;
        let fresh = self.fresh();
        let decided = self.trials.decided();
        let known = current.get(model);
        if let Some(cached) = known.filter(|c| now < c.checked.saturating_add(fresh) && c.decided == decided)
        {
            return cached.selected.clone();
        }
        let latest = match baselines(&self.store, model).latest().await {
            Ok(latest) => latest,
            Err(error) => {
                warn!(model, %error, "baselines cannot be read; the one in use stays");
                return known.and_then(|cached| cached.selected.clone());
            }
        };
        let standing = match self.decisions.standing(assets::model_of(model)).await {
            // A trial compares versions on what many devices send: assets are left out of it.
            Ok((_, standing)) if assets::is_asset(model) => Standing { candidate: None, ..standing },
            Ok((_, standing)) => standing,
            Err(error) => {
                warn!(model, %error, "decisions on scorers cannot be read; the one in use stays");
                known.map(|cached| cached.standing.clone()).unwrap_or_default()
            }
        };
        let number = latest.as_ref().map_or(0, |(number, _)| *number);
        let unchanged = known.filter(|c| c.complete && c.baseline == number && c.standing == standing);
        let accepted = unchanged.is_some_and(|c| self.still_accepted(&c.standing, now));
        let (selected, complete) = match (unchanged.filter(|_| accepted), latest) {
            (Some(cached), _) => (cached.selected.clone(), true),
            (None, Some((_, json))) => {
                let before = known.and_then(|cached| cached.selected.clone());
                self.select(model, &standing, json, before, now).await
            }
            (None, None) => (None, true),
        };
        if standing.candidate.is_none() {
            self.trials.leave(model);
        }
        let cached = Cached {
            checked: now,
            decided,
            baseline: number,
            standing,
            complete,
            selected: selected.clone(),
        };
        current.insert(model.to_owned(), cached);
        selected
    }

    /// Whether the signatures of what is in use still count.
    fn still_accepted(&self, standing: &Standing, now: Micros) -> bool {
        let candidate = standing.candidate.as_ref().map(|candidate| &candidate.release);
        standing.promoted.iter().chain(candidate).all(|release| self.loader.ready(release, now).is_some())
    }

    /// Puts together what serves; the flag says whether it is all that the standing asks for.
    async fn select(
        &self,
        model: &str,
        standing: &Standing,
        json: Bytes,
        before: Option<Selected>,
        now: Micros,
    ) -> (Option<Selected>, bool) {
        let mut complete = true;
        let mut selected = None;
        // A version whose signature no longer counts does not serve until another is ready, either.
        let releases = || [&standing.promoted, &standing.previous].into_iter().flatten();
        let before = before.filter(|before| {
            let release = releases().find(|release| release.sha256 == before.version.scorer_hash);
            release.is_none_or(|release| self.loader.ready(release, now).is_some())
        });
        // What cannot be used any more (revoked, say) gives way to what served before it.
        for release in releases() {
            let released = match self.loader.ready(release, now) {
                Some(released) => Some(released),
                // While another one serves, nothing waits for the compiler.
                None if before.is_some() && self.loader.trust_allows(release, now).await => {
                    self.loader.prepare_aside(release, None, None, now);
                    return (before, false);
                }
                None => self
                    .loader
                    .load_release(release)
                    .await
                    .inspect_err(|cause| {
                        warn!(model, release = release.id(), cause, "promoted scorer not usable")
                    })
                    .ok(),
            };
            if let Some(released) = released {
                selected = select(Some(released.loaded), released.limits, &release.name, json.clone());
                break;
            }
            complete = false;
        }
        if selected.is_none() {
            let name =
                self.config.equipment.policy(assets::model_of(model)).map(|policy| policy.scorer.clone());
            let name = name.filter(|name| name != AUTOMATIC).unwrap_or_else(|| preferred(&json));
            let scorer = run_blocking(|| self.loader.from_folder(&name));
            if let Some(scorer) = &scorer {
                self.loader.keep(&name, scorer).await;
            }
            selected = select(scorer, Limits::default(), &name, json.clone());
        }
        let Some((selected, candidate)) = selected.as_mut().zip(standing.candidate.as_ref()) else {
            return (selected, complete);
        };
        let record = self.trials.join(model, candidate);
        if candidate.stage == Stage::Probation {
            selected.trial = Some(OnTrial { record, candidate: None });
        } else if let Some(released) = self.loader.ready(&candidate.release, now) {
            let name = &candidate.release.name;
            let other = select(Some(released.loaded), released.limits, name, json).map(Arc::new);
            selected.trial = other.map(|other| OnTrial { record, candidate: Some(other) });
        } else {
            complete = false;
            if record.verdict().is_none() {
                self.loader.prepare_aside(&candidate.release, Some(json), Some(record), now);
            }
        }
        (Some(selected.clone()), complete)
    }

    /// The scorer and baseline that scored an older batch.
    pub async fn exact(&self, key: &str, version: &Version) -> Option<Selected> {
        let model = canary::home_of(key);
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
        let scorer = self.loader.by_hash(&version.scorer_hash).await;
        select(scorer, Limits::default(), &version.scorer, json)
            .map(|selected| Selected { version: version.clone(), ..selected })
    }
}

/// The scorer that training put first.
fn preferred(json: &Bytes) -> String {
    let document = Document::read(json).ok();
    document.and_then(|document| document.preferred()).unwrap_or_else(|| USUAL[0].to_owned())
}

fn select(scorer: Option<LoadedScorer>, limits: Limits, name: &str, json: Bytes) -> Option<Selected> {
    let document = match Document::read(&json) {
        Ok(document) => document,
        Err(error) => {
            warn!(%error, "baseline cannot be used");
            return None;
        }
    };
    let version = Version {
        scorer: scorer.as_ref().map_or_else(|| name.to_owned(), |scorer| scorer.id().to_owned()),
        scorer_hash: scorer.as_ref().map_or_else(String::new, |scorer| scorer.sha256().to_owned()),
        baseline: document.id().to_owned(),
    };
    Some(Selected { version, scorer, limits, document, baseline_json: json, trial: None })
}
