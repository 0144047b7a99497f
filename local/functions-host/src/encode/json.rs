//! JSON text as Json.NET writes it, and a JSON value that keeps the order of its members.

use std::fmt::Write as _;

use serde::{
    Deserialize, Serialize,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::time::JsonDate;

/// A JSON string literal. Json.NET also escapes the three line separators that JavaScript trips over.
pub fn quote(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + text.len() / 8 + 2);
    quote_into(&mut result, text);
    result
}

pub(super) fn quote_into(result: &mut String, text: &str) {
    result.push('"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    let mut index = 0;
    // By bytes: every batch passes here twice, and few of its bytes need an escape.
    while let Some(step) = bytes[index..].iter().position(|byte| MAY_NEED_ESCAPE[usize::from(*byte)]) {
        index += step;
        let (length, code) = match bytes[index] {
            // The lead bytes of the three separators are lead bytes of many other characters, too.
            0xc2 | 0xe2 => match text[index..].chars().next() {
                Some(character) if SEPARATORS.contains(&character) => {
                    (character.len_utf8(), u32::from(character))
                }
                other => {
                    index += other.map_or(1, char::len_utf8);
                    continue;
                }
            },
            byte => (1, u32::from(byte)),
        };
        result.push_str(&text[plain..index]);
        match code {
            0x22 => result.push_str("\\\""),
            0x5c => result.push_str("\\\\"),
            0x0a => result.push_str("\\n"),
            0x0d => result.push_str("\\r"),
            0x09 => result.push_str("\\t"),
            0x08 => result.push_str("\\b"),
            0x0c => result.push_str("\\f"),
            // Writing to a string cannot fail.
            other => {
                let _ = write!(result, "\\u{other:04x}");
            }
        }
        index += length;
        plain = index;
    }
    result.push_str(&text[plain..]);
    result.push('"');
}

const MAY_NEED_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = true;
        control += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[0xc2] = true;
    table[0xe2] = true;
    table
};

/// The JSON text of anything serialisable; what cannot be serialised becomes `null`.
pub fn text<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    if !text.contains(SEPARATORS) {
        return text;
    }
    // Outside of string literals JSON has none of these, so replacing them in the whole text is right.
    SEPARATORS
        .iter()
        .fold(text, |text, separator| text.replace(*separator, &format!("\\u{:04x}", u32::from(*separator))))
}

/// Line separators that Json.NET escapes and other writers do not.
const SEPARATORS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// A JSON value whose objects keep the order of their members; of members with one name the last wins.
#[derive(Debug, Clone, PartialEq)]
pub enum Ordered {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Ordered>),
    /// An object.
    Object(Vec<(String, Ordered)>),
}

impl Ordered {
    /// The JSON text.
    pub fn text(&self) -> String {
        let mut result = String::new();
        self.write(&mut result);
        result
    }

    fn write(&self, result: &mut String) {
        match self {
            Self::Null => result.push_str("null"),
            Self::Bool(value) => result.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) => result.push_str(&value.to_string()),
            Self::String(value) => quote_into(result, value),
            Self::Array(items) => {
                result.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        result.push(',');
                    }
                    item.write(result);
                }
                result.push(']');
            }
            Self::Object(members) => {
                result.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        result.push(',');
                    }
                    quote_into(result, name);
                    result.push(':');
                    value.write(result);
                }
                result.push('}');
            }
        }
    }

    /// What .NET's `ToString` gives for a scalar that Json.NET parsed.
    pub fn net_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => float.to_string(),
                _ => number.to_string(),
            },
            Self::String(text) => {
                JsonDate::recognise(text).map_or_else(|| text.clone(), |date| date.invariant())
            }
            other => other.text(),
        }
    }

    /// Rewrites texts that look like dates, as Json.NET does when it parses and writes again.
    pub fn rewrite_dates(&mut self) {
        match self {
            Self::String(text) => {
                if let Some(date) = JsonDate::recognise(text) {
                    *text = date.iso();
                }
            }
            Self::Array(items) => items.iter_mut().for_each(Self::rewrite_dates),
            Self::Object(members) => members.iter_mut().for_each(|(_, value)| value.rewrite_dates()),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrderedVisitor)
    }
}

struct OrderedVisitor;

impl<'de> Visitor<'de> for OrderedVisitor {
    type Value = Ordered;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Ordered::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Ordered, E> {
        Ok(Ordered::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Ordered, E> {
        Ok(Ordered::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Ordered, E> {
        Ok(Ordered::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Ordered, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Ordered::Null, Ordered::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Ordered, E> {
        Ok(Ordered::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Ordered, E> {
        Ok(Ordered::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Ordered, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Ordered::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
        let mut members: Vec<(String, Ordered)> = Vec::new();
        // An index keeps a hostile object with many members from costing quadratic time.
        let mut places = std::collections::HashMap::<String, usize>::new();
        while let Some((name, value)) = map.next_entry::<String, Ordered>()? {
            match places.get(&name) {
                Some(place) => members[*place].1 = value,
                None => {
                    places.insert(name.clone(), members.len());
                    members.push((name, value));
                }
            }
        }
        Ok(Ordered::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_stays_and_duplicates_collapse() {
        let value: Ordered = serde_json::from_str(r#"{"z":1,"a":[true,null,2.50],"z":"x/ü"}"#).unwrap();
        assert_eq!(value.text(), r#"{"z":"x/ü","a":[true,null,2.5]}"#);
        assert_eq!(text(&["\u{85}x\u{2029}"]), "[\"\\u0085x\\u2029\"]");
        assert_eq!(quote("é€\u{2027}\"\\\n\t"), "\"é€\u{2027}\\\"\\\\\\n\\t\"");
        assert_eq!(quote("a\u{2028}\u{85}\u{1}\u{7f}"), "\"a\\u2028\\u0085\\u0001\u{7f}\"");
    }

    proptest! {
        #[test]
        fn a_quoted_text_parses_back(text in any::<String>()) {
            prop_assert_eq!(&serde_json::from_str::<String>(&quote(&text)).unwrap(), &text);
            let twice = quote(&quote(&text));
            let once: String = serde_json::from_str(&twice).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&once).unwrap(), text);
        }
    }
}
