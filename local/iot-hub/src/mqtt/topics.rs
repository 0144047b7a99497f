//! The topics a hub knows. There is no other topic, and no device sees another's.

/// What a device's PUBLISH means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// Telemetry, with its property bag.
    Telemetry(&'a str),
    /// The answer to a direct method.
    MethodResponse { status: i32, request: &'a str },
    /// The device wants its twin.
    TwinGet { request: &'a str },
    /// The device reports properties.
    TwinReport { request: &'a str },
}

impl<'a> Incoming<'a> {
    /// `None` for any topic that is not this device's to publish to.
    pub(super) fn parse(device_id: &str, topic: &'a str) -> Option<Self> {
        if let Some(rest) = topic.strip_prefix("devices/") {
            let rest = rest.strip_prefix(device_id)?.strip_prefix("/messages/events")?;
            return match rest.strip_prefix('/') {
                Some(bag) => Some(Self::Telemetry(bag)),
                None => rest.is_empty().then_some(Self::Telemetry("")),
            };
        }
        let rest = topic.strip_prefix("$iothub/")?;
        if let Some(rest) = rest.strip_prefix("methods/res/") {
            let (status, query) = rest.split_once('/')?;
            return Some(Self::MethodResponse { status: status.parse().ok()?, request: request(query)? });
        }
        if let Some(query) = rest.strip_prefix("twin/GET/") {
            return Some(Self::TwinGet { request: request(query)? });
        }
        let query = rest.strip_prefix("twin/PATCH/properties/reported/")?;
        Some(Self::TwinReport { request: request(query)? })
    }
}

/// `?$rid={request}`, perhaps with more behind it.
fn request(query: &str) -> Option<&str> {
    query.strip_prefix('?')?.split('&').find_map(|pair| pair.strip_prefix("$rid="))
}

/// What a device can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subscription {
    CloudToDevice,
    Methods,
    TwinResponses,
    DesiredChanges,
}

impl Subscription {
    pub(super) fn parse(device_id: &str, filter: &str) -> Option<Self> {
        match filter {
            "$iothub/methods/POST/#" => Some(Self::Methods),
            "$iothub/twin/res/#" => Some(Self::TwinResponses),
            "$iothub/twin/PATCH/properties/desired/#" => Some(Self::DesiredChanges),
            _ => {
                let rest = filter.strip_prefix("devices/")?.strip_prefix(device_id)?;
                (rest == "/messages/devicebound/#").then_some(Self::CloudToDevice)
            }
        }
    }

    pub(super) fn filter(self, device_id: &str) -> String {
        match self {
            Self::CloudToDevice => format!("devices/{device_id}/messages/devicebound/#"),
            Self::Methods => "$iothub/methods/POST/#".to_owned(),
            Self::TwinResponses => "$iothub/twin/res/#".to_owned(),
            Self::DesiredChanges => "$iothub/twin/PATCH/properties/desired/#".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_device_reaches_its_own_topics_only() {
        let parse = |topic| Incoming::parse("d1", topic);
        assert_eq!(parse("devices/d1/messages/events/"), Some(Incoming::Telemetry("")));
        assert_eq!(parse("devices/d1/messages/events"), Some(Incoming::Telemetry("")));
        assert_eq!(parse("devices/d1/messages/events/a=b"), Some(Incoming::Telemetry("a=b")));
        assert_eq!(
            parse("$iothub/methods/res/200/?$rid=2a"),
            Some(Incoming::MethodResponse { status: 200, request: "2a" })
        );
        assert_eq!(parse("$iothub/twin/GET/?$rid=x"), Some(Incoming::TwinGet { request: "x" }));
        assert_eq!(
            parse("$iothub/twin/PATCH/properties/reported/?$rid=7"),
            Some(Incoming::TwinReport { request: "7" })
        );
        for other in [
            "devices/d10/messages/events/",
            "devices/d2/messages/events/",
            "devices/d1/messages/eventsx",
            "devices/d1/messages/devicebound/",
            "$iothub/methods/POST/x/?$rid=1",
            "$iothub/methods/res/ok/?$rid=1",
            "x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        for kind in [
            Subscription::CloudToDevice,
            Subscription::Methods,
            Subscription::TwinResponses,
            Subscription::DesiredChanges,
        ] {
            assert_eq!(Subscription::parse("d1", &kind.filter("d1")), Some(kind));
        }
        assert_eq!(Subscription::parse("d1", "devices/d2/messages/devicebound/#"), None);
        assert_eq!(Subscription::parse("d1", "#"), None);
    }

    proptest! {
        #[test]
        fn any_topic_is_parsed_or_refused(topic in ".{0,80}", tail in ".{0,40}") {
            let _ = Incoming::parse("d1", &topic);
            let _ = Incoming::parse("d1", &format!("$iothub/methods/res/{tail}"));
            let _ = Incoming::parse("d1", &format!("devices/d1/messages/events/{tail}"));
        }
    }
}
