//! Queue triggers: once done a message is gone; what fails too often is set aside.

use std::sync::Arc;

use bytes::Bytes;
use twinwright_local_functions_host::{FolderQueues, FunctionsHost, HostEvent, QueueService as _};

use crate::support::{App, DEADLINE, TestHandler, reply, start, status, until};

const FUNCTION: &str = r#"{"bindings":[{"type":"queueTrigger","direction":"in","name":"alert","queueName":"alerts","connection":"S"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered_once_and_then_gone() {
    let mut handler = TestHandler::start(|_| reply("{}")).await;
    let app = App::new("").function("notify", FUNCTION);
    let queues = FolderQueues::new(app.folder.path().join("queues"));
    let mut config = app.config(handler.handler());
    config.queues = Some(Arc::new(queues.clone()));
    let host = start(config).await;
    let mut events = host.events();
    queues.send("alerts", Bytes::from_static(br#"{"device":"arm"}"#)).await.unwrap();
    let call = handler.next().await;
    assert_eq!(call.path, "/notify");
    assert_eq!(call.json()["Data"]["alert"], r#""{\"device\":\"arm\"}""#);
    assert_eq!(call.json()["Metadata"]["DequeueCount"], "1");
    assert_eq!(call.json()["Metadata"]["device"], "\"arm\"");
    until(&mut events, |event| matches!(event, HostEvent::InvocationSucceeded { .. }).then_some(())).await;
    host.stop().await;
    let left = std::fs::read_dir(app.folder.path().join("queues/alerts")).unwrap();
    assert_eq!(left.filter(|entry| entry.as_ref().unwrap().path().is_file()).count(), 0);
    assert_eq!(handler.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fifth_failure_poisons_the_message() {
    let handler = TestHandler::start(|_| status(500)).await;
    let app = App::new("").function("notify", FUNCTION);
    let queues = FolderQueues::new(app.folder.path().join("queues"));
    queues.create("alerts").await.unwrap();
    queues.send("alerts", Bytes::from_static(b"bad \xff")).await.unwrap();
    let mut config = app.config(handler.handler());
    config.queues = Some(Arc::new(queues.clone()));
    let host = FunctionsHost::start(config).await.unwrap();
    let mut events = host.events();
    let queue = until(&mut events, |event| match event {
        HostEvent::QueueMessagePoisoned { queue, .. } => Some(queue.clone()),
        _ => None,
    })
    .await;
    assert_eq!(queue, "alerts-poison");
    assert_eq!(handler.count(), 5);
    let poisoned = queues.receive("alerts-poison", 1, DEADLINE).await.unwrap();
    assert_eq!(poisoned[0].body, Bytes::from_static(b"bad \xff"));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_path_runs_a_queue_function_for_json_requests_only() {
    let mut handler = TestHandler::start(|_| reply("{}")).await;
    let app = App::new("").function("notify", FUNCTION);
    let mut config = app.config(handler.handler());
    config.queues = Some(Arc::new(FolderQueues::new(app.folder.path().join("queues"))));
    let host = start(config).await;
    let url = format!("http://{}/admin/functions/notify", host.address());
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let refused = client.post(&url).body(r#"{"input":"hi"}"#).send().await.unwrap();
    assert_eq!(refused.status(), 415);
    let taken = client
        .post(&url)
        .header("content-type", "application/json")
        .body(r#"{"input":"hi"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(taken.status(), 202);
    assert_eq!(handler.next().await.json()["Data"]["alert"], "\"hi\"");
    let unknown = client
        .post(url.replace("notify", "nobody"))
        .header("content-type", "application/json")
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
    host.stop().await;
}
