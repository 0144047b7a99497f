//! The call of a queue trigger.

use bytes::Bytes;

use super::{BindingData, Invocation, NetValue};
use crate::{queues::QueueMessage, settings::DataType};

/// One call. The `QueueTrigger` value is left out: the host drops it by its name.
pub fn invocation(function: &str, binding: &str, data_type: DataType, message: &QueueMessage) -> Invocation {
    let mut metadata = BindingData::default();
    let body = String::from_utf8_lossy(&message.body);
    metadata.set("DequeueCount", NetValue::Json(message.dequeue_count.to_string()));
    metadata.set("ExpirationTime", NetValue::DateTimeOffset(message.expiration));
    metadata.set("Id", NetValue::text(&message.id));
    metadata.set("InsertionTime", NetValue::DateTimeOffset(message.insertion_time));
    metadata.set("NextVisibleTime", NetValue::DateTimeOffset(message.next_visible));
    metadata.set("PopReceipt", NetValue::text(&message.pop_receipt));
    metadata.set_sys(function);
    let value = if data_type == DataType::Binary {
        NetValue::Bytes(Bytes::clone(&message.body))
    } else {
        metadata.leak(&body);
        NetValue::text(&body)
    };
    Invocation { data: vec![(binding.to_owned(), value)], metadata }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn a_message_is_encoded_twice_and_its_fields_leak() {
        let at = DateTime::parse_from_rfc3339("2024-05-03T07:21:13.5Z").unwrap().to_utc();
        let message = QueueMessage {
            id: "5d25".to_owned(),
            pop_receipt: "AgAA".to_owned(),
            dequeue_count: 1,
            insertion_time: at,
            expiration: at,
            next_visible: at,
            body: Bytes::from_static(br#"{"device":"arm"}"#),
        };
        let invocation = invocation("notify", "alert", DataType::Unset, &message);
        let text = String::from_utf8(invocation.body(None).to_vec()).unwrap();
        let start = r#"{"Data":{"alert":"\"{\\\"device\\\":\\\"arm\\\"}\""},"Metadata":{"DequeueCount":"1","ExpirationTime":"2024-05-03T07:21:13+00:00","Id":"\"5d25\"","InsertionTime":"2024-05-03T07:21:13+00:00","NextVisibleTime":"2024-05-03T07:21:13+00:00","PopReceipt":"\"AgAA\"","sys":{"#;
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with(r#""device":"\"arm\""}}"#), "{text}");
    }
}
