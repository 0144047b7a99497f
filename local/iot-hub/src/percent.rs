//! Percent-encoding as Azure's SDKs do it. Not form encoding: `+` stays a plus.

use std::fmt::Write;

/// Encodes every byte but ASCII letters, digits and `- . _ ~`.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Decodes `%XX`; a percent sign that begins no escape stays as it is. `None` if the result is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = if bytes[index] == b'%' { bytes.get(index + 1..index + 3) } else { None };
        match escape.and_then(hex_pair) {
            Some(byte) => {
                out.push(byte);
                index += 3;
            }
            None => {
                out.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let high = char::from(pair[0]).to_digit(16)?;
    let low = char::from(pair[1]).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plus_is_a_plus_and_a_lone_percent_stays() {
        assert_eq!(decode("a+b%20c%2").as_deref(), Some("a+b c%2"));
        assert_eq!(decode("%ff"), None);
        assert_eq!(encode("hub/devices/d 1"), "hub%2Fdevices%2Fd%201");
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(text in ".*") {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }
    }
}
