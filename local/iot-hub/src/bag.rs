//! The property bag: what a device writes after `messages/events/`.
//!
//! `key=value&…`, both sides percent-encoded. Keys that begin with `$.` are the hub's own (message id, content
//! type and so on); all others are the application's. See "Communicate with an IoT hub using MQTT".

use std::collections::BTreeMap;

use crate::percent;

/// Properties of one message, sorted into the hub's own and the application's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyBag {
    /// System properties under the names a reader of the events sees, for example `content-type`.
    pub system: BTreeMap<String, String>,
    /// Application properties as the device named them.
    pub application: BTreeMap<String, String>,
}

/// A bag that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BagError {
    /// An escape sequence decodes to bytes that are no text.
    #[error("the property bag is not UTF-8 after percent-decoding; encode keys and values as UTF-8")]
    NotUtf8,
}

/// Wire key and event name of each system property a device may set. Identity and time are the hub's to set,
/// so no device can claim them: an unknown `$.` key is dropped.
const SYSTEM_KEYS: [(&str, &str); 10] = [
    ("$.mid", "message-id"),
    ("$.cid", "correlation-id"),
    ("$.uid", "user-id"),
    ("$.ct", "content-type"),
    ("$.ce", "content-encoding"),
    ("$.exp", "absolute-expiry-time"),
    ("$.to", "to"),
    ("$.on", "iothub-outputname"),
    ("$.ifid", "iothub-interface-id"),
    ("$.sub", "dt-subject"),
];

impl PropertyBag {
    /// Decodes the last level of a telemetry topic; the empty text is the empty bag.
    pub fn decode(text: &str) -> Result<Self, BagError> {
        let mut bag = Self::default();
        // Node ends module topics with one more slash, and some devices write a question mark first.
        let text = text.strip_suffix('/').unwrap_or(text);
        let text = text.strip_prefix('?').unwrap_or(text);
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let key = percent::decode(key).ok_or(BagError::NotUtf8)?;
            let value = percent::decode(value).ok_or(BagError::NotUtf8)?;
            if let Some((_, name)) = SYSTEM_KEYS.iter().find(|(wire, _)| *wire == key) {
                bag.system.insert((*name).to_owned(), value);
            } else if !key.starts_with("$.") {
                bag.application.insert(key, value);
            }
        }
        Ok(bag)
    }

    /// Bytes that count towards the message limit: system values, application names and values.
    pub fn size(&self) -> usize {
        let system: usize = self.system.values().map(String::len).sum();
        let application: usize = self.application.iter().map(|(key, value)| key.len() + value.len()).sum();
        system + application
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_sdks_shape_is_understood() {
        let bag = PropertyBag::decode(
            "%24.mid=m-1&%24.ct=application%2Fjson&%24.ce=utf-8&level=hi%26gh%3D1&plus=a+b&alone&$.sub=arm",
        )
        .unwrap();
        assert_eq!(bag.system["message-id"], "m-1");
        assert_eq!(bag.system["content-type"], "application/json");
        assert_eq!(bag.system["dt-subject"], "arm");
        assert_eq!(bag.application["level"], "hi&gh=1");
        assert_eq!(bag.application["plus"], "a+b");
        assert_eq!(bag.application["alone"], "");
    }

    #[test]
    fn a_device_cannot_claim_the_hubs_own_properties() {
        let bag = PropertyBag::decode("%24.cdid=other&$.iothub-connection-device-id=other").unwrap();
        assert_eq!(bag, PropertyBag::default());
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_or_refused(text in ".{0,300}") {
            if let Ok(bag) = PropertyBag::decode(&text) {
                prop_assert!(bag.size() <= text.len());
            }
        }

        #[test]
        fn encoded_properties_come_back(pairs in proptest::collection::btree_map("[^$].{0,20}", ".{0,40}", 0..8)) {
            let text: Vec<String> =
                pairs.iter().map(|(k, v)| format!("{}={}", percent::encode(k), percent::encode(v))).collect();
            prop_assert_eq!(PropertyBag::decode(&text.join("&")).unwrap().application, pairs);
        }
    }
}
