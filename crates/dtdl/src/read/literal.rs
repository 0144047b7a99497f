//! Literals: plain JSON values, their one-element lists and JSON-LD value objects.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::element::Localised;

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// Takes a scalar out of a one-element list or a value object; the error says what to write.
pub(crate) fn scalar<'a>(value: &'a Value, kind: &str) -> Result<&'a Value, String> {
    match value {
        Value::Array(list) => match list.as_slice() {
            [one] if !one.is_array() => scalar(one, kind),
            [] => Err("is an empty list: give one value".into()),
            _ => Err("has several values: give one".into()),
        },
        Value::Object(map) => {
            let Some(inner) = map.get("@value") else {
                return Err("is an object without @value: write the plain value".into());
            };
            for (key, extra) in map {
                match key.as_str() {
                    "@value" => {}
                    "@type"
                        if extra.as_str().is_some_and(|text| {
                            text.strip_prefix(XSD).or_else(|| text.strip_prefix("xsd:")) == Some(kind)
                        }) => {}
                    "@type" => return Err(format!("has a value of the wrong @type: use {XSD}{kind}")),
                    other => return Err(format!("has '{other}' beside @value: remove it")),
                }
            }
            if inner.is_object() || inner.is_array() {
                Err("has a nested @value: write the plain value".into())
            } else {
                Ok(inner)
            }
        }
        Value::Null => Err("is null: give a value or leave it out".into()),
        plain => Ok(plain),
    }
}

pub(crate) fn text(value: &Value) -> Result<&str, String> {
    scalar(value, "string")?.as_str().ok_or_else(|| "is not a text: put it in quotation marks".into())
}

pub(crate) fn boolean(value: &Value) -> Result<bool, String> {
    scalar(value, "boolean")?.as_bool().ok_or_else(|| "is not a boolean: write true or false".into())
}

pub(crate) fn integer(value: &Value) -> Result<i64, String> {
    scalar(value, "integer")?
        .as_i64()
        .ok_or_else(|| "is not a whole number: write it without a fraction".into())
}

/// A text by language: a plain string, a language map, value objects with `@language`, or a list of those.
pub(crate) fn localised(value: &Value, most: usize) -> Result<Localised, String> {
    let mut texts = BTreeMap::new();
    read_localised(value, &mut texts, true)?;
    if let Some((language, text)) = texts.iter().find(|(_, text)| text.chars().count() > most) {
        return Err(format!(
            "has {} characters in '{language}': shorten it to {most} at most",
            text.chars().count()
        ));
    }
    Ok(texts)
}

fn read_localised(value: &Value, texts: &mut Localised, lists: bool) -> Result<(), String> {
    match value {
        Value::String(text) => insert(texts, "en", text),
        Value::Array(list) if lists => list.iter().try_for_each(|entry| read_localised(entry, texts, false)),
        Value::Object(map) if map.contains_key("@value") || map.contains_key("@language") => {
            let mut language = "en";
            for (key, entry) in map {
                match (key.as_str(), entry) {
                    ("@value", _) => {}
                    ("@language", Value::String(code)) => language = code,
                    ("@language", _) => return Err("has an @language that is no text".into()),
                    (other, _) => {
                        return Err(format!("has '{other}' beside @value: only @language may stand there"));
                    }
                }
            }
            match map.get("@value") {
                Some(Value::String(text)) => insert(texts, language, text),
                _ => Err("has no text under @value: add one".into()),
            }
        }
        Value::Object(map) => map.iter().try_for_each(|(language, entry)| match entry {
            Value::String(text) => insert(texts, language, text),
            _ => Err(format!("has no text under '{language}': write one")),
        }),
        _ => Err("is neither a text nor a map of languages to texts".into()),
    }
}

fn insert(texts: &mut Localised, language: &str, text: &str) -> Result<(), String> {
    if !is_language(language) {
        return Err(format!("names '{language}', which is no language code: use one such as en or en-US"));
    }
    if texts.insert(language.to_owned(), text.to_owned()).is_some() {
        return Err(format!("gives '{language}' twice: keep one"));
    }
    Ok(())
}

/// A language tag in the common form of BCP 47: 2 to 4 letters, then subtags.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().is_some_and(|part| {
        (2..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    primary
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}
