//! Timer triggers: on time, past due, at start, never overlapping.

use twinwright_local_functions_host::HostError;

use crate::support::{App, TestHandler, reply, start, status};

fn function(schedule: &str, more: &str) -> String {
    format!(
        r#"{{"bindings":[{{"type":"timerTrigger","direction":"in","name":"timer","schedule":"{schedule}"{more}}}]}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sub_minute_timer_runs_by_itself_and_keeps_no_status() {
    let mut handler = TestHandler::start(|_| reply("{}")).await;
    let app = App::new("").function("tick", &function("* * * * * *", ""));
    let host = start(app.config(handler.handler())).await;
    for _ in 0..2 {
        let call = handler.next().await;
        assert_eq!(call.path, "/tick");
        let timer = &call.json()["Data"]["timer"];
        assert_eq!(timer["Schedule"]["AdjustForDST"], true);
        assert!(timer["ScheduleStatus"].is_null());
        assert_eq!(timer["IsPastDue"], false);
        assert_eq!(call.json()["Metadata"].as_object().unwrap().keys().collect::<Vec<_>>(), ["sys"]);
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_run_is_made_up_at_the_next_start() {
    let mut handler = TestHandler::start(|_| reply("{}")).await;
    let app = App::new("").function("retrain", &function("0 0 3 * * *", ""));
    let host = start(app.config(handler.handler())).await;
    host.invoke_timer("retrain").await.unwrap();
    let call = handler.next().await;
    let status = call.json()["Data"]["timer"]["ScheduleStatus"].clone();
    assert_eq!(status["Last"], "0001-01-01T00:00:00+00:00");
    host.stop().await;

    let path = app.folder.path().join("data/timers/retrain.json");
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(state["status"]["Last"].is_string());
    state["status"]["Next"] = "2020-01-01T03:00:00Z".into();
    std::fs::write(&path, state.to_string()).unwrap();
    let host = start(app.config(handler.handler())).await;
    assert_eq!(handler.next().await.json()["Data"]["timer"]["IsPastDue"], true);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_on_startup_and_failures() {
    let mut handler = TestHandler::start(|_| status(500)).await;
    let app = App::new("").function("retrain", &function("0 0 3 * * *", r#","runOnStartup":true"#));
    let host = start(app.config(handler.handler())).await;
    assert_eq!(handler.next().await.json()["Data"]["timer"]["IsPastDue"], false);
    assert!(matches!(host.invoke_timer("retrain").await, Err(HostError::Invocation { .. })));
    let error = host.invoke_timer("nobody").await.unwrap_err().to_string();
    assert!(error.contains("retrain"), "{error}");
    host.stop().await;
}
