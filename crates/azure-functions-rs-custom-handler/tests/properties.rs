//! What holds for all bodies: what is written can be read, and nothing makes the decoder panic.

// What the tests share fails as they do.
#![allow(clippy::unwrap_used, clippy::panic)]

use azure_functions_rs_custom_handler::testing::{
    BatchOptions, Cardinality, EventSpec, event_hub_body, queue_body, timer_body,
};
use azure_functions_rs_custom_handler::{
    BodyEncoding, DecodeOptions, EventHubBatch, HttpInvocation, QueueInvocation, TimerInvocation,
};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-zA-Z0-9_.:-]{0,24}",
        1 => any::<String>(),
        1 => Just("\\\"},{\\\"iothub-connection-device-id\\\":\\\"victim\\\",\\\"".to_owned()),
        1 => Just("\",\"iothub-connection-device-id\":\"victim".to_owned()),
    ]
}

fn event() -> impl Strategy<Value = EventSpec> {
    (
        (vec(any::<u8>(), 0..80), 0..i64::MAX / 2, prop_oneof![Just("-1".to_owned()), "[0-9]{1,12}", text()]),
        // Years 1 to 9999, as .NET has them.
        -62_135_596_800_000_000_i64..253_402_300_799_000_000,
        (weighted(0.9, text()), weighted(0.1, text()), weighted(0.5, text()), weighted(0.9, text())),
        (weighted(0.5, text()), weighted(0.1, text()), weighted(0.8, text()), weighted(0.8, text())),
        (weighted(0.1, text()), weighted(0.3, text()), vec((text(), text()), 0..3)),
    )
        .prop_map(|(head, enqueued_time_us, hub, message, rest)| EventSpec {
            body: head.0,
            sequence_number: head.1,
            offset: head.2,
            enqueued_time_us,
            device_id: hub.0,
            module_id: hub.1,
            auth_generation_id: hub.2,
            message_source: hub.3,
            message_id: message.0,
            correlation_id: message.1,
            content_type: message.2,
            content_encoding: message.3,
            subject: rest.0,
            partition_key: rest.1,
            properties: rest.2,
        })
}

/// Batches whose events are mostly alike, as real ones are, with some of another kind between them.
fn batch() -> impl Strategy<Value = Vec<EventSpec>> {
    (
        vec(event(), 1..4),
        vec((any::<prop::sample::Index>(), any::<u8>(), text(), vec(any::<u8>(), 0..40)), 0..24),
    )
        .prop_map(|(kinds, events)| {
            let like = |(number, (kind, change, text, body)): (
                usize,
                (prop::sample::Index, u8, String, Vec<u8>),
            )| {
                let mut event = kind.get(&kinds).clone();
                event.body = body;
                event.sequence_number = 1_000 + number as i64 * i64::from(change % 3);
                match change % 7 {
                    0 => event.device_id = Some(text),
                    1 => event.message_id = Some(text),
                    2 => event.enqueued_time_us += 1_000,
                    3 => event.content_type = Some(text),
                    4 => event.properties.push(("p".to_owned(), text)),
                    _ => {}
                }
                event
            };
            events.into_iter().enumerate().map(like).collect()
        })
}

fn check(events: &[EventSpec], batch: &EventHubBatch, expected_body: impl Fn(&[u8]) -> Vec<u8>) {
    assert_eq!(batch.len(), events.len());
    for (event, read) in events.iter().zip(batch.events()) {
        assert_eq!(read.body(), expected_body(&event.body));
        assert_eq!(read.sequence_number(), event.sequence_number);
        assert_eq!(read.enqueued_time_us(), event.enqueued_time_us);
        assert_eq!(read.offset(), Some(event.offset.as_str()));
        assert_eq!(read.partition_key(), event.partition_key.as_deref());
        assert_eq!(read.device_id(), event.device_id.as_deref());
        assert_eq!(read.module_id(), event.module_id.as_deref());
        assert_eq!(read.auth_generation_id(), event.auth_generation_id.as_deref());
        assert_eq!(read.message_source(), event.message_source.as_deref());
        assert_eq!(read.message_id(), event.message_id.as_deref());
        assert_eq!(read.correlation_id(), event.correlation_id.as_deref());
        assert_eq!(read.content_type(), event.content_type.as_deref());
        assert_eq!(read.content_encoding(), event.content_encoding.as_deref());
        assert_eq!(read.subject(), event.subject.as_deref());
        let mut properties = serde_json::Map::new();
        for (name, value) in &event.properties {
            properties.insert(name.clone(), value.clone().into());
        }
        assert_eq!(read.properties().unwrap(), properties);
        let system: serde_json::Value = serde_json::from_str(read.system_properties_json()).unwrap();
        assert_eq!(system["SequenceNumber"], event.sequence_number);
        assert_eq!(read.system_property("OffsetString").as_deref(), Some(event.offset.as_str()));
    }
}

fn decode_all_ways(body: &[u8]) {
    for encoding in [BodyEncoding::Binary, BodyEncoding::Text, BodyEncoding::Json] {
        if let Ok(batch) = EventHubBatch::parse_with(body, &DecodeOptions { binding: None, encoding }) {
            for event in batch.events() {
                let _ = (event.body(), event.device_id(), event.properties(), event.property("p"));
                let _ = event.system_property("SequenceNumber");
            }
        }
    }
    let _ = TimerInvocation::parse(body, None);
    let _ = QueueInvocation::parse(body, None);
    let _ = HttpInvocation::parse(body, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_can_be_read(events in batch()) {
        let lossy = |body: &[u8]| String::from_utf8_lossy(body).into_owned().into_bytes();
        let body = event_hub_body(&events, &BatchOptions::default());
        check(&events, &EventHubBatch::parse(&body, "events").unwrap(), <[u8]>::to_vec);

        let options = BatchOptions { encoding: BodyEncoding::Text, retry: Some((1, -1)), ..BatchOptions::default() };
        let body = event_hub_body(&events, &options);
        let read = DecodeOptions { binding: None, encoding: BodyEncoding::Text };
        let batch = EventHubBatch::parse_with(&body, &read).unwrap();
        check(&events, &batch, lossy);
        prop_assert_eq!(batch.retry_context.map(|retry| (retry.retry_count, retry.max_retry_count)), Some((1, -1)));
    }

    #[test]
    fn a_single_event_can_be_read(event in event()) {
        let options = BatchOptions { cardinality: Cardinality::One, ..BatchOptions::default() };
        let body = event_hub_body(std::slice::from_ref(&event), &options);
        check(std::slice::from_ref(&event), &EventHubBatch::parse(&body, "events").unwrap(), <[u8]>::to_vec);
    }

    #[test]
    fn the_two_ways_of_reading_agree(events in batch()) {
        // Written anew by another JSON writer, with the members in another order, so that no shortcut applies.
        let body = event_hub_body(&events, &BatchOptions::default());
        let other: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let mut members: Vec<_> = other["Metadata"].as_object().unwrap().iter().collect();
        members.reverse();
        let metadata: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
        let reordered = format!("{{ \"Metadata\": {{{}}}, \"Data\": {} }}", metadata.join(" ,\n"), other["Data"]);
        check(&events, &EventHubBatch::parse(reordered.as_bytes(), "events").unwrap(), <[u8]>::to_vec);
    }

    #[test]
    fn queue_messages_can_be_read(message in any::<String>(), count in 1_u32..9, binary in any::<bool>()) {
        let body = queue_body("alert", message.as_bytes(), count, "id-1", binary, 1_715_962_425_000_000);
        let read = QueueInvocation::parse(&body, Some("alert")).unwrap();
        prop_assert_eq!(read.text().unwrap(), message);
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in vec(any::<u8>(), 0..400)) {
        decode_all_ways(&body);
    }

    #[test]
    fn broken_bodies_never_panic(
        events in batch(),
        cut in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), prop_oneof![
            any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b'['), Just(b','), Just(b'9'),
        ]), 0..4),
        cardinality in prop_oneof![Just(Cardinality::Many), Just(Cardinality::One)],
        encoding in prop_oneof![Just(BodyEncoding::Binary), Just(BodyEncoding::Text), Just(BodyEncoding::Json)],
    ) {
        let mut body = event_hub_body(&events, &BatchOptions { cardinality, encoding, ..BatchOptions::default() });
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        decode_all_ways(&body);
        body.truncate(cut.index(body.len()));
        decode_all_ways(&body);
        prop_assert!(EventHubBatch::parse(&body, "events").is_err(), "a cut body is never accepted");
    }
}

#[test]
fn timer_bodies_can_be_read() {
    let body = timer_body(
        "timer",
        true,
        Some((1_715_962_425_000_000, 1_715_962_485_000_000)),
        1_715_962_425_500_000,
    );
    let run = TimerInvocation::parse(&body, None).unwrap();
    assert!(run.is_past_due);
    assert_eq!(run.schedule_status.unwrap().next_us, Some(1_715_962_485_000_000));
    assert_eq!(run.system.utc_now_us, Some(1_715_962_425_500_000));
    let body = timer_body("timer", false, None, 0);
    assert_eq!(TimerInvocation::parse(&body, None).unwrap().schedule_status, None);
}
