//! Published scorers in the flow: signed, tried, promoted, rolled back, swapped a thousand times while instances die.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use twinwright_core::time::SECOND;
use twinwright_history::scores::ScoreLog;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;
use twinwright_scoring::package::{Draft, Envelope, SigningKey, Trust};
use twinwright_scoring::swap::{Release, Stage, Standing};
use twinwright_scoring::{EngineConfig, ScoringEngine};

use super::canary;
use super::decisions::{Decisions, Note};
use super::registry::{Registry, RegistryError, component_path};
use super::report::{Share, report};
use crate::catalog::{Catalog, baselines};
use crate::config::{Config, load};
use crate::counters::Counters;
use crate::partition::ingest::Ingest;
use crate::scores::ScoreBuffer;
use crate::testing::{built, runtime};
use crate::train::{Declared, Readings, fit_only};

const START: i64 = 1_760_000_000_000_000;
const MODEL: &str = "robotic-arm";

/// The misbehaving scorer as another version that behaves in a fixed way.
fn variant(version: &str, how: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(built().join("hostile.wasm")).unwrap();
    let mark = format!("@@HOSTILE:version={version};how={how:<16};@@");
    let start = bytes.windows(10).position(|window| window == b"@@HOSTILE:").unwrap();
    bytes[start..start + mark.len()].copy_from_slice(mark.as_bytes());
    bytes
}

/// A platform without processes: storage in memory, keys in a folder, instances that come and go.
struct Plant {
    store: Store,
    config: Arc<Config>,
    key: SigningKey,
    trust: Trust,
    engine: ScoringEngine,
    _folder: tempfile::TempDir,
}

impl Plant {
    async fn new(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let mut trust = Trust::default();
        trust.add(&key.verifying(), "tests");
        let path = folder.path().join("trust.json");
        std::fs::write(&path, trust.to_json()).unwrap();
        let own = [
            ("TWINWRIGHT_SCORING__SCORERS_DIR", "/nonexistent".to_owned()),
            ("TWINWRIGHT_SCORING__REFRESH_SECONDS", "0".to_owned()),
            ("TWINWRIGHT_SCORING__CACHE_DIR", folder.path().join("cache").display().to_string()),
            ("TWINWRIGHT_SCORING__TRUST_FILE", path.display().to_string()),
            ("TWINWRIGHT_INGEST__SNAPSHOT_EVERY_SEGMENTS", "7".to_owned()),
        ];
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let all = own.into_iter().chain(settings).map(|(name, value)| (name.to_owned(), value));
        let config = Arc::new(load(None, all).unwrap());
        let cache_dir = Some(folder.path().join("cache"));
        let engine =
            ScoringEngine::new(EngineConfig { cache_dir, instances: 8, ..EngineConfig::default() }).unwrap();
        let store = Store::memory();
        let mut readings =
            Readings { signals: vec!["temperature".into(), "vibration".into()], ..Readings::default() };
        for row in 0..1_500_i64 {
            let wobble = (row * 7919 % 13) as f64 * 0.05;
            readings
                .push(0, row * SECOND, |name| Some(if name == "vibration" { 2.5 } else { 45.0 } + wobble));
        }
        let json = fit_only(MODEL, &mut readings, Declared::default(), 1, START)
            .unwrap()
            .baseline
            .to_json()
            .unwrap();
        baselines(&store, MODEL).create(1, json.into()).await.unwrap();
        Self { store, config, key, trust, engine, _folder: folder }
    }

    fn instance(&self) -> (Ingest, Arc<ScoreBuffer>, Arc<Catalog>) {
        let catalog = Arc::new(Catalog::new(Arc::clone(&self.config), self.store.clone()));
        let scores = ScoreBuffer::start(self.store.clone(), &self.config.hub);
        let ingest = Ingest::new(
            Arc::clone(&self.config),
            &self.store,
            Arc::clone(&catalog),
            None,
            Arc::clone(&scores),
        );
        (ingest, scores, catalog)
    }

    fn package(&self, version: &str, how: &str) -> (Envelope, Vec<u8>) {
        let component = variant(version, how);
        let loaded = self.engine.load(&component).unwrap();
        let world = "twinwright:scoring/scorer@1.0.0";
        let draft = serde_json::json!({
            "name": "hostile", "version": version, "world": world, "summary": "", "author": "tests",
        });
        let draft = Draft::from_json(draft.to_string().as_bytes()).unwrap();
        let manifest = draft.complete(&component, loaded.descriptor(), "2027-01-01T00:00:00Z").unwrap();
        (Envelope::sign(&manifest, &self.key), component)
    }

    async fn publish(&self, version: &str, how: &str) -> Release {
        let (envelope, component) = self.package(version, how);
        let registry = Registry::new(self.store.clone());
        let sha256 = registry
            .publish(&envelope, &component, &self.trust, START)
            .await
            .unwrap()
            .manifest()
            .sha256
            .clone();
        Release { name: "hostile".into(), version: version.into(), sha256 }
    }

    async fn decide(&self, change: impl Fn(&Standing) -> Standing) {
        let note = Note { by: "tests", action: "promote", release: "hostile", reason: "" };
        let decisions = Decisions::new(self.store.clone());
        decisions.decide(MODEL, note, START, |standing| Ok(Some(change(standing)))).await.unwrap().unwrap();
    }

    async fn standing(&self) -> Standing {
        Decisions::new(self.store.clone()).standing(MODEL).await.unwrap().1
    }
}

fn batch(first: i64, end: i64) -> EventHubBatch {
    let events: Vec<EventSpec> = (first..end)
        .map(|sequence| {
            let body = format!(r#"{{"temperature":{},"vibration":2.5}}"#, 45.0 + (sequence % 7) as f64 * 0.1);
            let device = format!("robotic-arm-{:03}", sequence % 20);
            EventSpec::telemetry(&device, sequence, START + sequence * SECOND, body.as_bytes())
        })
        .collect();
    let options = BatchOptions { partition_id: "3".into(), ..BatchOptions::default() };
    EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap()
}

#[test]
fn only_what_is_signed_is_published_and_nothing_changes_afterwards() {
    runtime().block_on(async {
        let plant = Plant::new(&[]).await;
        let registry = Registry::new(plant.store.clone());
        let (envelope, component) = plant.package("0.0.2", "steady");
        let nobody = Trust::default();
        let refused = registry.publish(&envelope, &component, &nobody, START).await;
        assert!(matches!(refused, Err(RegistryError::Package(_))));
        assert!(registry.list().await.unwrap().is_empty());
        plant.publish("0.0.2", "steady").await;
        plant.publish("0.0.2", "steady").await;
        assert_eq!(registry.list().await.unwrap(), [("hostile".to_owned(), "0.0.2".to_owned())]);
        let (other, component) = plant.package("0.0.2", "drifted");
        let taken = registry.publish(&other, &component, &plant.trust, START).await;
        assert!(matches!(taken, Err(RegistryError::Taken { .. })));
        // Other bytes under the hash of a package that is yet to come: it can never be published, let alone loaded.
        let (envelope, component) = plant.package("0.0.3", "steady");
        let hash = envelope.unverified().unwrap().sha256;
        plant.store.create(&component_path(&hash), variant("0.0.3", "spin").into()).await.unwrap();
        assert!(registry.publish(&envelope, &component, &plant.trust, START).await.is_err());
    });
}

/// Which version scored each event, as the files of scores say.
async fn scored(store: &Store) -> BTreeMap<i64, Vec<String>> {
    let rows = ScoreLog::new(store.clone(), "hub").read(None, 0, START * 2).await.unwrap();
    let mut scored: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (row, sequence) in rows.sequence.iter().enumerate() {
        scored.entry(*sequence).or_default().push(rows.scorer.get(row).unwrap().to_string());
    }
    scored
}

/// Waits until the instance has a release ready: until then the one before it serves.
async fn serves(catalog: &Catalog, release: &Release) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let id = format!("hostile@{}", release.version);
    while catalog.current(MODEL, START).await.is_none_or(|selected| selected.version.scorer != id) {
        assert!(Instant::now() < deadline, "{id} is not ready");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn row_19_a_thousand_swaps_under_a_stream_with_kills() {
    runtime().block_on(async {
        let plant = Plant::new(&[]).await;
        let releases = [plant.publish("0.0.2", "steady").await, plant.publish("0.0.3", "steady").await];
        let swaps = 1_000_i64;
        let rows = 5_i64;
        let mut instance = plant.instance();
        let mut seed = 11_u64;
        let mut used = Vec::new();
        for swap in 0..swaps {
            let release = releases[usize::try_from(swap % 2).unwrap()].clone();
            plant.decide(|standing| Standing { promoted: Some(release.clone()), ..standing.clone() }).await;
            serves(&instance.2, &release).await;
            let events = batch(swap * rows, (swap + 1) * rows);
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match seed >> 60 {
                // Killed while it works: the future is dropped wherever it is, and nothing of the instance survives.
                0 => {
                    let steps = usize::try_from(seed >> 40 & 31).unwrap();
                    let work = instance.0.batch(&events, START);
                    killed_after(work, steps).await;
                    instance = plant.instance();
                    instance.0.batch(&events, START).await.unwrap();
                }
                // Killed after its reply, before its scores were written.
                1 => {
                    instance.0.batch(&events, START).await.unwrap();
                    instance = plant.instance();
                }
                _ => drop(instance.0.batch(&events, START).await.unwrap()),
            }
            used.push(format!("hostile@{}", release.version));
        }
        instance.1.flush().await;
        let log = SegmentLog::new(plant.store.clone(), "hub");
        let mut covered = Vec::new();
        for name in log.range(0, START * 2).await.unwrap() {
            let (frame, metadata) = log.load(&name).await.unwrap();
            let version = &metadata.versions[MODEL].scorer;
            for &sequence in &frame.sequence {
                let at = usize::try_from(sequence / rows).unwrap();
                assert!(*version == used[at], "{sequence}: {version}, active was {}", used[at]);
            }
            covered.extend(frame.sequence);
        }
        covered.sort_unstable();
        assert_eq!(covered, (0..swaps * rows).collect::<Vec<_>>(), "each event is in exactly one segment");
        for (sequence, by) in scored(&plant.store).await {
            let at = usize::try_from(sequence / rows).unwrap();
            assert_eq!(
                by,
                [used[at].clone()],
                "event {sequence} is scored once, by the version that was active"
            );
        }
        let state = instance.0.look(3, START, |state| state.position).await.unwrap();
        assert_eq!(state.unwrap().sequence, swaps * rows - 1);
        let numbers: Vec<u64> = Decisions::new(plant.store.clone())
            .log(MODEL, 2_000)
            .await
            .unwrap()
            .iter()
            .map(|(n, _)| *n)
            .collect();
        assert_eq!(numbers, (1..=1_000).collect::<Vec<_>>(), "the log is monotone and has no hole");
    });
}

/// Polls so many times, then drops.
async fn killed_after<T>(work: impl Future<Output = T>, polls: usize) {
    let mut work = Box::pin(work);
    for _ in 0..polls {
        if futures::poll!(&mut work).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Sends batches until the standing is as wanted; answers how many.
async fn until(plant: &Plant, ingest: &Ingest, from: &mut i64, wanted: impl Fn(&Standing) -> bool) -> usize {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut batches = 0;
    while !wanted(&plant.standing().await) {
        assert!(Instant::now() < deadline, "the standing stays {:?}", plant.standing().await);
        ingest.batch(&batch(*from, *from + 40), START + *from * SECOND).await.unwrap();
        *from += 40;
        batches += 1;
        tokio::task::yield_now().await;
    }
    batches
}

const QUICK: [(&str, &str); 5] = [
    ("TWINWRIGHT_SCORING__CANARY__SHADOW_BATCHES", "5"),
    ("TWINWRIGHT_SCORING__CANARY__CANARY_BATCHES", "10"),
    ("TWINWRIGHT_SCORING__CANARY__PROBATION_BATCHES", "5"),
    ("TWINWRIGHT_SCORING__CANARY__MIN_ROWS", "150"),
    // Time has tests of its own; here the machine may be busy.
    ("TWINWRIGHT_SCORING__CANARY__P99_FLOOR_US", "10000000"),
];

#[test]
fn a_good_version_goes_the_whole_way_by_itself_and_replays_agree() {
    runtime().block_on(async {
        let plant = Plant::new(&QUICK).await;
        let (old, new) = (plant.publish("0.0.2", "steady").await, plant.publish("0.0.3", "steady").await);
        plant.decide(|_| Standing { promoted: Some(old.clone()), ..Standing::default() }).await;
        let (ingest, _, _) = plant.instance();
        let mut from = 0;
        ingest.batch(&batch(0, 40), START).await.unwrap();
        from += 40;
        plant.decide(|standing| standing.begin(&new, 30, START, false).unwrap()).await;
        until(&plant, &ingest, &mut from, |s| s.candidate.as_ref().is_some_and(|c| c.stage == Stage::Canary))
            .await;
        until(&plant, &ingest, &mut from, |s| s.promoted.as_ref() == Some(&new)).await;
        until(&plant, &ingest, &mut from, |s| s.candidate.is_none()).await;
        let log = SegmentLog::new(plant.store.clone(), "hub");
        let mut canaries = 0;
        for name in log.range(0, START * 2).await.unwrap() {
            let versions = log.load(&name).await.unwrap().1.versions;
            canaries += usize::from(versions.contains_key(&canary::key(MODEL, 30)));
        }
        assert!(canaries >= 1, "segments name the canary");
        let live = ingest.look(3, START, Clone::clone).await.unwrap();
        let replayed = plant.instance().0.look(3, START, Clone::clone).await.unwrap();
        assert_eq!(live, replayed, "a cold start splits the rows as they were split");
        let actions: Vec<String> = Decisions::new(plant.store.clone())
            .log(MODEL, 100)
            .await
            .unwrap()
            .into_iter()
            .map(|(_, decision)| decision.action)
            .collect();
        assert_eq!(actions[2..], ["advance", "promote", "settle"]);
    });
}

#[test]
fn bad_versions_are_rolled_back_by_themselves_and_serve_nobody() {
    runtime().block_on(async {
        let plant = Plant::new(&QUICK).await;
        let old = plant.publish("0.0.2", "steady").await;
        plant.decide(|_| Standing { promoted: Some(old.clone()), ..Standing::default() }).await;
        let (ingest, scores, _) = plant.instance();
        let mut from = 0;
        ingest.batch(&batch(0, 40), START).await.unwrap();
        from += 40;
        for (version, how) in [
            ("0.1.0", "crash-1-percent"),
            ("0.1.1", "short"),
            ("0.1.2", "nan"),
            ("0.1.3", "drifted"),
            ("0.1.4", "prepare-panic"),
            ("0.1.5", "crash-on-recent"),
        ] {
            let bad = plant.publish(version, how).await;
            plant.decide(|standing| standing.begin(&bad, 30, START, false).unwrap()).await;
            let batches = until(&plant, &ingest, &mut from, |s| s.candidate.is_none()).await;
            let standing = plant.standing().await;
            assert_eq!(standing.promoted.as_ref(), Some(&old), "{how}");
            assert!(standing.quarantine.iter().any(|entry| entry.sha256 == bad.sha256), "{how}");
            println!("{how}: rolled back after {batches} batches, compiling included");
        }
        scores.flush().await;
        let versions: Vec<String> = scored(&plant.store).await.into_values().flatten().collect();
        assert!(!versions.is_empty() && versions.iter().all(|scorer| scorer == "hostile@0.0.2"));
        // What passes the self-test and fails on stored rows meets no live one.
        let log = Decisions::new(plant.store.clone()).log(MODEL, 100).await.unwrap();
        let last = &log.last().unwrap().1;
        assert!(last.reason.contains("stored rows"), "{last:?}");
    });
}

#[test]
fn what_each_scorer_did_and_whom_it_serves_is_told() {
    runtime().block_on(async {
        let plant = Plant::new(&[]).await;
        let release = plant.publish("0.0.2", "steady").await;
        plant.decide(|_| Standing { promoted: Some(release.clone()), ..Standing::default() }).await;
        let (ingest, _, catalog) = plant.instance();
        let counters = Counters::default();
        for first in [0, 40] {
            let (outputs, summary) = ingest.batch(&batch(first, first + 40), START).await.unwrap();
            counters.batch(&summary, &outputs);
        }
        let told = report(catalog.loader(), &counters.scored());
        let [scorer] = &told[..] else { panic!("{told:?}") };
        assert_eq!((&*scorer.scorer, scorer.calls.rows, scorer.calls.traps), ("hostile@0.0.2", 80, 0));
        assert!(scorer.micros_per_row > 0.0 && scorer.calls.memory > 0, "{scorer:?}");
        assert_eq!(scorer.serves, [Share { equipment: MODEL.into(), rows: 80, share: 1.0 }]);
    });
}

#[test]
fn a_revoked_version_gives_way_within_a_refresh() {
    runtime().block_on(async {
        let plant = Plant::new(&[]).await;
        let (old, new) = (plant.publish("0.0.2", "steady").await, plant.publish("0.0.3", "steady").await);
        let standing = Standing { promoted: Some(new.clone()), previous: Some(old), ..Standing::default() };
        plant.decide(|_| standing.clone()).await;
        let (_, _, catalog) = plant.instance();
        assert_eq!(catalog.current(MODEL, START).await.unwrap().version.scorer, "hostile@0.0.3");
        let mut trust = plant.trust.clone();
        trust.revoked_components.insert(new.sha256);
        std::fs::write(&plant.config.scoring.trust_file, trust.to_json()).unwrap();
        assert_eq!(catalog.current(MODEL, START + 1).await.unwrap().version.scorer, "hostile@0.0.2");
    });
}
