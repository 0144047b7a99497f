//! Requests as a host writes them, in `tests/golden/<trigger>-<case>/request.json`, and what has to be read from
//! them, in `expected.json` beside. `UPDATE_GOLDEN=1 cargo test` writes the expected side anew.

// What the tests share fails as they do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use azure_functions_rs_custom_handler::{
    BodyEncoding, DecodeOptions, Event, EventHubBatch, HttpInvocation, QueueInvocation, RetryContext,
    SystemMetadata, TimerInvocation,
};
use serde_json::{Value, json};

#[test]
fn every_request_is_read_as_expected() {
    // Asked when it runs: the test may have been compiled in another checkout that shares the target folder.
    let folder = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut cases = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let case = entry.unwrap();
        let name = case.file_name().into_string().unwrap();
        let request = fs::read(case.path().join("request.json")).unwrap();
        let found = describe(&name, &request);
        let expected_path = case.path().join("expected.json");
        cases += 1;
        if update {
            fs::write(&expected_path, format!("{found:#}\n")).unwrap();
            continue;
        }
        let expected: Value = serde_json::from_slice(&fs::read(&expected_path).unwrap()).unwrap();
        if found != expected {
            wrong.push(format!("{name}: found {found:#}, expected {expected:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 15, "only {cases} cases found in {}", folder.display());
}

fn describe(name: &str, request: &[u8]) -> Value {
    let (trigger, case) = name.split_once('-').unwrap();
    let described = match trigger {
        "eventhub" => {
            let encoding = match () {
                () if case.contains("-text") => BodyEncoding::Text,
                () if case.contains("-json") => BodyEncoding::Json,
                () => BodyEncoding::Binary,
            };
            EventHubBatch::parse_with(request, &DecodeOptions { binding: None, encoding })
                .map(|batch| event_hub(&batch))
        }
        "timer" => TimerInvocation::parse(request, None).map(|run| timer(&run)),
        "queue" => QueueInvocation::parse(request, None).map(|message| queue(&message)),
        "http" => HttpInvocation::parse(request, None).map(|request| http(&request)),
        other => panic!("no trigger {other}"),
    };
    described.unwrap_or_else(|error| json!({ "error": error.to_string() }))
}

fn event_hub(batch: &EventHubBatch) -> Value {
    json!({
        "binding": batch.binding,
        "partition_id": batch.partition_id,
        "namespace": batch.fully_qualified_namespace,
        "hub": batch.event_hub_name,
        "consumer_group": batch.consumer_group,
        "retry": retry(batch.retry_context.as_ref()),
        "system": system(&batch.system),
        "events": batch.events().map(event).collect::<Vec<_>>(),
    })
}

fn event(event: Event<'_>) -> Value {
    json!({
        "body": bytes(event.body()),
        "sequence_number": event.sequence_number(),
        "enqueued_time_us": event.enqueued_time_us(),
        "offset": event.offset(),
        "partition_key": event.partition_key(),
        "device_id": event.device_id(),
        "module_id": event.module_id(),
        "auth_generation_id": event.auth_generation_id(),
        "message_source": event.message_source(),
        "message_id": event.message_id(),
        "correlation_id": event.correlation_id(),
        "content_type": event.content_type(),
        "content_encoding": event.content_encoding(),
        "subject": event.subject(),
        "properties": event.properties().unwrap(),
        "auth_method": event.system_property("iothub-connection-auth-method"),
    })
}

fn timer(run: &TimerInvocation) -> Value {
    json!({
        "binding": run.binding,
        "is_past_due": run.is_past_due,
        "adjust_for_dst": run.adjust_for_dst,
        "status": run.schedule_status.map(|status| json!({
            "last_us": status.last_us,
            "next_us": status.next_us,
            "last_updated_us": status.last_updated_us,
        })),
        "retry": retry(run.retry_context.as_ref()),
        "system": system(&run.system),
    })
}

fn queue(message: &QueueInvocation) -> Value {
    json!({
        "binding": message.binding,
        "body": bytes(&message.body),
        "id": message.id,
        "dequeue_count": message.dequeue_count,
        "insertion_time_us": message.insertion_time_us,
        "expiration_time_us": message.expiration_time_us,
        "next_visible_time_us": message.next_visible_time_us,
        "pop_receipt": message.pop_receipt,
        "system": system(&message.system),
    })
}

fn http(request: &HttpInvocation) -> Value {
    json!({
        "binding": request.binding,
        "url": request.url,
        "method": request.method,
        "query": request.query,
        "headers": request.headers,
        "params": request.params,
        "identities": request.identities,
        "body": request.body.as_deref().map(bytes),
        "system": system(&request.system),
    })
}

fn retry(context: Option<&RetryContext>) -> Option<Value> {
    context.map(|retry| json!([retry.retry_count, retry.max_retry_count, retry.exception]))
}

fn system(system: &SystemMetadata) -> Value {
    json!([system.function_name, system.utc_now_us, system.random_id])
}

/// Text where it is text, else the bytes.
fn bytes(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| json!(bytes), |text| json!(text))
}
