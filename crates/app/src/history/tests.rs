//! The timer's run: history grows, two at once are harmless, the books balance.

use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use twinwright_history::verify::{KnownGaps, verify};

use super::*;
use crate::app::App;
use crate::testing::{config, runtime};

const START: Micros = 1_760_000_000_000_000;

#[test]
fn what_is_ingested_becomes_history_once_however_many_compact() {
    runtime().block_on(async {
        let app = App::with_parts(config(), Store::memory(), None, None, None, None);
        for from in (0..100).step_by(10) {
            let event = |sequence: i64| {
                let body = format!(r#"{{"temperature":{sequence}}}"#);
                EventSpec::telemetry("robotic-arm-001", sequence, START + sequence * SECOND, body.as_bytes())
            };
            let events: Vec<EventSpec> = (from..from + 10).map(event).collect();
            let options = BatchOptions::default();
            let batch = EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap();
            app.ingest.batch(&batch, START).await.unwrap();
        }
        let (one, two) = tokio::join!(app.history.compact(START + DAY), app.history.compact(START + DAY));
        let done = [one.unwrap(), two.unwrap()];
        let reports = done.iter().filter_map(|outcome| match outcome {
            Compacted::Done(report) => Some(report),
            _ => None,
        });
        assert_eq!(reports.map(|report| report.segments).sum::<usize>(), 10, "{done:?}");
        let contents = app.history.reader().await.unwrap().contents().await.unwrap();
        assert_eq!((contents.waiting, contents.days.values().sum::<u64>()), (0, 100));
        let proof = verify(&app.store, &app.config.hub, &KnownGaps::default()).await.unwrap();
        assert!(proof.is_whole(), "{proof:?}");
    });
}
