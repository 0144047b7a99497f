//! `retrain` on stored history: what was committed teaches, faults do not, and a worse candidate changes nothing.

use std::sync::Arc;

use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use twinwright_core::time::SECOND;
use twinwright_history::store::Store;

use super::*;
use crate::catalog::baselines;
use crate::config::Config;
use crate::testing::{config, runtime};

pub(super) const START: Micros = 1_760_000_000_000_000;
const ARM: &str = "robotic-arm-001";

/// Rows of an arm; `vibration` is the mean.
pub(super) async fn store_rows(app: &App, first: i64, count: i64, vibration: f64) {
    store_rows_of(app, &[(ARM, vibration)], first, count).await;
}

/// Rows of arms, one after another.
async fn store_rows_of(app: &App, arms: &[(&str, f64)], first: i64, count: i64) {
    for from in (first..first + count).step_by(500) {
        let event = |sequence: i64| {
            let (arm, vibration) = arms[sequence as usize % arms.len()];
            let wobble = (sequence * 7919 % 13) as f64 * 0.05;
            let body = format!(
                r#"{{"temperature":{},"vibration":{}}}"#,
                45.0 + (sequence * 104_729 % 17) as f64 * 0.1,
                vibration + wobble
            );
            EventSpec::telemetry(arm, sequence, START + sequence * SECOND, body.as_bytes())
        };
        let events: Vec<EventSpec> = (from..(from + 500).min(first + count)).map(event).collect();
        let options = BatchOptions::default();
        let batch = EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap();
        app.ingest.batch(&batch, START).await.unwrap();
    }
}

async fn numbers(app: &App) -> Option<u64> {
    baselines(&app.store, "robotic-arm").latest().await.unwrap().map(|(number, _)| number)
}

#[test]
fn history_teaches_the_first_baseline_and_too_little_of_it_says_how_much_is_needed() {
    runtime().block_on(async {
        let app = App::with_parts(config(), Store::memory(), None, None, None, None);
        store_rows(&app, 0, 500, 2.5).await;
        let verdicts = retrain_all(&app, START + 600 * SECOND).await.unwrap();
        assert!(verdicts[0].reason.contains("retrain.min_rows is 1000"), "{verdicts:?}");
        store_rows(&app, 500, 2_000, 2.5).await;
        let verdicts = retrain_all(&app, START + 3_000 * SECOND).await.unwrap();
        assert_eq!(verdicts[0].promoted, Some(1), "{verdicts:?}");
        // The scorer that training chose comes first: whoever names none gets it.
        let (_, written) = baselines(&app.store, "robotic-arm").latest().await.unwrap().unwrap();
        let baseline = twinwright_kernels::Baseline::from_json(&written).unwrap();
        let (_, run) = crate::train::records::all(&app.store, "robotic-arm").await.unwrap().pop().unwrap();
        assert_eq!(baseline.scorers.first(), Some(&run.scorer));
        assert!(baseline.scorers.len() > 1 && run.promoted.is_some(), "{run:?}");
        let card = crate::train::records::cards(&app.store, "robotic-arm").read(1).await.unwrap().unwrap();
        let card: twinwright_training::registry::ModelCard = serde_json::from_slice(&card).unwrap();
        assert_eq!((card.data_hash, card.replaces), (run.data_hash.clone(), None));
        // The next batch is scored by it.
        store_rows(&app, 2_500, 10, 2.5).await;
        let scored = app.ingest.look(0, START, |state| state.device(ARM).and_then(|arm| arm.score.clone()));
        assert_eq!(&*scored.await.unwrap().unwrap().baseline, "robotic-arm/1");
    });
}

#[test]
fn a_machine_that_failed_does_not_teach_that_failing_is_normal() {
    runtime().block_on(async {
        let app = App::with_parts(config(), Store::memory(), None, None, None, None);
        store_rows(&app, 0, 3_000, 2.5).await;
        retrain_all(&app, START + 3_000 * SECOND).await.unwrap();
        assert_eq!(numbers(&app).await, Some(1));
        let before = baselines(&app.store, "robotic-arm").latest().await.unwrap().unwrap().1;
        store_rows(&app, 3_000, 1_000, 9.0).await;
        let outputs =
            app.ingest.look(0, START, |state| state.device(ARM).and_then(|arm| arm.alert.case.clone()));
        let case = outputs.await.unwrap().expect("the fault opened a case");
        let alert = crate::messages::AlertMessage {
            id: case.id.clone(),
            device: ARM.to_owned(),
            twin: ARM.to_owned(),
            equipment: "robotic-arm".to_owned(),
            rule: "health".to_owned(),
            transition: twinwright_core::alert::TransitionKind::Raised,
            severity: case.severity,
            at: START + 3_010 * SECOND,
            opened_at: START + 3_010 * SECOND,
            partition: 0,
            sequence: 3_010,
            score: 2.0,
            peak: 2.0,
            causes: Vec::new(),
            advice: String::new(),
            scorer: String::new(),
            baseline: String::new(),
        };
        app.alerts.record(&alert).await.unwrap();
        let now = START + 4_100 * SECOND;
        let (times, _) = faulty_times(&app, now).await.unwrap();
        assert_eq!(times[ARM], [(START + 2_410 * SECOND, Micros::MAX)]);
        let verdict = retrain_all(&app, now).await.unwrap().remove(0);
        assert_eq!(verdict.rows, 2_410, "rows of the fault and just before it are left out: {verdict}");
        let latest = baselines(&app.store, "robotic-arm").latest().await.unwrap().unwrap();
        assert!(latest.0 == 1 && latest.1 == before || verdict.promoted == Some(latest.0), "{verdict}");
    });
}

#[test]
fn what_people_labelled_teaches_nothing_and_judges_the_candidate() {
    runtime().block_on(async {
        let app = App::with_parts(config(), Store::memory(), None, None, None, None);
        store_rows(&app, 0, 3_000, 2.5).await;
        retrain_all(&app, START + 3_000 * SECOND).await.unwrap();
        store_rows(&app, 3_000, 300, 9.0).await;
        store_rows(&app, 3_300, 3_000, 2.5).await;
        let label = crate::train::periods::Period {
            kind: PeriodKind::Label,
            device: ARM.to_owned(),
            from: iso(START + 3_000 * SECOND),
            to: iso(START + 3_299 * SECOND),
            what: "bearing".to_owned(),
            by: "shift two".to_owned(),
        };
        periods::add(&app.store, &label).await.unwrap();
        let verdict = retrain_all(&app, START + 6_300 * SECOND).await.unwrap().remove(0);
        assert_eq!((verdict.rows, verdict.promoted), (6_000, Some(2)), "{verdict}");
        assert!(verdict.reason.contains("1 of 1 labelled faults found (was 1)"), "{verdict}");
        let (_, run) = records::all(&app.store, "robotic-arm").await.unwrap().pop().unwrap();
        assert_eq!(run.metrics["candidate.faults_found"], 1.0);
    });
}

/// The baseline that scored an arm last, and its score.
async fn scored(app: &App, arm: &str) -> (String, f64) {
    let look = app.ingest.look(0, START, |state| state.device(arm).and_then(|arm| arm.score.clone()));
    let score = look.await.unwrap().unwrap();
    (score.baseline.to_string(), score.score)
}

#[test]
fn an_arm_with_history_enough_is_compared_with_itself() {
    const OTHER: &str = "robotic-arm-@2";
    const OWN: &str = "robotic-arm@robotic-arm-~402";
    runtime().block_on(async {
        let mut config = Config::clone(&config());
        (config.retrain.asset_min_rows, config.retrain.max_assets) = (1_500, 1);
        let app = App::with_parts(config.into(), Store::memory(), None, None, None, None);
        // One arm in three runs rougher than the others, and is healthy.
        store_rows_of(&app, &[(ARM, 2.5), (OTHER, 4.0), (OTHER, 4.0)], 0, 3_000).await;
        let verdicts = retrain_all(&app, START + 3_000 * SECOND).await.unwrap();
        let promoted: Vec<(&str, Option<u64>, usize)> =
            verdicts.iter().map(|v| (v.equipment.as_str(), v.promoted, v.rows)).collect();
        assert_eq!(promoted, [("robotic-arm", Some(1), 3_000), (OWN, Some(1), 2_000)], "{verdicts:?}");
        // The first batches after the refresh are scored by each arm's own.
        let app = App::with_parts(Arc::clone(&app.config), app.store.clone(), None, None, None, None);
        store_rows_of(&app, &[(ARM, 2.5), (OTHER, 4.0), (OTHER, 4.0)], 3_000, 300).await;
        let (fleets, own) = (scored(&app, ARM).await, scored(&app, OTHER).await);
        assert_eq!((fleets.0.as_str(), own.0), ("robotic-arm/1", format!("{OWN}/1")));
        assert!(own.1 < 1.0, "{}", own.1);
        // As rough as the other arm always was is a fault of this one's, and the other way round.
        store_rows_of(&app, &[(OTHER, 2.5)], 3_300, 60).await;
        let faulty = scored(&app, OTHER).await;
        assert!(faulty.1 > 1.0, "{}", faulty.1);
        // A replay takes the same baselines.
        let again = App::with_parts(Arc::clone(&app.config), app.store.clone(), None, None, None, None);
        assert_eq!(
            (scored(&again, ARM).await, scored(&again, OTHER).await),
            (scored(&app, ARM).await, faulty)
        );
        let listed = crate::train::records::all(&app.store, OWN).await.unwrap();
        assert_eq!(listed.len(), 1);
    });
}
