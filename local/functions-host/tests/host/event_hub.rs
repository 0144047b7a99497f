//! Event Hub triggers: what is sent, and when a batch is behind us.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, json};
use twinwright_local_functions_host::{
    FolderQueues, Framing, FunctionsHost, HostConfig, HostEvent, MemoryEventSource, QueueService as _,
};

use crate::support::{App, Call, DEADLINE, TestHandler, reply, start, status, until};

const MANY: &str = r#"{"bindings":[{"type":"eventHubTrigger","direction":"in","name":"events","eventHubName":"hub",
    "cardinality":"many","dataType":"binary","connection":"C"}]RETRY}"#;

fn app(host_json: &str, retry: &str) -> App {
    App::new(host_json).function("ingest", &MANY.replace("RETRY", retry))
}

fn source(partitions: u32, events: u32) -> Arc<MemoryEventSource> {
    let source = MemoryEventSource::new(partitions);
    for partition in 0..partitions {
        for number in 0..events {
            let mut system = Map::new();
            system.insert("iothub-connection-device-id".to_owned(), json!(format!("arm-{partition}")));
            source
                .push(partition, format!("{{\"n\":{number}}}"), 1_715_962_425_120_000, system, Map::new())
                .unwrap();
        }
    }
    Arc::new(source)
}

fn with(app: &App, handler: &TestHandler, source: &Arc<MemoryEventSource>) -> HostConfig {
    let mut config = app.config(handler.handler());
    config.event_source = Some(Arc::clone(source) as Arc<dyn twinwright_local_functions_host::EventSource>);
    config
}

async fn checkpoint(host: &FunctionsHost, sequence: i64) {
    let mut events = host.events();
    until(&mut events, |event| match event {
        HostEvent::Checkpointed { sequence_number, .. } if *sequence_number >= sequence => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_the_real_headers_framing_and_arrays() {
    for framing in [Framing::Chunked, Framing::ContentLength] {
        let mut handler = TestHandler::start(|_| reply("{}")).await;
        let app = app(r#""extensions":{"eventHubs":{"maxEventBatchSize":2}}"#, "");
        let mut config = with(&app, &handler, &source(1, 3));
        config.framing = framing;
        config.traceparent = framing == Framing::Chunked;
        let host = start(config).await;
        let call = handler.next().await;
        assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/ingest"));
        let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("content-type"), Some("application/json; charset=utf-8"));
        assert!(header("x-azure-functions-invocationid").is_some_and(|id| id.len() == 36));
        assert!(header("user-agent").is_some_and(|agent| agent.starts_with("Azure-Functions-Host/4.")));
        let chunked = framing == Framing::Chunked;
        assert_eq!(header("transfer-encoding"), chunked.then_some("chunked"));
        assert_eq!(header("content-length").is_some(), !chunked);
        assert_eq!(header("traceparent").is_some(), chunked);
        assert_eq!(call.headers.len(), 6 + usize::from(chunked), "{:?}", call.headers);
        assert!(
            call.body
                .starts_with(br#"{"Data":{"events":"[\"eyJuIjowfQ==\",\"eyJuIjoxfQ==\"]"},"Metadata":{"#)
        );
        assert_eq!(call.metadata("SequenceNumberArray"), json!([0, 1]));
        assert_eq!(call.metadata("SystemPropertiesArray")[1]["iothub-connection-device-id"], "arm-0");
        assert_eq!(handler.next().await.metadata("SequenceNumberArray"), json!([2]));
        host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_retry_policy_a_failed_batch_is_checkpointed() {
    let mut handler = TestHandler::start(|_| status(500)).await;
    let app = app("", "");
    let source = source(1, 1);
    let host = FunctionsHost::start(with(&app, &handler, &source)).await.unwrap();
    checkpoint(&host, 0).await;
    handler.next().await;
    host.stop().await;

    source.push(0, "{}", 0, Map::new(), Map::new());
    let host = start(with(&app, &handler, &source)).await;
    assert_eq!(handler.next().await.metadata("SequenceNumberArray"), json!([1]));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_policy_holds_the_partition_and_says_where_it_stands() {
    let tries = AtomicUsize::new(0);
    let mut handler = TestHandler::start(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => status(503),
        1 => reply("not json"),
        _ => reply("{}"),
    })
    .await;
    let retry = r#","retry":{"strategy":"fixedDelay","maxRetryCount":-1,"delayInterval":"00:00:00.01"}"#;
    let app = app("", retry);
    let host = FunctionsHost::start(with(&app, &handler, &source(1, 1))).await.unwrap();
    checkpoint(&host, 0).await;
    let calls = [handler.next().await, handler.next().await, handler.next().await];
    let context = |index: usize| calls[index].json()["Metadata"]["RetryContext"].clone();
    assert_eq!(
        (context(0)["RetryCount"].clone(), context(0)["MaxRetryCount"].clone()),
        (json!(0), json!(-1))
    );
    assert!(context(0)["Exception"].is_null());
    assert_eq!(context(2)["RetryCount"], json!(2));
    assert!(context(1)["Exception"]["Message"].as_str().unwrap().contains("503"));
    let id = |call: &Call| call.headers["x-azure-functions-invocationid"].clone();
    assert!(calls.iter().all(|call| id(call) == id(&calls[0])));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_policy_gives_the_batch_up() {
    let handler = TestHandler::start(|_| status(500)).await;
    let retry = r#","retry":{"strategy":"exponentialBackoff","maxRetryCount":2,"minimumInterval":"00:00:00.01","maximumInterval":"00:00:00.02"}"#;
    let app = app("", retry);
    let host = FunctionsHost::start(with(&app, &handler, &source(1, 1))).await.unwrap();
    checkpoint(&host, 0).await;
    assert_eq!(handler.count(), 3);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_runs_when_the_host_stops_comes_again() {
    // Long enough for the stop to come first; the drain lets the call end well.
    let mut handler = TestHandler::start(|_| {
        std::thread::sleep(Duration::from_millis(300));
        reply("{}")
    })
    .await;
    let app = app("", "");
    let source = source(1, 1);
    let host = start(with(&app, &handler, &source)).await;
    handler.next().await;
    host.stop().await;
    let host = start(with(&app, &handler, &source)).await;
    assert_eq!(handler.next().await.metadata("SequenceNumberArray"), json!([0]));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_call_at_a_time_in_a_partition_and_partitions_in_parallel() {
    let running: Arc<[AtomicUsize; 2]> = Arc::default();
    let most = Arc::new(AtomicUsize::new(0));
    let (inside, peak) = (Arc::clone(&running), Arc::clone(&most));
    let mut handler = TestHandler::start(move |call| {
        let partition: usize =
            call.json()["Metadata"]["PartitionContext"]["PartitionId"].as_str().unwrap().parse().unwrap();
        assert_eq!(inside[partition].fetch_add(1, Ordering::SeqCst), 0, "two calls in partition {partition}");
        let now = inside.iter().map(|count| count.load(Ordering::SeqCst)).sum();
        peak.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(30));
        inside[partition].fetch_sub(1, Ordering::SeqCst);
        reply("{}")
    })
    .await;
    let app = app(r#""extensions":{"eventHubs":{"maxEventBatchSize":1}}"#, "");
    let host = start(with(&app, &handler, &source(2, 6))).await;
    let mut next = [0, 0];
    for _ in 0..12 {
        let call = handler.next().await;
        let partition: usize =
            call.json()["Metadata"]["PartitionContext"]["PartitionId"].as_str().unwrap().parse().unwrap();
        assert_eq!(call.metadata("SequenceNumberArray"), json!([next[partition]]));
        next[partition] += 1;
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untyped_batch_with_a_body_that_is_no_json_never_reaches_the_handler() {
    let mut handler = TestHandler::start(|_| reply("{}")).await;
    let untyped = MANY.replace(r#""dataType":"binary","#, "").replace("RETRY", "");
    let app = App::new("").function("ingest", &untyped);
    let source = MemoryEventSource::new(1);
    source.push(0, vec![1, 2, 3], 0, Map::new(), Map::new());
    let source = Arc::new(source);
    let host = FunctionsHost::start(with(&app, &handler, &source)).await.unwrap();
    checkpoint(&host, 0).await;
    assert_eq!(handler.count(), 0);
    source.push(0, "{\"a\":1.50}", 0, Map::new(), Map::new());
    assert_eq!(handler.next().await.json()["Data"]["events"], "[{\"a\":1.5}]");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_hangs_until_the_functions_timeout() {
    let answers = AtomicUsize::new(0);
    let mut handler = TestHandler::start(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
        0 => status(200),
        1 => reply("null"),
        _ => reply("{}"),
    })
    .await;
    let app = app(r#""extensions":{"eventHubs":{"maxEventBatchSize":1}}"#, "");
    let mut config = with(&app, &handler, &source(1, 3));
    config.function_timeout = Some(Duration::from_millis(300));
    let host = FunctionsHost::start(config).await.unwrap();
    let mut events = host.events();
    for _ in 0..2 {
        let (cause, duration) = until(&mut events, |event| match event {
            HostEvent::InvocationFailed { cause, duration, .. } => Some((cause.clone(), *duration)),
            _ => None,
        })
        .await;
        assert!(cause.contains("timeout"), "{cause}");
        assert!(duration >= Duration::from_millis(300));
    }
    until(&mut events, |event| matches!(event, HostEvent::InvocationSucceeded { .. }).then_some(())).await;
    assert_eq!(handler.next().await.metadata("SequenceNumberArray"), json!([0]));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_go_to_queues_one_message_an_element_and_logs_are_heard() {
    let handler =
        TestHandler::start(|_| reply(r#"{"Outputs":{"alerts":[{"a":1},{"a":2}]},"Logs":["one line"]}"#))
            .await;
    let out = r#"{"type":"queue","direction":"out","name":"alerts","queueName":"alerts","connection":"S"}]"#;
    let app = App::new("").function("ingest", &MANY.replace("]RETRY", &format!(",{out}")));
    let queues = FolderQueues::new(app.folder.path().join("queues"));
    let mut config = with(&app, &handler, &source(1, 1));
    config.queues = Some(Arc::new(queues.clone()));
    let host = FunctionsHost::start(config).await.unwrap();
    let mut events = host.events();
    until(&mut events, |event| match event {
        HostEvent::Log { line, function: Some(function), .. } if line == "one line" => {
            (function == "ingest").then_some(())
        }
        _ => None,
    })
    .await;
    checkpoint_or_done(&mut events).await;
    let messages = queues.receive("alerts", 10, DEADLINE).await.unwrap();
    let mut bodies: Vec<_> = messages.into_iter().map(|message| message.body).collect();
    bodies.sort();
    assert_eq!(bodies, [r#"{"a":1}"#, r#"{"a":2}"#]);
    host.stop().await;
}

async fn checkpoint_or_done(events: &mut tokio::sync::broadcast::Receiver<HostEvent>) {
    until(events, |event| matches!(event, HostEvent::Checkpointed { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_batch_waits_but_not_for_ever() {
    let mut handler = TestHandler::start(|_| reply("{}")).await;
    let app = app(
        r#""extensions":{"eventHubs":{"minEventBatchSize":3,"maxEventBatchSize":5,"maxWaitTime":"00:00:00.4"}}"#,
        "",
    );
    let source = source(1, 2);
    let host = start(with(&app, &handler, &source)).await;
    assert_eq!(handler.next().await.metadata("SequenceNumberArray"), json!([0, 1]));
    for _ in 0..3 {
        source.push(0, "{}", 0, Map::new(), Map::new());
    }
    assert_eq!(handler.next().await.metadata("SequenceNumberArray"), json!([2, 3, 4]));
    host.stop().await;
}
