//! One suite for every queue service: the folder, and Azurite when it is there.
//!
//! `TWINWRIGHT_AZURITE` names a folder in which `npm install azurite` was run, or the connection string of a running one.

use std::{collections::HashSet, path::Path, process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use twinwright_local_functions_host::{AzureQueues, FolderQueues, MessageEncoding, QueueError, QueueService};

use crate::support::DEADLINE;

const HIDDEN: Duration = Duration::from_secs(30);

async fn suite(service: &dyn QueueService) {
    missing_and_bad_names(service).await;
    a_message_goes_round(service).await;
    visibility_ends(service).await;
    stale_receipts(service).await;
    bodies(service).await;
    two_receivers(service).await;
}

async fn missing_and_bad_names(service: &dyn QueueService) {
    for name in ["", "ab", "Upper", "a--b", "-ab", "../x"] {
        assert!(matches!(service.create(name).await, Err(QueueError::Name(_))), "{name}");
    }
    assert!(matches!(service.receive("missing", 1, HIDDEN).await, Err(QueueError::NotFound(_))));
    assert!(matches!(service.send("missing", Bytes::new()).await, Err(QueueError::NotFound(_))));
}

async fn a_message_goes_round(service: &dyn QueueService) {
    service.create("round").await.unwrap();
    service.create("round").await.unwrap();
    assert!(service.receive("round", 1, HIDDEN).await.unwrap().is_empty());
    for body in ["first", "second"] {
        service.send("round", Bytes::from(body)).await.unwrap();
    }
    let messages = service.receive("round", 32, HIDDEN).await.unwrap();
    assert_eq!(messages.iter().map(|message| message.body.clone()).collect::<Vec<_>>(), ["first", "second"]);
    assert!(messages.iter().all(|message| message.dequeue_count == 1));
    assert!(messages[0].expiration > messages[0].insertion_time);
    assert!(messages[0].next_visible > messages[0].insertion_time);
    assert!(service.receive("round", 32, HIDDEN).await.unwrap().is_empty());
    for message in &messages {
        service.delete("round", message).await.unwrap();
        assert!(matches!(service.delete("round", message).await, Err(QueueError::Receipt { .. })));
    }
}

async fn visibility_ends(service: &dyn QueueService) {
    service.create("visible").await.unwrap();
    service.send("visible", Bytes::from_static(b"x")).await.unwrap();
    let first = one(service, "visible").await;
    let released = service.set_visibility("visible", &first, Duration::ZERO).await.unwrap();
    assert_ne!(released.pop_receipt, first.pop_receipt);
    let second = one(service, "visible").await;
    assert_eq!((second.id.as_str(), second.dequeue_count), (first.id.as_str(), 2));
    service.delete("visible", &second).await.unwrap();
}

async fn stale_receipts(service: &dyn QueueService) {
    service.create("stale").await.unwrap();
    service.send("stale", Bytes::from_static(b"x")).await.unwrap();
    let first = one(service, "stale").await;
    let held = service.set_visibility("stale", &first, HIDDEN).await.unwrap();
    assert!(matches!(service.delete("stale", &first).await, Err(QueueError::Receipt { .. })));
    assert!(matches!(service.set_visibility("stale", &first, HIDDEN).await, Err(QueueError::Receipt { .. })));
    service.delete("stale", &held).await.unwrap();
}

async fn bodies(service: &dyn QueueService) {
    service.create("bodies").await.unwrap();
    let most = 48 * 1024;
    let texts = [
        Bytes::from(vec![0, 159, 146, 150, 255]),
        Bytes::from("<&>\r\n\"ü\u{1}"),
        Bytes::from(vec![b'x'; most]),
    ];
    for body in texts {
        service.send("bodies", body.clone()).await.unwrap();
        let message = one(service, "bodies").await;
        assert_eq!(message.body, body);
        service.delete("bodies", &message).await.unwrap();
    }
    let error = service.send("bodies", Bytes::from(vec![b'x'; most + 1])).await.unwrap_err();
    assert!(matches!(error, QueueError::TooLarge { .. }), "{error}");
}

async fn two_receivers(service: &dyn QueueService) {
    service.create("shared").await.unwrap();
    for number in 0..40 {
        service.send("shared", Bytes::from(number.to_string())).await.unwrap();
    }
    let receive = || async {
        let mut found = Vec::new();
        loop {
            let messages = service.receive("shared", 7, HIDDEN).await.unwrap();
            if messages.is_empty() {
                return found;
            }
            found.extend(messages.into_iter().map(|message| message.id));
        }
    };
    let (left, right) = futures::join!(receive(), receive());
    let together: HashSet<_> = left.iter().chain(&right).collect();
    assert_eq!((left.len() + right.len(), together.len()), (40, 40));
}

async fn one(service: &dyn QueueService, queue: &str) -> twinwright_local_functions_host::QueueMessage {
    let wait = async {
        loop {
            if let Some(message) = service.receive(queue, 1, HIDDEN).await.unwrap().pop() {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("a message in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn folder() {
    let folder = tempfile::tempdir().unwrap();
    suite(&FolderQueues::new(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_messages_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let service = FolderQueues::new(folder.path());
    service.create("kept").await.unwrap();
    service.send("kept", Bytes::from_static(b"x")).await.unwrap();
    let held = one(&service, "kept").await;
    let again = FolderQueues::new(folder.path());
    assert!(again.receive("kept", 1, HIDDEN).await.unwrap().is_empty());
    again.set_visibility("kept", &held, Duration::ZERO).await.unwrap();
    assert_eq!(one(&again, "kept").await.dequeue_count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_wakes_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let service = Arc::new(FolderQueues::new(folder.path()));
    service.create("wake").await.unwrap();
    let waiting = Arc::clone(&service);
    let waiter = tokio::spawn(async move { waiting.wait("wake", Duration::from_secs(600)).await });
    service.send("wake", Bytes::from_static(b"x")).await.unwrap();
    tokio::time::timeout(DEADLINE, waiter).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let Ok(place) = std::env::var("TWINWRIGHT_AZURITE") else {
        println!("skipped: TWINWRIGHT_AZURITE names no Azurite");
        return;
    };
    if place.contains("QueueEndpoint=") || place.starts_with("UseDevelopmentStorage") {
        return suite(&AzureQueues::new(&place, MessageEncoding::Base64).unwrap()).await;
    }
    let script = ["node_modules/azurite/dist/src/queue/main.js", "dist/src/queue/main.js"]
        .iter()
        .map(|path| Path::new(&place).join(path))
        .find(|path| path.is_file());
    let Some(script) = script else {
        println!("skipped: there is no Azurite in {place}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = tokio::process::Command::new("node")
        .arg(script)
        .args(["--queueHost", "127.0.0.1", "--queuePort", &port.to_string(), "--location"])
        .arg(folder.path())
        .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ready = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(server.try_wait().unwrap().is_none(), "Azurite ended before it listened");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ready).await.expect("Azurite listens in time");
    let connection =
        format!("UseDevelopmentStorage=true;QueueEndpoint=http://127.0.0.1:{port}/devstoreaccount1");
    suite(&AzureQueues::new(&connection, MessageEncoding::Base64).unwrap()).await;
    server.kill().await.unwrap();
}
