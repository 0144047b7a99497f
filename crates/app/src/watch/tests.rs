//! `watch` on storage in memory: what it sees is what the segments say, however long ago they came.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use twinwright_core::alert::TransitionKind;
use twinwright_core::command::Command;
use twinwright_core::policy::OnCritical;
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::store::Store;

use super::*;
use crate::testing::{FakeDevices, FakeTwins, config, runtime};

const START: Micros = 1_760_000_000_000_000;
const ARM: &str = "robotic-arm-001";
/// The default of `silent_after_seconds`, and a little.
const LONG: Micros = 310 * SECOND;

fn app(store: &Store, twins: &Arc<FakeTwins>, devices: &Arc<FakeDevices>) -> App {
    let (twins, devices) = (Arc::clone(twins), Arc::clone(devices));
    App::with_parts(config(), store.clone(), None, Some(twins), Some(devices), None)
}

/// Readings of the arm, one a second from a sequence number on.
fn batch(first: i64, count: i64, at: Micros) -> EventHubBatch {
    let event = |step: i64| {
        let body = format!(r#"{{"vibration":{}}}"#, 2.5 + step as f64 * 0.01);
        EventSpec::telemetry(ARM, first + step, at + step * SECOND, body.as_bytes())
    };
    let events: Vec<EventSpec> = (0..count).map(event).collect();
    let options = BatchOptions::default();
    EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap()
}

async fn record(app: &App, outputs: &Outputs) -> Vec<(TransitionKind, String)> {
    for alert in &outputs.alerts {
        app.alerts.record(alert).await.unwrap();
    }
    outputs.alerts.iter().map(|alert| (alert.transition, alert.id.clone())).collect()
}

#[test]
fn silence_opens_one_alert_and_the_next_event_clears_it() {
    runtime().block_on(async {
        let store = Store::memory();
        let (twins, devices) = (Arc::new(FakeTwins::default()), Arc::default());
        let serving = app(&store, &twins, &devices);
        // The timer may run in a process that never saw the partition.
        let watching = app(&store, &twins, &devices);
        serving.ingest.batch(&batch(0, 10, START), START).await.unwrap();
        let calm = watch(&watching, START + 60 * SECOND).await.unwrap();
        assert!(calm.alerts.is_empty());
        let late = START + LONG;
        let raised = record(&watching, &watch(&watching, late + 10 * SECOND).await.unwrap()).await;
        assert!(matches!(&raised[..], [(TransitionKind::Raised, _)]), "{raised:?}");
        let silent = twins.patches.lock().unwrap().iter().any(|patch| patch.contains("\"silent\""));
        assert!(silent, "the twin says that its machine is silent");
        let again = watch(&watching, late + 60 * SECOND).await.unwrap();
        assert!(again.alerts.is_empty(), "one open case a device");
        serving.ingest.batch(&batch(10, 1, late + 90 * SECOND), late).await.unwrap();
        let cleared = record(&watching, &watch(&watching, late + 100 * SECOND).await.unwrap()).await;
        assert_eq!(cleared, [(TransitionKind::Cleared, raised[0].1.clone())]);
    });
}

#[test]
fn a_look_at_a_partition_sends_nothing_and_reads_new_segments_only() {
    runtime().block_on(async {
        let store = Store::memory();
        let (twins, devices) =
            (Arc::new(FakeTwins { shown: Some(i64::MAX), ..FakeTwins::default() }), Arc::default());
        let serving = app(&store, &twins, &devices);
        let watching = app(&store, &Arc::new(FakeTwins::default()), &devices);
        serving.ingest.batch(&batch(0, 10, START), START).await.unwrap();
        watch(&watching, START + 20 * SECOND).await.unwrap();
        assert_eq!(watching.patcher.as_ref().unwrap().waiting(), 0, "patches are the serving instance's");
        // What was seen before is not read again: the next look works although the first segment is gone.
        let log = SegmentLog::new(store.clone(), &watching.config.hub);
        let first = log.range(0, Micros::MAX).await.unwrap().remove(0);
        store.delete(&first.path()).await.unwrap();
        serving.ingest.batch(&batch(10, 5, START + 30 * SECOND), START).await.unwrap();
        let last = |state: &PartitionState| state.device(ARM).map(|device| device.updated);
        assert_eq!(watching.ingest.look(0, START, last).await.unwrap(), Some(14));
        assert!(watching.ingest.look(0, START, |state| state.gaps.is_empty()).await.unwrap());
    });
}

#[test]
fn a_twin_that_lags_behind_history_gets_its_newest_values() {
    runtime().block_on(async {
        let store = Store::memory();
        let behind = Arc::new(FakeTwins { shown: Some(START - SECOND), ..FakeTwins::default() });
        let serving =
            app(&store, &Arc::new(FakeTwins { hangs: true, ..FakeTwins::default() }), &Arc::default());
        serving.ingest.batch(&batch(0, 3, START), START).await.unwrap();
        let watching = app(&store, &behind, &Arc::default());
        watch(&watching, START + 30 * SECOND).await.unwrap();
        assert!(behind.patches.lock().unwrap().is_empty(), "a machine that still sends is ingest's");
        watch(&watching, START + 120 * SECOND).await.unwrap();
        assert!(watching.patcher.as_ref().unwrap().drain(Duration::from_secs(20)).await);
        let patches = behind.patches.lock().unwrap().clone();
        assert!(matches!(&patches[..], [patch] if patch.contains("2.52")), "{patches:?}");
    });
}

#[test]
fn approved_commands_go_on_and_forgotten_ones_expire() {
    runtime().block_on(async {
        let devices = Arc::new(FakeDevices::default());
        devices.away.store(true, Ordering::SeqCst);
        let app = app(&Store::memory(), &Arc::default(), &devices);
        let command = |id: &str, mode| Command {
            id: id.to_owned(),
            device: ARM.to_owned(),
            method: "emergencyStop".to_owned(),
            mode,
            alert: "alert".to_owned(),
            reason: "vibration".to_owned(),
            requested_at: START,
            expires_at: START + 3_600 * SECOND,
            response_timeout_seconds: 30,
        };
        let (stop, ask) = (command("stop-1", OnCritical::Stop), command("ask-1", OnCritical::Ask));
        app.responder().respond(&stop, START).await.unwrap();
        app.responder().respond(&ask, START).await.unwrap();
        let calls = || devices.calls.lock().unwrap().len();
        assert_eq!(calls(), 1, "a pending command is not sent");
        watch(&app, START + 20 * SECOND).await.unwrap();
        assert_eq!(calls(), 1, "whoever sent it may still wait for the answer");
        devices.away.store(false, Ordering::SeqCst);
        watch(&app, START + 120 * SECOND).await.unwrap();
        assert_eq!(calls(), 2);
        watch(&app, START + 4_000 * SECOND).await.unwrap();
        assert_eq!(calls(), 2, "an expired command is not sent");
        let mut states: Vec<_> = app.commands.list(START + 4_000 * SECOND).await.unwrap();
        states.sort_by(|a, b| a.id.cmp(&b.id));
        let states: Vec<_> = states.iter().map(|view| (view.id.as_str(), view.state)).collect();
        assert_eq!(states, [("ask-1", CommandStatus::Expired), ("stop-1", CommandStatus::Answered)]);
        let ended = app.commands.find("ask-1", START + 4_000 * SECOND).await.unwrap().unwrap();
        assert!(ended.outcome.is_some(), "that it expired is on record");
    });
}
