//! Whole request bodies.

use base64_simd::STANDARD;
use serde_json::Value;

use super::event::EventSpec;
use crate::event_hub::BodyEncoding;
use crate::time::format_time;

/// `cardinality` of an Event Hubs binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    /// Batches.
    #[default]
    Many,
    /// One event a call.
    One,
}

/// How a host is set up that calls an Event Hubs function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOptions {
    /// Name of the trigger's binding.
    pub binding: String,
    /// Name of the function.
    pub function: String,
    /// One or many events a call.
    pub cardinality: Cardinality,
    /// `dataType` of the binding.
    pub encoding: BodyEncoding,
    /// The partition.
    pub partition_id: String,
    /// Host name of the namespace.
    pub fully_qualified_namespace: String,
    /// Name of the event hub.
    pub event_hub_name: String,
    /// The consumer group.
    pub consumer_group: String,
    /// `(RetryCount, MaxRetryCount)` of a function with a retry policy.
    pub retry: Option<(i64, i64)>,
    /// The host's clock, microseconds since 1970 UTC.
    pub now_us: i64,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            binding: "events".to_owned(),
            function: "ingest".to_owned(),
            cardinality: Cardinality::Many,
            encoding: BodyEncoding::Binary,
            partition_id: "0".to_owned(),
            fully_qualified_namespace: "example.servicebus.windows.net".to_owned(),
            event_hub_name: "telemetry".to_owned(),
            consumer_group: "$Default".to_owned(),
            retry: None,
            now_us: 1_715_962_426_000_000,
        }
    }
}

/// The body of a call of the Event Hubs trigger. Cardinality one takes the first event.
///
/// Bodies that are no UTF-8 are changed as the host changes them where the encoding is text. With
/// [`BodyEncoding::Json`] each body has to be JSON, since the host would not call the handler otherwise; one
/// that is not becomes `null` here.
pub fn event_hub_body(events: &[EventSpec], options: &BatchOptions) -> Vec<u8> {
    let mut text = String::with_capacity(events.iter().map(|event| event.body.len() * 2 + 900).sum());
    text.push_str("{\"Data\":{");
    text.push_str(&json_text(&options.binding));
    text.push(':');
    match (options.cardinality, events.first()) {
        (Cardinality::One, Some(event)) => one(&mut text, event, options),
        _ => many(&mut text, events, options),
    }
    text.push_str(",\"sys\":");
    text.push_str(&system(&options.function, options.now_us));
    if let Some((count, most)) = options.retry {
        text.push_str(&format!(
            ",\"RetryContext\":{{\"RetryCount\":{count},\"MaxRetryCount\":{most},\"Exception\":null,\"Instance\":null,\"State\":{{}}}}"
        ));
    }
    text.push_str("}}");
    text.into_bytes()
}

fn many(text: &mut String, events: &[EventSpec], options: &BatchOptions) {
    let bodies = list(events, |event| match options.encoding {
        BodyEncoding::Binary => format!("\"{}\"", STANDARD.encode_to_string(&event.body)),
        BodyEncoding::Text => json_text(&String::from_utf8_lossy(&event.body)),
        BodyEncoding::Json => match serde_json::from_slice::<Value>(&event.body) {
            Ok(_) => String::from_utf8_lossy(&event.body).into_owned(),
            Err(_) => "null".to_owned(),
        },
    });
    text.push_str(&json_text(&bodies));
    text.push_str("},\"Metadata\":{");
    partition_contexts(text, options);
    let key = |event: &EventSpec| event.partition_key.as_deref().map_or("null".to_owned(), json_text);
    text_member(text, "PartitionKeyArray", &list(events, key));
    text_member(text, "OffsetArray", &list(events, |event| json_text(event.numeric_offset())));
    text_member(text, "OffsetStringArray", &list(events, |event| json_text(&event.offset)));
    text_member(text, "SequenceNumberArray", &list(events, |event| event.sequence_number.to_string()));
    let time = |event: &EventSpec| format!("\"{}\"", format_time(event.enqueued_time_us));
    text_member(text, "EnqueuedTimeUtcArray", &list(events, time));
    text_member(text, "PropertiesArray", &list(events, EventSpec::properties_json));
    text_member(text, "SystemPropertiesArray", &list(events, EventSpec::system_properties_json));
}

fn one(text: &mut String, event: &EventSpec, options: &BatchOptions) {
    let message = String::from_utf8_lossy(&event.body);
    let binary = options.encoding == BodyEncoding::Binary;
    let body = if binary { STANDARD.encode_to_string(&event.body) } else { json_text(&message) };
    text.push_str(&json_text(&body));
    text.push_str("},\"Metadata\":{");
    partition_contexts(text, options);
    if let Some(key) = &event.partition_key {
        text_member(text, "PartitionKey", &json_text(key));
    }
    text_member(text, "Offset", &json_text(event.numeric_offset()));
    text_member(text, "OffsetString", &json_text(&event.offset));
    text_member(text, "SequenceNumber", &event.sequence_number.to_string());
    text_member(text, "EnqueuedTimeUtc", whole_seconds(&format_time(event.enqueued_time_us)));
    text.push_str(&format!(",\"Properties\":{}", event.properties_json()));
    text.push_str(&format!(",\"SystemProperties\":{}", event.system_properties_json()));
    if !binary {
        leak_fields(text, &message);
    }
}

/// The top-level fields of a JSON message, which the host adds to the metadata: objects as they are, scalars as
/// text, arrays not at all. (The real host also writes times anew and drops what it overwrites; here the
/// overwriting entry follows the other, which a reader of JSON sees as the same.)
fn leak_fields(text: &mut String, message: &str) {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(message) else { return };
    for (name, value) in fields {
        let value = match value {
            Value::Array(_) | Value::Null => continue,
            Value::Object(_) => value.to_string(),
            Value::String(scalar) => json_text(&json_text(&scalar)),
            Value::Bool(scalar) => json_text(&json_text(if scalar { "True" } else { "False" })),
            Value::Number(scalar) => json_text(&json_text(&scalar.to_string())),
        };
        if !name.to_ascii_lowercase().ends_with("trigger") {
            text.push_str(&format!(",{}:{value}", json_text(&name)));
        }
    }
}

/// The body of a call of the storage queue trigger; `binary` is its `dataType`. Times are the host's clock.
pub fn queue_body(
    binding: &str,
    message: &[u8],
    dequeue_count: u32,
    id: &str,
    binary: bool,
    now_us: i64,
) -> Vec<u8> {
    let lossy = String::from_utf8_lossy(message);
    let data = if binary { STANDARD.encode_to_string(message) } else { json_text(&lossy) };
    let time = format_time(now_us - now_us.rem_euclid(1_000_000));
    let mut text = format!("{{\"Data\":{{{}:{}}},\"Metadata\":{{", json_text(binding), json_text(&data));
    text.push_str(&format!("\"DequeueCount\":\"{dequeue_count}\""));
    for name in ["ExpirationTime", "InsertionTime", "NextVisibleTime"] {
        text.push_str(&format!(",\"{name}\":\"{time}+00:00\""));
    }
    text_member(&mut text, "Id", &json_text(id));
    text_member(&mut text, "PopReceipt", &json_text("AgAAAAMAAAAAAAAA"));
    text.push_str(&format!(",\"sys\":{}", system("queue", now_us)));
    if !binary {
        leak_fields(&mut text, &lossy);
    }
    text.push_str("}}");
    text.into_bytes()
}

/// The body of a call of the timer trigger. Last and next run in microseconds since 1970 UTC; without them the
/// schedule has no status.
pub fn timer_body(binding: &str, is_past_due: bool, status: Option<(i64, i64)>, now_us: i64) -> Vec<u8> {
    let status = status.map_or("null".to_owned(), |(last, next)| {
        let (last, next) = (format_time(last), format_time(next));
        format!("{{\"Last\":\"{last}+00:00\",\"Next\":\"{next}+00:00\",\"LastUpdated\":\"{last}+00:00\"}}")
    });
    format!(
        "{{\"Data\":{{{}:{{\"Schedule\":{{\"AdjustForDST\":true}},\"ScheduleStatus\":{status},\"IsPastDue\":{is_past_due}}}}},\"Metadata\":{{\"sys\":{}}}}}",
        json_text(binding),
        system("timer", now_us)
    )
    .into_bytes()
}

fn partition_contexts(text: &mut String, options: &BatchOptions) {
    let context = format!(
        "{{\"IsCheckpointingAfterInvocation\":true,\"FullyQualifiedNamespace\":{},\"EventHubName\":{},\"ConsumerGroup\":{},\"PartitionId\":{}}}",
        json_text(&options.fully_qualified_namespace),
        json_text(&options.event_hub_name),
        json_text(&options.consumer_group),
        json_text(&options.partition_id)
    );
    text.push_str(&format!("\"TriggerPartitionContext\":{context},\"PartitionContext\":{context}"));
}

fn system(function: &str, now_us: i64) -> String {
    format!(
        "{{\"MethodName\":{},\"UtcNow\":\"{}Z\",\"RandGuid\":\"7f1c9f1e-6d0a-4a53-9c43-0f3b2b9e4a11\"}}",
        json_text(function),
        format_time(now_us)
    )
}

/// A member whose value is JSON text inside a JSON string.
fn text_member(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!(",\"{name}\":{}", json_text(value)));
}

fn whole_seconds(time: &str) -> &str {
    time.split('.').next().unwrap_or(time)
}

fn list(events: &[EventSpec], entry: impl Fn(&EventSpec) -> String) -> String {
    let mut text = String::from("[");
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&entry(event));
    }
    text.push(']');
    text
}

/// A JSON string with the escapes that Json.NET writes: none for slashes and for text beyond ASCII, but for the
/// three line ends that break JavaScript.
pub(crate) fn json_text(text: &str) -> String {
    Value::String(text.to_owned())
        .to_string()
        .replace('\u{85}', "\\u0085")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
