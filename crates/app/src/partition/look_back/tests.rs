//! A baseline changes while the line runs: no machine is without a score for it, and a replay comes to the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use object_store::memory::InMemory;
use proptest::prelude::*;
use twinwright_core::time::SECOND;
use twinwright_history::faults::{Fault, Faults};
use twinwright_history::scores::ScoreLog;
use twinwright_history::store::Store;

use crate::catalog::Catalog;
use crate::config::{Config, load};
use crate::partition::ingest::{Ingest, IngestError};
use crate::partition::tests::give_baseline;
use crate::scores::ScoreBuffer;
use crate::testing::{built, runtime};

const START: i64 = 1_760_000_000_000_000;
const ARMS: i64 = 3;

/// Instances with the real scorers.
struct Line {
    store: Store,
    config: Arc<Config>,
}

impl Line {
    fn on(store: Store) -> Self {
        let settings = [
            ("TWINWRIGHT_SCORING__SCORERS_DIR", built().display().to_string()),
            ("TWINWRIGHT_SCORING__REFRESH_SECONDS", "0".to_owned()),
            ("TWINWRIGHT_INGEST__SNAPSHOT_EVERY_SEGMENTS", "5".to_owned()),
        ];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { store, config: Arc::new(load(None, settings).unwrap()) }
    }

    fn instance(&self) -> (Ingest, Arc<ScoreBuffer>) {
        let catalog = Arc::new(Catalog::new(Arc::clone(&self.config), self.store.clone()));
        let scores = ScoreBuffer::start(self.store.clone(), &self.config.hub);
        let config = Arc::clone(&self.config);
        (Ingest::new(config, &self.store, catalog, None, Arc::clone(&scores)), scores)
    }

    /// Scores by sequence number.
    async fn scores(&self) -> BTreeMap<i64, u64> {
        let rows = ScoreLog::new(self.store.clone(), "hub").read(None, 0, START * 2).await.unwrap();
        rows.sequence.iter().zip(&rows.score).map(|(&event, score)| (event, score.to_bits())).collect()
    }
}

/// Arms in turn; sometimes a value is out of its range, which the check flags, and an event is late.
fn batch(first: i64, end: i64) -> EventHubBatch {
    let events: Vec<EventSpec> = (first..end)
        .map(|event| {
            let wobble = (event * 7919 % 13) as f64 * 0.05;
            let temperature = if event % 29 == 28 { 900.0 } else { 45.0 + wobble };
            let body = format!(r#"{{"temperature":{temperature},"vibration":{}}}"#, 2.5 + wobble);
            let device = format!("robotic-arm-{:03}", event % ARMS);
            EventSpec::telemetry(&device, event, START + event * SECOND, body.as_bytes())
        })
        .collect();
    let options = BatchOptions { partition_id: "3".into(), ..BatchOptions::default() };
    EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap()
}

#[test]
fn a_new_baseline_scores_on_as_if_it_had_been_there_before() {
    runtime().block_on(async {
        let (changing, steady) = (Line::on(Store::memory()), Line::on(Store::memory()));
        give_baseline(&steady.store, 1).await;
        give_baseline(&changing.store, 1).await;
        let (one, other) = (changing.instance(), steady.instance());
        for first in (0..300).step_by(20) {
            if first == 160 {
                // The same numbers under another id: the state of before is not read.
                give_baseline(&changing.store, 2).await;
            }
            one.0.batch(&batch(first, first + 20), START + first).await.unwrap();
            other.0.batch(&batch(first, first + 20), START + first).await.unwrap();
        }
        one.1.flush().await;
        other.1.flush().await;
        let (changing, steady) = (changing.scores().await, steady.scores().await);
        assert!(changing.range(160..).count() > 130, "{changing:?}");
        assert_eq!(changing, steady);
    });
}

#[test]
fn the_first_baseline_knows_machines_that_were_met_before() {
    runtime().block_on(async {
        let line = Line::on(Store::memory());
        let (ingest, scores) = line.instance();
        for first in (0..200).step_by(20) {
            ingest.batch(&batch(first, first + 20), START).await.unwrap();
        }
        give_baseline(&line.store, 1).await;
        ingest.batch(&batch(200, 210), START + 1).await.unwrap();
        scores.flush().await;
        assert_eq!(line.scores().await.into_keys().collect::<Vec<_>>(), (200..210).collect::<Vec<_>>());
    });
}

#[test]
fn rows_that_cannot_be_read_hold_the_batch_up_and_change_nothing() {
    runtime().block_on(async {
        let before = |line: &Line| {
            let (store, ingest) = (line.store.clone(), line.instance().0);
            async move {
                give_baseline(&store, 1).await;
                ingest.batch(&batch(0, 90), START).await.unwrap();
                give_baseline(&store, 2).await;
                ingest
            }
        };
        let (calm, mut failed) = (before(&Line::on(Store::memory())).await, 0);
        calm.batch(&batch(90, 120), START + SECOND).await.unwrap();
        let calm = calm.look(3, START, Clone::clone).await.unwrap();
        // Storage goes away at each operation in turn, until a batch gets through before.
        for operations in 0.. {
            let (store, faults) = Faults::over(&Arc::new(InMemory::new()));
            let ingest = before(&Line::on(store)).await;
            faults.plan(operations, Fault::Dead);
            let answer = ingest.batch(&batch(90, 120), START + SECOND).await;
            let met = faults.is_spent();
            faults.heal();
            if let Err(IngestError::Storage { action: "read the rows before", .. }) = answer {
                failed += 1;
                ingest.batch(&batch(90, 120), START + SECOND).await.unwrap();
                assert_eq!(ingest.look(3, START, Clone::clone).await.unwrap(), calm);
            }
            if !met {
                break;
            }
        }
        assert!(failed > 0, "no failure met the look-back");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However the events are cut, an instance that dies after each batch comes to what one that lives comes to.
    #[test]
    fn a_replay_looks_back_to_the_same_rows(cuts in prop::collection::vec(1..40_i64, 4..12)) {
        runtime().block_on(async {
            let (calm, restless) = (Line::on(Store::memory()), Line::on(Store::memory()));
            let living = calm.instance().0;
            let mut from = 0;
            for (number, cut) in (0_u64..).zip(&cuts) {
                if number % 3 == 1 {
                    give_baseline(&calm.store, number / 3 + 1).await;
                    give_baseline(&restless.store, number / 3 + 1).await;
                }
                living.batch(&batch(from, from + cut), START + from).await.unwrap();
                restless.instance().0.batch(&batch(from, from + cut), START + from).await.unwrap();
                from += cut;
            }
            let living = living.look(3, START, Clone::clone).await.unwrap();
            let replayed = restless.instance().0.look(3, START, Clone::clone).await.unwrap();
            assert_eq!(&living, &replayed);
            assert!(living.devices.iter().any(|device| !device.scorer_state.is_empty()));
        });
    }
}
