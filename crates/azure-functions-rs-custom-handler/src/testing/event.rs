//! An event before the host has wrapped it.

use std::fmt::Write as _;

use super::body::json_text;
use crate::time::format_time;

/// One event as Event Hubs holds it. `Default` is an empty event of no device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventSpec {
    /// The message.
    pub body: Vec<u8>,
    /// Position in the partition.
    pub sequence_number: i64,
    /// The hub's own offset; a number in all hubs but the newest.
    pub offset: String,
    /// Microseconds since 1970 UTC.
    pub enqueued_time_us: i64,
    /// `iothub-connection-device-id`; with it come the other properties that IoT Hub adds.
    pub device_id: Option<String>,
    /// `iothub-connection-module-id`.
    pub module_id: Option<String>,
    /// `iothub-connection-auth-generation-id`.
    pub auth_generation_id: Option<String>,
    /// `iothub-message-source`.
    pub message_source: Option<String>,
    /// `message-id`.
    pub message_id: Option<String>,
    /// `correlation-id`.
    pub correlation_id: Option<String>,
    /// `content-type`.
    pub content_type: Option<String>,
    /// `content-encoding`.
    pub content_encoding: Option<String>,
    /// `dt-subject`.
    pub subject: Option<String>,
    /// The partition key.
    pub partition_key: Option<String>,
    /// Application properties in order.
    pub properties: Vec<(String, String)>,
}

impl EventSpec {
    /// A telemetry message of an IoT Hub device, as the hub annotates it.
    pub fn telemetry(device_id: &str, sequence_number: i64, enqueued_time_us: i64, body: &[u8]) -> Self {
        Self {
            body: body.to_vec(),
            sequence_number,
            offset: (sequence_number.saturating_mul(944)).to_string(),
            enqueued_time_us,
            device_id: Some(device_id.to_owned()),
            auth_generation_id: Some("638512345678901234".to_owned()),
            message_source: Some("Telemetry".to_owned()),
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            partition_key: Some(device_id.to_owned()),
            ..Self::default()
        }
    }

    /// `Properties` as JSON text.
    pub(crate) fn properties_json(&self) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.properties {
            member(&mut text, name, &json_text(value));
        }
        text.push('}');
        text
    }

    /// `SystemProperties` as JSON text: what the hub adds, then the five keys of the host's extension.
    pub(crate) fn system_properties_json(&self) -> String {
        let time = format_time(self.enqueued_time_us);
        let offset = json_text(&self.offset);
        let number = self.sequence_number.to_string();
        let mut text = String::from("{");
        let mut optional = |name: &str, value: Option<&String>| {
            if let Some(value) = value {
                member(&mut text, name, &json_text(value));
            }
        };
        optional("message-id", self.message_id.as_ref());
        optional("correlation-id", self.correlation_id.as_ref());
        optional("content-type", self.content_type.as_ref());
        optional("content-encoding", self.content_encoding.as_ref());
        optional("dt-subject", self.subject.as_ref());
        optional("iothub-connection-device-id", self.device_id.as_ref());
        optional("iothub-connection-module-id", self.module_id.as_ref());
        if self.device_id.is_some() {
            let method = r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#;
            optional("iothub-connection-auth-method", Some(&method.to_owned()));
        }
        optional("iothub-connection-auth-generation-id", self.auth_generation_id.as_ref());
        if self.device_id.is_some() {
            optional("iothub-enqueuedtime", Some(&time));
        }
        optional("iothub-message-source", self.message_source.as_ref());
        optional("x-opt-partition-key", self.partition_key.as_ref());
        member(&mut text, "x-opt-sequence-number", &number);
        member(&mut text, "x-opt-offset", &offset);
        member(&mut text, "x-opt-enqueued-time", &format!("\"{time}+00:00\""));
        member(&mut text, "SequenceNumber", &number);
        member(&mut text, "Offset", self.numeric_offset());
        member(&mut text, "OffsetString", &offset);
        member(
            &mut text,
            "PartitionKey",
            &self.partition_key.as_deref().map_or("null".to_owned(), json_text),
        );
        member(&mut text, "EnqueuedTimeUtc", &format!("\"{time}\""));
        text.push('}');
        text
    }

    /// The offset as the extension's older, numeric member gives it.
    pub(crate) fn numeric_offset(&self) -> &str {
        let number = !self.offset.is_empty() && self.offset.bytes().all(|byte| byte.is_ascii_digit());
        if number && self.offset.parse::<i64>().is_ok_and(|value| value.to_string() == self.offset) {
            &self.offset
        } else {
            "-1"
        }
    }
}

fn member(text: &mut String, name: &str, value: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    let _ = write!(text, "{}:{value}", json_text(name));
}
