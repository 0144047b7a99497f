//! The call of an Event Hub trigger: data in five forms, metadata as arrays or single values.

use bytes::Bytes;
use serde_json::Value;

use super::{
    BindingData, Invocation, NetValue,
    json::{Ordered, quote, quote_into, text},
    time,
};
use crate::{
    settings::{Cardinality, DataType},
    source::SourceEvent,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What stays the same for all events of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Function name.
    pub function: String,
    /// Binding name.
    pub binding: String,
    /// `FullyQualifiedNamespace`.
    pub namespace: String,
    /// `EventHubName`.
    pub event_hub: String,
    /// `ConsumerGroup`.
    pub consumer_group: String,
    /// `PartitionId`.
    pub partition: u32,
}

/// A batch that the host cannot turn into the function's type; the handler is never called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "event {sequence_number} is not JSON ({reason}); set dataType to binary or string so that such a batch can be delivered"
)]
pub struct NotJson {
    /// The first event that is not JSON.
    pub sequence_number: i64,
    /// What the parser said.
    pub reason: String,
}

impl Partition {
    /// One call for a whole batch.
    pub fn many(&self, events: &[SourceEvent], data_type: DataType) -> Result<Invocation, NotJson> {
        let bodies = match data_type {
            DataType::Binary => list(events, |event| format!("\"{}\"", STANDARD.encode(&event.body))),
            DataType::String => list(events, |event| quote(&String::from_utf8_lossy(&event.body))),
            DataType::Unset => {
                let values = events.iter().map(parsed).collect::<Result<Vec<_>, _>>()?;
                Ordered::Array(values).text()
            }
        };
        let mut metadata = self.contexts();
        let mut set = |name: &str, value: String| metadata.set(name, NetValue::Json(value));
        set("PartitionKeyArray", list(events, partition_key));
        set("OffsetArray", list(events, |event| quote(&numeric_offset(event).to_string())));
        set("OffsetStringArray", list(events, |event| quote(&event.offset)));
        set("SequenceNumberArray", list(events, |event| event.sequence_number.to_string()));
        set("EnqueuedTimeUtcArray", list(events, |event| quote(&enqueued_without_zone(event))));
        set("PropertiesArray", list(events, |event| text(&event.properties)));
        set("SystemPropertiesArray", list(events, system_properties));
        metadata.set_sys(&self.function);
        Ok(Invocation { data: vec![(self.binding.clone(), NetValue::Json(bodies))], metadata })
    }

    /// One call for one event.
    pub fn one(&self, event: &SourceEvent, data_type: DataType) -> Invocation {
        let mut metadata = self.contexts();
        if let Some(key) = key_of(event) {
            metadata.set("PartitionKey", NetValue::text(key));
        }
        metadata.set("Offset", NetValue::text(&numeric_offset(event).to_string()));
        metadata.set("OffsetString", NetValue::text(&event.offset));
        metadata.set("SequenceNumber", NetValue::Json(event.sequence_number.to_string()));
        metadata.set("EnqueuedTimeUtc", NetValue::DateTime(time::from_micros(event.enqueued_time_us)));
        metadata.set("Properties", NetValue::Object(text(&event.properties)));
        metadata.set("SystemProperties", NetValue::Object(system_properties(event)));
        metadata.set_sys(&self.function);
        let value = if data_type == DataType::Binary {
            NetValue::Bytes(Bytes::clone(&event.body))
        } else {
            let body = String::from_utf8_lossy(&event.body);
            metadata.leak(&body);
            NetValue::text(&body)
        };
        Invocation { data: vec![(self.binding.clone(), value)], metadata }
    }

    /// One call for one event, or for a batch, by the function's cardinality.
    pub fn calls(
        &self,
        events: &[SourceEvent],
        cardinality: Cardinality,
        data_type: DataType,
    ) -> Vec<Result<Invocation, NotJson>> {
        match cardinality {
            Cardinality::Many => vec![self.many(events, data_type)],
            Cardinality::One => events.iter().map(|event| Ok(self.one(event, data_type))).collect(),
        }
    }

    fn contexts(&self) -> BindingData {
        let context = format!(
            "{{\"IsCheckpointingAfterInvocation\":true,\"FullyQualifiedNamespace\":{},\"EventHubName\":{},\"ConsumerGroup\":{},\"PartitionId\":\"{}\"}}",
            quote(&self.namespace),
            quote(&self.event_hub),
            quote(&self.consumer_group),
            self.partition
        );
        let mut metadata = BindingData::default();
        metadata.set("TriggerPartitionContext", NetValue::Object(context.clone()));
        metadata.set("PartitionContext", NetValue::Object(context));
        metadata
    }
}

fn parsed(event: &SourceEvent) -> Result<Ordered, NotJson> {
    let wrong = |reason: String| NotJson { sequence_number: event.sequence_number, reason };
    let body = String::from_utf8_lossy(&event.body);
    let mut value: Ordered = serde_json::from_str(&body).map_err(|error| wrong(error.to_string()))?;
    value.rewrite_dates();
    Ok(value)
}

fn list(events: &[SourceEvent], form: impl Fn(&SourceEvent) -> String) -> String {
    let mut result = String::from("[");
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            result.push(',');
        }
        result.push_str(&form(event));
    }
    result.push(']');
    result
}

fn key_of(event: &SourceEvent) -> Option<&str> {
    event.system_properties.get("x-opt-partition-key").and_then(Value::as_str)
}

fn partition_key(event: &SourceEvent) -> String {
    key_of(event).map_or_else(|| "null".to_owned(), quote)
}

fn numeric_offset(event: &SourceEvent) -> i64 {
    event.offset.parse().unwrap_or(-1)
}

fn enqueued_without_zone(event: &SourceEvent) -> String {
    time::without_zone(time::from_micros(event.enqueued_time_us))
}

fn system_properties(event: &SourceEvent) -> String {
    // The extension writes five names last, over whatever a sender chose.
    const ADDED: [&str; 5] = ["SequenceNumber", "Offset", "OffsetString", "PartitionKey", "EnqueuedTimeUtc"];
    let enqueued = enqueued_without_zone(event);
    let offset = quote(&event.offset);
    let mut result = String::with_capacity(512);
    let mut add = |name: &str, value: &str| {
        result.push(if result.is_empty() { '{' } else { ',' });
        quote_into(&mut result, name);
        result.push(':');
        result.push_str(value);
    };
    for (name, value) in event.system_properties.iter().filter(|(name, _)| !ADDED.contains(&name.as_str())) {
        add(name, &text(value));
    }
    let number = event.sequence_number.to_string();
    let missing = |name: &str| !event.system_properties.contains_key(name);
    if missing("x-opt-sequence-number") {
        add("x-opt-sequence-number", &number);
    }
    if missing("x-opt-offset") {
        add("x-opt-offset", &offset);
    }
    if missing("x-opt-enqueued-time") {
        add("x-opt-enqueued-time", &format!("\"{enqueued}+00:00\""));
    }
    add("SequenceNumber", &number);
    add("Offset", &numeric_offset(event).to_string());
    add("OffsetString", &offset);
    add("PartitionKey", &partition_key(event));
    add("EnqueuedTimeUtc", &format!("\"{enqueued}\""));
    result.push('}');
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn event(sequence_number: i64, body: &'static [u8]) -> SourceEvent {
        SourceEvent {
            sequence_number,
            offset: (sequence_number * 100).to_string(),
            enqueued_time_us: 1_715_962_425_120_000,
            body: Bytes::from_static(body),
            system_properties: Map::new(),
            properties: Map::new(),
        }
    }

    fn partition() -> Partition {
        Partition {
            function: "ingest".to_owned(),
            binding: "events".to_owned(),
            namespace: "localhost".to_owned(),
            event_hub: "hub".to_owned(),
            consumer_group: "$Default".to_owned(),
            partition: 0,
        }
    }

    fn data(invocation: &Invocation) -> String {
        let body = String::from_utf8(invocation.body(None).to_vec()).unwrap();
        body.split_once(",\"Metadata\"").unwrap().0.to_owned()
    }

    fn metadata(invocation: &Invocation) -> Value {
        serde_json::from_slice::<Value>(&invocation.body(None)).unwrap()["Metadata"].clone()
    }

    #[test]
    fn the_five_forms_of_data() {
        let (first, second, third) =
            (event(59, b"{\"t\":21.5}"), event(60, b"{\"t\":22}"), event(61, &[1, 2, 3]));
        let texts = [first.clone(), second];
        let many = |events: &[SourceEvent], kind| data(&partition().many(events, kind).unwrap());
        assert_eq!(many(&texts, DataType::Unset), r#"{"Data":{"events":"[{\"t\":21.5},{\"t\":22}]"}"#);
        assert_eq!(
            many(&texts, DataType::String),
            r#"{"Data":{"events":"[\"{\\\"t\\\":21.5}\",\"{\\\"t\\\":22}\"]"}"#
        );
        assert_eq!(
            many(&[first.clone(), third.clone()], DataType::Binary),
            r#"{"Data":{"events":"[\"eyJ0IjoyMS41fQ==\",\"AQID\"]"}"#
        );
        let one = partition().one(&first, DataType::String);
        assert_eq!(data(&one), r#"{"Data":{"events":"\"{\\\"t\\\":21.5}\""}"#);
        assert_eq!(metadata(&one)["t"], "\"21.5\"");
        assert_eq!(
            data(&partition().one(&first, DataType::Binary)),
            r#"{"Data":{"events":"eyJ0IjoyMS41fQ=="}"#
        );
        assert_eq!(partition().many(&[first, third], DataType::Unset).unwrap_err().sequence_number, 61);
    }

    #[test]
    fn metadata_arrays_are_texts_and_contexts_are_objects() {
        let mut second = event(60, b"{}");
        second.system_properties.insert("x-opt-partition-key".to_owned(), json!("arm"));
        second.offset = "a/b".to_owned();
        let many =
            metadata(&partition().many(&[event(59, b"{}"), second.clone()], DataType::Binary).unwrap());
        assert_eq!(many["SequenceNumberArray"], "[59,60]");
        assert_eq!(many["PartitionKeyArray"], "[null,\"arm\"]");
        assert_eq!(many["OffsetArray"], "[\"5900\",\"-1\"]");
        assert_eq!(many["OffsetStringArray"], "[\"5900\",\"a/b\"]");
        assert_eq!(many["EnqueuedTimeUtcArray"], "[\"2024-05-17T16:13:45.12\",\"2024-05-17T16:13:45.12\"]");
        assert_eq!(many["PropertiesArray"], "[{},{}]");
        assert_eq!(many["PartitionContext"]["PartitionId"], "0");
        assert_eq!(many["sys"]["MethodName"], "ingest");
        let system: Value = serde_json::from_str(many["SystemPropertiesArray"].as_str().unwrap()).unwrap();
        assert_eq!(system[0]["SequenceNumber"], 59);
        assert_eq!(system[0]["PartitionKey"], Value::Null);
        assert_eq!(system[0]["x-opt-enqueued-time"], "2024-05-17T16:13:45.12+00:00");

        let one = metadata(&partition().one(&second, DataType::Binary));
        assert_eq!(one["PartitionKey"], "\"arm\"");
        assert_eq!(one["SequenceNumber"], "60");
        assert_eq!(one["EnqueuedTimeUtc"], "2024-05-17T16:13:45");
        assert_eq!(one["Offset"], "\"-1\"");
        assert_eq!(metadata(&partition().one(&event(1, b"x"), DataType::String)).get("PartitionKey"), None);
    }

    #[test]
    fn payload_fields_clobber_metadata_of_a_single_text() {
        let one = metadata(&partition().one(&event(7, br#"{"sequencenumber":99}"#), DataType::String));
        assert_eq!(one["SequenceNumber"], "\"99\"");
    }
}
