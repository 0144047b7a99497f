//! The invariants of the way of an event, on storage in memory.

use std::sync::Arc;
use std::time::Duration;

use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use proptest::prelude::*;
use twinwright_core::patch::{LifePatch, TwinUpdate};
use twinwright_core::time::SECOND;
use twinwright_history::dead_letter::DeadLetters;
use twinwright_history::segments::SegmentLog;
use twinwright_history::store::Store;

use super::apply::twin_update;
use super::ingest::Ingest;
use crate::catalog::{Catalog, baselines};
use crate::messages::Outputs;
use crate::patcher::Patcher;
use crate::scores::ScoreBuffer;
use crate::testing::{FakeTwins, config, runtime};
use crate::train::{Declared, Readings, fit_only};

const START: i64 = 1_760_000_000_000_000;
const DEVICES: [&str; 3] = ["robotic-arm-001", "robotic-arm-002", "lathe-7"];

fn ingest_on(store: &Store, patcher: Option<Patcher>) -> Ingest {
    let config = config();
    let catalog = Arc::new(Catalog::new(Arc::clone(&config), store.clone()));
    let scores = ScoreBuffer::start(store.clone(), &config.hub);
    Ingest::new(config, store, catalog, patcher, scores)
}

/// The n-th event: three devices in turn, some payloads broken, the first arm failing from number 120 on.
fn event(sequence: i64) -> EventSpec {
    let device = DEVICES[usize::try_from(sequence).unwrap() % DEVICES.len()];
    let wobble = (sequence * 7919 % 13) as f64 * 0.05;
    let broken = sequence % 17 == 16;
    let vibration = if sequence >= 120 && device == DEVICES[0] { 30.0 } else { 2.5 } + wobble;
    let body =
        format!(r#"{{"temperature":{},"vibration":{vibration},"operationalStatus":"running""#, 45.0 + wobble);
    let body = if broken { body } else { body + "}" };
    EventSpec::telemetry(device, sequence, START + sequence * SECOND, body.as_bytes())
}

fn batch(events: impl Iterator<Item = i64>) -> EventHubBatch {
    let events: Vec<EventSpec> = events.map(event).collect();
    let options = BatchOptions { partition_id: "3".into(), ..BatchOptions::default() };
    EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap()
}

pub(super) async fn give_baseline(store: &Store, number: u64) {
    let mut readings =
        Readings { signals: vec!["temperature".into(), "vibration".into()], ..Readings::default() };
    for row in 0..1_500_i64 {
        let wobble = (row * 7919 % 13) as f64 * 0.05;
        readings.push(0, row * SECOND, |name| Some(if name == "vibration" { 2.5 } else { 45.0 } + wobble));
    }
    let candidate = fit_only("robotic-arm", &mut readings, Declared::default(), number, START).unwrap();
    let json = candidate.baseline.to_json().unwrap();
    baselines(store, "robotic-arm").create(number, json.into()).await.unwrap();
}

/// Sequence numbers of rows and of dead letters, duplicates included.
async fn stored(store: &Store) -> (Vec<i64>, Vec<i64>) {
    let log = SegmentLog::new(store.clone(), "hub");
    let (mut rows, mut letters) = (Vec::new(), Vec::new());
    for name in log.range(0, START * 2).await.unwrap() {
        rows.extend(log.load(&name).await.unwrap().0.sequence);
    }
    let dead = DeadLetters::new(store.clone(), "hub");
    for batch in dead.list(None).await.unwrap() {
        letters.extend(dead.read(&batch.path).await.unwrap().iter().map(|letter| letter.sequence));
    }
    rows.sort_unstable();
    letters.sort_unstable();
    (rows, letters)
}

fn keys(outputs: &Outputs) -> Vec<String> {
    outputs.alerts.iter().map(crate::messages::AlertMessage::key).collect()
}

#[test]
fn every_event_is_in_a_segment_or_a_dead_letter() {
    runtime().block_on(async {
        let store = Store::memory();
        let ingest = ingest_on(&store, None);
        for first in [0, 50, 100] {
            ingest.batch(&batch(first..first + 50), START).await.unwrap();
        }
        let (rows, letters) = stored(&store).await;
        let mut all: Vec<i64> = rows.iter().chain(&letters).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..150).collect::<Vec<_>>());
        assert!(letters.iter().all(|sequence| sequence % 17 == 16));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Invariant 2: any suffix, cut at any borders, replayed to the same or to another instance.
    #[test]
    fn any_cut_of_any_suffix_changes_nothing(
        cuts in proptest::collection::vec(1..60_i64, 1..8),
        again in proptest::collection::vec((0..240_i64, 1..80_i64, any::<bool>()), 0..6),
    ) {
        runtime().block_on(async {
            let store = Store::memory();
            give_baseline(&store, 1).await;
            let mut ingest = ingest_on(&store, None);
            let (mut at, mut sent) = (0, Vec::new());
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(240);
                let (outputs, _) = ingest.batch(&batch(at..end), START).await.unwrap();
                sent.extend(keys(&outputs));
                at = end;
                if at == 240 {
                    break;
                }
            }
            let before = ingest.look(3, START, Clone::clone).await.unwrap();
            let mut repeated = Vec::new();
            for (first, length, restarted) in again {
                if restarted {
                    ingest = ingest_on(&store, None);
                }
                let (outputs, summary) = ingest.batch(&batch(first..(first + length).min(240)), START).await.unwrap();
                assert_eq!(summary.committed + summary.dead_lettered, 0);
                repeated.extend(keys(&outputs));
            }
            let (rows, letters) = stored(&store).await;
            assert_eq!(rows.len() + letters.len(), 240, "nothing is stored twice");
            assert_eq!(ingest.look(3, START, Clone::clone).await.unwrap(), before);
            assert_eq!(sent.iter().filter(|key| key.ends_with("raised")).count(), 1, "{sent:?}");
            assert!(repeated.iter().all(|key| sent.contains(key)), "a replay sends nothing new");
        });
    }
}

#[test]
fn a_cold_start_gives_the_same_state() {
    runtime().block_on(async {
        let store = Store::memory();
        give_baseline(&store, 1).await;
        let calm = ingest_on(&store, None);
        let restless_store = Store::memory();
        give_baseline(&restless_store, 1).await;
        for first in (0..240).step_by(20) {
            calm.batch(&batch(first..first + 20), START).await.unwrap();
            // A new instance for every batch: each one starts cold.
            ingest_on(&restless_store, None).batch(&batch(first..first + 20), START).await.unwrap();
        }
        let calm = calm.look(3, START, Clone::clone).await.unwrap();
        let restless = ingest_on(&restless_store, None).look(3, START, Clone::clone).await.unwrap();
        assert_eq!(calm, restless);
        assert!(calm.device(DEVICES[0]).unwrap().alert.case.is_some());
        assert!(calm.device(DEVICES[1]).unwrap().alert.case.is_none());
    });
}

#[test]
fn a_hole_is_recorded_and_what_another_instance_stored_is_read() {
    runtime().block_on(async {
        let store = Store::memory();
        let (one, other) = (ingest_on(&store, None), ingest_on(&store, None));
        one.batch(&batch(0..20), START).await.unwrap();
        other.batch(&batch(20..40), START).await.unwrap();
        let (_, summary) = one.batch(&batch(40..60), START).await.unwrap();
        assert_eq!(summary.duplicates, 0);
        assert!(one.look(3, START, |state| state.gaps.clone()).await.unwrap().is_empty());
        one.batch(&batch(70..80), START).await.unwrap();
        let gaps = one.look(3, START, |state| state.gaps.clone()).await.unwrap();
        assert_eq!(gaps.iter().map(|gap| (gap.range.first, gap.range.last)).collect::<Vec<_>>(), [(60, 69)]);
    });
}

#[test]
fn a_new_baseline_is_taken_between_batches() {
    runtime().block_on(async {
        let store = Store::memory();
        give_baseline(&store, 1).await;
        let ingest = ingest_on(&store, None);
        ingest.batch(&batch(0..40), START).await.unwrap();
        give_baseline(&store, 2).await;
        ingest.batch(&batch(40..80), START + SECOND).await.unwrap();
        let log = SegmentLog::new(store.clone(), "hub");
        let mut used = Vec::new();
        for name in log.range(0, START * 2).await.unwrap() {
            used.push(log.load(&name).await.unwrap().1.versions["robotic-arm"].baseline.clone());
        }
        assert_eq!(used, ["robotic-arm/1", "robotic-arm/2"]);
        assert_eq!(stored(&store).await.0.len() + stored(&store).await.1.len(), 80);
    });
}

#[test]
fn twins_that_are_away_do_not_hold_up_a_batch() {
    runtime().block_on(async {
        let store = Store::memory();
        let twins = Arc::new(FakeTwins { hangs: true, ..FakeTwins::default() });
        let patcher = Patcher::start(twins, 4);
        let ingest = ingest_on(&store, Some(patcher.clone()));
        for first in (0..200).step_by(20) {
            let events = batch(first..first + 20);
            let answer = tokio::time::timeout(Duration::from_secs(20), ingest.batch(&events, START));
            answer.await.expect("a batch waited for the twins").unwrap();
        }
        assert_eq!(patcher.waiting(), DEVICES.len(), "patches wait, one a twin");
    });
}

#[test]
fn an_older_value_never_overwrites_a_newer_one() {
    runtime().block_on(async {
        let twins = Arc::new(FakeTwins { shown: Some(START + 10), ..FakeTwins::default() });
        let patcher = Patcher::start(Arc::clone(&twins) as _, 4);
        let update = |sequence, observed_at| TwinUpdate {
            twin: Arc::from("arm"),
            sequence,
            observed_at,
            ..TwinUpdate::default()
        };
        patcher.offer([update(1, START)], START);
        assert!(patcher.drain(Duration::from_secs(20)).await);
        assert!(twins.patches.lock().unwrap().is_empty(), "the twin shows something newer");
        patcher.offer([update(2, START + 20)], START);
        assert!(patcher.drain(Duration::from_secs(20)).await);
        assert_eq!(twins.patches.lock().unwrap().len(), 1);
        assert_eq!(patcher.take_confirmed(0), [(Arc::from("arm"), 1), (Arc::from("arm"), 2)]);
    });
}

/// Twelve machines that ran until they failed; the model of them is number 1.
async fn give_life_model(store: &Store) {
    use twinwright_training::rul::{LifeOptions, LifeRun, Unit, fit};
    let run = |machine: usize| {
        let life = 120 + machine * 3;
        let mut run = LifeRun::default();
        for row in 0..life {
            let wear = (1.0 - (life - 1 - row) as f64 / 90.0).max(0.0);
            let wobble = ((row + machine) * 7919 % 13) as f64 * 0.05;
            run.time.push(row as i64 * SECOND);
            run.values.extend([45.0 + wobble, 2.5 + 4.0 * wear + wobble]);
        }
        run
    };
    let runs: Vec<LifeRun> = (0..12).map(run).collect();
    let signals = ["temperature".to_owned(), "vibration".to_owned()];
    let options = LifeOptions { unit: Unit::Cycles, cap: Some(80.0), ..LifeOptions::default() };
    let model = fit("robotic-arm", &signals, &[], &runs, &options).unwrap().model;
    assert_eq!(model.id, "robotic-arm/1");
    baselines(store, "robotic-arm").create(1, model.to_json().unwrap().into()).await.unwrap();
}

#[test]
fn a_model_of_remaining_life_tells_the_twin_how_long_with_an_interval() {
    runtime().block_on(async {
        let store = Store::memory();
        give_life_model(&store).await;
        let ingest = ingest_on(&store, None);
        ingest.batch(&batch(0..120), START).await.unwrap();
        let (life, patch) = ingest
            .look(3, START, |state| {
                let device =
                    state.devices.iter().find(|device| device.score.is_some()).expect("one is scored");
                let life = device.score.as_ref().and_then(|score| score.remaining_life.clone());
                (
                    life.expect("a life model tells what remains"),
                    twin_update(state, device, 3).json_patch(LifePatch::Write),
                )
            })
            .await
            .unwrap();
        assert!(life.low <= life.value && life.value <= life.high && life.low < life.high, "{life:?}");
        assert!((0.0..=80.0).contains(&life.value) && &*life.unit == "cycles", "{life:?}");
        let patch: serde_json::Value = serde_json::from_str(&patch).unwrap();
        let told = patch.as_array().unwrap().iter().find(|op| op["path"] == "/health/remainingLife");
        assert_eq!(told.unwrap()["value"]["value"], life.value);
        // The timer learns from normal operation: it leaves the model alone, and says so.
        let mut readings = Readings::default();
        let promotion = crate::train::fit_and_promote(
            &store,
            "robotic-arm",
            &mut readings,
            crate::train::Declared::default(),
            START,
        )
        .await
        .unwrap();
        assert!(promotion.promoted.is_none() && promotion.reason.contains("runs to failure"), "{promotion}");
    });
}
