//! Event routes: what endpoints get, again after failures and restarts, and what becomes of what they refuse. All of it in
//! one file, because all of it needs the same endpoint.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use base64::Engine;
use common::{Service, machine, start_configured, until};
use serde_json::{Value, json};
use twinwright_local_digital_twins::{
    CloudEvent, Delivery, EndpointConfig, EndpointKind, EventGridSchema, EventSink, HistoryBatch, HistoryRow,
    HistorySink, SendError,
};

/// What a receiver was sent: method, headers, body.
type Received = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

/// A server that keeps what it gets and answers with the statuses of a list, the last one for ever.
async fn receiver(statuses: Vec<u16>) -> (SocketAddr, Received) {
    let received: Received = Arc::default();
    let kept = Arc::clone(&received);
    let statuses = Arc::new(Mutex::new(statuses));
    let router = Router::new().fallback(move |request: Request| {
        let (kept, statuses) = (Arc::clone(&kept), Arc::clone(&statuses));
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let line = format!("{} {}", parts.method, parts.uri);
            let handshake = parts.method == "OPTIONS";
            kept.lock().unwrap().push((line, parts.headers, String::from_utf8(body.to_vec()).unwrap()));
            if handshake {
                return (StatusCode::OK, [("webhook-allowed-origin", "*")]).into_response();
            }
            let mut statuses = statuses.lock().unwrap();
            let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
            StatusCode::from_u16(status).unwrap().into_response()
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, received)
}

fn quick() -> Delivery {
    Delivery {
        attempts: 4,
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(50),
        ..Delivery::default()
    }
}

fn endpoint(name: &str, kind: EndpointKind) -> EndpointConfig {
    EndpointConfig { delivery: quick(), ..EndpointConfig::new(name, kind) }
}

fn event_grid(address: SocketAddr) -> EndpointKind {
    EndpointKind::EventGrid {
        url: format!("http://{address}/topic"),
        schema: EventGridSchema::CloudEvents,
        handshake: true,
        key: Some("the key".to_owned()),
    }
}

async fn route(service: &Service, id: &str, endpoint: &str, filter: &str) {
    let body = json!({"endpointName": endpoint, "filter": filter});
    service.put(&format!("/eventroutes/{id}"), body).await.expect(204, "");
}

/// Keeps events, and refuses while it is told to.
#[derive(Debug, Default)]
struct Kept {
    events: Mutex<Vec<CloudEvent>>,
    refuse: Mutex<Option<SendError>>,
}

#[async_trait::async_trait]
impl EventSink for Kept {
    async fn send(&self, events: &[CloudEvent]) -> Result<(), SendError> {
        if let Some(error) = self.refuse.lock().unwrap().clone() {
            return Err(error);
        }
        self.events.lock().unwrap().extend_from_slice(events);
        Ok(())
    }
}

impl Kept {
    async fn wait_for(&self, count: usize) -> Vec<CloudEvent> {
        until("events", async || {
            let events = self.events.lock().unwrap();
            (events.len() >= count).then(|| events.clone())
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_made_listed_and_deleted() {
    let kept = Arc::new(Kept::default());
    let service = start_configured(|config| {
        config.endpoints.push(endpoint("kept", EndpointKind::Sink(kept.clone())));
    })
    .await;
    assert_eq!(service.get("/eventroutes").await.body, json!({"value": [], "nextLink": null}));
    let good = json!({"endpointName": "kept", "filter": "true"});
    for (body, code) in [
        (json!({"endpointName": "none", "filter": "true"}), "EventRouteEndpointInvalid"),
        (json!({"filter": "true"}), "EventRouteEndpointInvalid"),
        (json!({"endpointName": "kept"}), "EventRouteFilterInvalid"),
        (json!({"endpointName": "kept", "filter": "type ="}), "EventRouteFilterInvalid"),
        (json!([]), "InvalidArgument"),
    ] {
        service.put("/eventroutes/a", body).await.expect(400, code);
    }
    service.put("/eventroutes/a%20b", good.clone()).await.expect(400, "EventRouteIdInvalid");
    for index in 0..6 {
        service.put(&format!("/eventroutes/r{index}"), good.clone()).await.expect(204, "");
    }
    service.put("/eventroutes/r6", good.clone()).await.expect(400, "LimitExceeded");
    service.put("/eventroutes/r5", good).await.expect(204, "");
    let read = service.get("/eventroutes/r5").await.expect(200, "");
    assert_eq!(read.body, json!({"id": "r5", "endpointName": "kept", "filter": "true"}));
    let page = service.send("GET", "/eventroutes", None, &[("max-items-per-page", "4")]).await;
    assert_eq!(page.body["value"].as_array().unwrap().len(), 4);
    let rest = service.get(page.body["nextLink"].as_str().unwrap()).await.body;
    assert_eq!((rest["value"].as_array().unwrap().len(), &rest["nextLink"]), (2, &Value::Null));
    let service = service
        .restart_configured(|config| {
            config.endpoints.push(endpoint("kept", EndpointKind::Sink(kept)));
        })
        .await;
    service.delete("/eventroutes/r5").await.expect(204, "");
    service.delete("/eventroutes/r5").await.expect(404, "EventRouteNotFound");
    service.get("/eventroutes/r5").await.expect(404, "EventRouteNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_event_has_its_documented_body() {
    let kept = Arc::new(Kept::default());
    let service = start_configured(|config| {
        config.host_name = "plant.example".to_owned();
        config.endpoints.push(endpoint("kept", EndpointKind::Sink(kept.clone())));
    })
    .await
    .with_models()
    .await;
    route(&service, "all", "kept", "true").await;
    let service = service.with_line(1).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let patch = json!([{"op": "replace", "path": "/speed", "value": 40}, {"op": "add", "path": "/health/score", "value": 30}]);
    service
        .send("PATCH", "/digitaltwins/machine-000", Some(patch.clone()), &[("traceparent", trace)])
        .await
        .expect(204, "");
    let relationship = "/digitaltwins/line/relationships/has-000";
    let since = json!([{"op": "replace", "path": "/since", "value": "2026-03-01"}]);
    service.patch(relationship, since.clone()).await.expect(204, "");
    let headers = [("message-id", "m-7"), ("telemetry-source-time", "2026-01-31T12:00:00Z")];
    let telemetry = "/digitaltwins/machine-000/components/health/telemetry";
    service.send("POST", telemetry, Some(json!({"raw": 1})), &headers).await.expect(204, "");
    service.put("/digitaltwins/machine-000", machine(7)).await.expect(200, "");
    service.delete(relationship).await.expect(204, "");
    service.delete("/digitaltwins/machine-000").await.expect(204, "");
    let events = kept.wait_for(9).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.rsplit('.').next().unwrap()).collect();
    let wanted =
        ["Create", "Create", "Create", "Update", "Update", "telemetry", "Update", "Delete", "Delete"];
    assert_eq!(kinds, wanted);
    let subjects: Vec<_> = events.iter().map(|event| event.subject.as_deref().unwrap_or_default()).collect();
    let twin = "machine-000";
    let joined = "line/relationships/has-000";
    assert_eq!(subjects, ["line", twin, joined, twin, joined, "health", twin, joined, twin]);
    assert_eq!(events[1].data["$dtId"], twin);
    assert!(events[1].data["$metadata"]["$lastUpdateTime"].is_string());
    assert_eq!(events[3].data, json!({"modelId": "dtmi:plant:Machine;1", "patch": patch}));
    assert_eq!(events[3].traceparent, trace);
    assert_eq!(events[4].data, json!({"modelId": "dtmi:plant:Line;1", "patch": since}));
    assert_eq!(events[5].id, "m-7");
    assert_eq!(events[5].source, "plant.example/digitaltwins/machine-000");
    assert_eq!(events[5].dataschema.as_deref(), Some("dtmi:plant:Health;1"));
    assert_eq!(events[5].time, "2026-01-31T12:00:00.0000000Z");
    assert_eq!(events[5].data, json!({"raw": 1}));
    let replaced = json!([{"op": "replace", "path": "/health/score", "value": 0.5}, {"op": "replace", "path": "/speed", "value": 7}]);
    assert_eq!(events[6].data["patch"], replaced);
    assert_eq!(events[7].data["$targetId"], twin);
    assert_eq!(events[8].data["speed"], 7);
    assert!(events.iter().all(|event| event.specversion == "1.0" && !event.id.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_gets_batches_after_it_came_back() {
    let (address, received) = receiver(vec![503, 503, 200]).await;
    let service = start_configured(|config| config.endpoints.push(endpoint("grid", event_grid(address))))
        .await
        .with_models()
        .await;
    route(
        &service,
        "updates",
        "grid",
        "type = 'Microsoft.DigitalTwins.Twin.Create' AND STARTS_WITH(subject, 'mach')",
    )
    .await;
    let service = service.with_line(2).await;
    let found = until("both events", async || {
        let received = received.lock().unwrap();
        let ids: std::collections::BTreeSet<String> = received
            .iter()
            .filter_map(|(_, _, body)| serde_json::from_str::<Vec<Value>>(body).ok())
            .flatten()
            .map(|event| event["subject"].as_str().unwrap().to_owned())
            .collect();
        (ids.len() == 2 && received.len() >= 4).then(|| received.clone())
    })
    .await;
    assert_eq!(found[0].0, "OPTIONS /topic");
    let (line, headers, body) = &found[1];
    assert_eq!(line, "POST /topic");
    assert_eq!(headers["aeg-sas-key"], "the key");
    assert!(headers["content-type"].to_str().unwrap().starts_with("application/cloudevents-batch+json"));
    let event = &serde_json::from_str::<Value>(body).unwrap()[0];
    assert_eq!(
        (event["specversion"].as_str(), event["subject"].as_str()),
        (Some("1.0"), Some("machine-000"))
    );
    assert_eq!(event["data"]["data"]["$dtId"], "machine-000");
    drop(service);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_queue_gets_a_message_for_each_event() {
    let (address, received) = receiver(vec![201]).await;
    let service = start_configured(|config| {
        let url = format!("http://{address}/account/events?sig=secret");
        config.endpoints.push(endpoint("queue", EndpointKind::StorageQueue { url }));
    })
    .await
    .with_models()
    .await;
    route(&service, "all", "queue", "$body.$metadata.$model = 'dtmi:plant:Machine;1'").await;
    let service = service.with_line(2).await;
    let found = until("two messages", async || {
        let received = received.lock().unwrap();
        (received.len() == 2).then(|| received.clone())
    })
    .await;
    assert_eq!(found[0].0, "POST /account/events/messages?sig=secret");
    let text = found[0].2.strip_prefix("<QueueMessage><MessageText>").unwrap();
    let text = text.strip_suffix("</MessageText></QueueMessage>").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let event: CloudEvent = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(event.subject.as_deref(), Some("machine-000"));
    drop(service);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_becomes_a_dead_letter_with_its_reason() {
    let kept = Arc::new(Kept::default());
    *kept.refuse.lock().unwrap() = Some(SendError::Never("the endpoint is full of itself".to_owned()));
    let service = start_configured(|config| {
        config.endpoints.push(endpoint("kept", EndpointKind::Sink(kept.clone())));
    })
    .await
    .with_models()
    .await;
    route(&service, "all", "kept", "true").await;
    service.put("/digitaltwins/a", machine(1)).await.expect(200, "");
    let folder = service.folder.path().join("dead-letters").join("kept");
    let line = until("a dead letter", async || {
        let file = std::fs::read_dir(&folder).ok()?.next()?.ok()?;
        let text = std::fs::read_to_string(file.path()).ok()?;
        serde_json::from_str::<Value>(text.lines().next()?).ok()
    })
    .await;
    assert_eq!(line["deadLetterReason"], "the endpoint is full of itself");
    assert_eq!(line["event"]["subject"], "a");
    *kept.refuse.lock().unwrap() = None;
    service.put("/digitaltwins/b", machine(1)).await.expect(200, "");
    assert_eq!(kept.wait_for(1).await[0].subject.as_deref(), Some("b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_delivered_after_a_restart() {
    let kept = Arc::new(Kept::default());
    *kept.refuse.lock().unwrap() =
        Some(SendError::Later { reason: "away".to_owned(), after: Some(Duration::from_secs(60)) });
    let patient = |kept: &Arc<Kept>| EndpointConfig {
        delivery: Delivery { longest_pause: Duration::from_secs(60), ..quick() },
        ..EndpointConfig::new("kept", EndpointKind::Sink(Arc::clone(kept) as _))
    };
    let service = start_configured(|config| config.endpoints.push(patient(&kept))).await.with_models().await;
    route(&service, "all", "kept", "true").await;
    for index in 0..5 {
        service.put(&format!("/digitaltwins/m{index}"), machine(index)).await.expect(200, "");
    }
    *kept.refuse.lock().unwrap() = None;
    let service = service.restart_configured(|config| config.endpoints.push(patient(&kept))).await;
    let subjects: Vec<_> = kept.wait_for(5).await.into_iter().filter_map(|event| event.subject).collect();
    assert_eq!(subjects, ["m0", "m1", "m2", "m3", "m4"]);
    drop(service);
}

/// Keeps rows, and fails the first time.
#[derive(Debug, Default)]
struct Tables {
    batches: Mutex<Vec<HistoryBatch>>,
    failed: Mutex<bool>,
}

#[async_trait::async_trait]
impl HistorySink for Tables {
    async fn store(&self, batch: HistoryBatch) -> Result<(), String> {
        if !std::mem::replace(&mut *self.failed.lock().unwrap(), true) {
            return Err("the disk is full".to_owned());
        }
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_rows_have_the_documented_columns() {
    let tables = Arc::new(Tables::default());
    let service = start_configured(|config| {
        config.host_name = "plant.example".to_owned();
        config.history = Some(tables.clone());
    })
    .await
    .with_models()
    .await
    .with_line(1)
    .await;
    let patch = json!([{"op": "add", "path": "/$metadata/speed/sourceTime", "value": "2026-01-31T12:00:00Z"},
        {"op": "replace", "path": "/speed", "value": 40}, {"op": "add", "path": "/place", "value": {"hall": "B"}},
        {"op": "add", "path": "/place/row", "value": 2}, {"op": "replace", "path": "/health/score", "value": 1}]);
    service.patch("/digitaltwins/machine-000", patch).await.expect(204, "");
    service
        .patch("/digitaltwins/machine-000", json!([{"op": "remove", "path": "/place"}]))
        .await
        .expect(204, "");
    let since = json!([{"op": "replace", "path": "/since", "value": "2026-03-01"}]);
    service.patch("/digitaltwins/line/relationships/has-000", since).await.expect(204, "");
    service.delete("/digitaltwins/line/relationships/has-000").await.expect(204, "");
    service.delete("/digitaltwins/machine-000").await.expect(204, "");
    let rows: Vec<HistoryRow> = until("all rows", async || {
        let batches = tables.batches.lock().unwrap();
        let rows: Vec<HistoryRow> =
            batches.iter().flat_map(|batch| batch.rows.iter().map(|(_, row)| row.clone())).collect();
        (rows.len() >= 14).then_some(rows)
    })
    .await;
    let shown: Vec<String> = rows
        .iter()
        .map(|row| match row {
            HistoryRow::Twin(row) => format!("{} {} {}", row.action, row.twin_id, row.model_id),
            HistoryRow::Relationship(row) => {
                format!("{} {} {} {}", row.action, row.relationship_id, row.source, row.target)
            }
            HistoryRow::Property(row) => {
                assert_eq!((row.service_id.as_str(), row.time_stamp.len()), ("plant.example", 28));
                let relationship = row.relationship_id.as_deref().unwrap_or("-");
                format!("{:?} {} {relationship} {}={}", row.action, row.id, row.key, row.value)
            }
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Create line dtmi:plant:Line;1",
            "Update line - name=\"A\"",
            "Create machine-000 dtmi:plant:Machine;1",
            "Update machine-000 - health.score=0.5",
            "Update machine-000 - speed=0",
            "Create has-000 line machine-000",
            "Update line has-000 since=\"2026-01-01\"",
            "Update machine-000 - speed=40",
            "Update machine-000 - place={\"hall\":\"B\",\"row\":2}",
            "Update machine-000 - health.score=1",
            "Delete machine-000 - place=null",
            "Update line has-000 since=\"2026-03-01\"",
            "Delete has-000 line machine-000",
            "Delete machine-000 dtmi:plant:Machine;1",
        ]
    );
    let HistoryRow::Property(speed) = &rows[7] else { panic!("{:?}", rows[7]) };
    assert_eq!(speed.source_time_stamp.as_deref(), Some("2026-01-31T12:00:00.0000000Z"));
    let columns = serde_json::to_value(&rows[11]).unwrap();
    assert_eq!((&columns["RelationshipTarget"], &columns["Key"]), (&json!("machine-000"), &json!("since")));
    assert!(tables.batches.lock().unwrap().windows(2).all(|pair| pair[0].last < pair[1].first));
}
