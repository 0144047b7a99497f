//! Does a JSON value fit a schema?

use serde_json::Value;

use crate::element::{EnumValues, Primitive, Schema};
use crate::time;

/// Most faults reported for one value.
const MOST_FAULTS: usize = 50;
/// Longest text value, in bytes ("Azure Digital Twins service limits").
const LONGEST_TEXT: usize = 4096;

/// What is wrong with a value, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{path}' {message}")]
pub struct Fault {
    /// JSON pointer into the value; empty for the value itself.
    pub path: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// Checks a value against a resolved schema. An empty list means that it fits.
///
/// A [`Value`] does not tell `-0` from `-0.0`: both pass for a whole number here. [`validate_text`] tells them apart.
pub fn validate_value(schema: &Schema, value: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    check(schema, value, "", &mut faults);
    faults
}

/// Checks the JSON text of a value against a resolved schema, by the letter of the text: `2.0` and `-0.0` are no whole
/// numbers. A text that is no JSON does not fit.
pub fn validate_text(schema: &Schema, text: &str) -> Vec<Fault> {
    match serde_json::from_str(&marked(text)) {
        Ok(value) => validate_value(schema, &value),
        Err(error) => vec![Fault { path: String::new(), message: format!("is no JSON: {error}") }],
    }
}

/// The text with each `-0` as `0` and each minus zero with a fraction as a number that is not whole.
fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped, mut rest) = (false, false, text);
    while let Some(letter) = rest.chars().next() {
        if !quoted && letter == '-' {
            let end = rest
                .find(|letter: char| !matches!(letter, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
                .unwrap_or(rest.len());
            let number = &rest[..end];
            let zero = number.parse().is_ok_and(|number: f64| number == 0.0) && number.starts_with("-0");
            out.push_str(match number {
                "-0" => "0",
                _ if zero => "-1e-300",
                number => number,
            });
            rest = &rest[end..];
            continue;
        }
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && letter == '\\' && !escaped;
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    out
}

fn check(schema: &Schema, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    if faults.len() >= MOST_FAULTS {
        return;
    }
    let mut fault = |message: String| faults.push(Fault { path: path.to_owned(), message });
    match schema {
        Schema::Primitive(primitive) => {
            if let Some(message) = primitive_fault(*primitive, value) {
                fault(message);
            }
        }
        Schema::Geospatial(shape) => {
            let named = value.get("type").and_then(Value::as_str) == Some(shape.name());
            let fits = value.get("coordinates").is_some_and(|list| are_coordinates(list, shape.levels()));
            if !named || !fits {
                fault(format!(
                    "must be a GeoJSON object of type '{}' with numbers in {} levels of arrays as coordinates",
                    shape.name(),
                    shape.levels()
                ));
            }
        }
        Schema::Enum(enumeration) => {
            let fits = match &enumeration.values {
                EnumValues::Integers(list) => value
                    .as_i64()
                    .is_some_and(|given| list.iter().any(|(_, value)| i64::from(*value) == given)),
                EnumValues::Strings(list) => {
                    value.as_str().is_some_and(|given| list.iter().any(|(_, value)| value == given))
                }
            };
            if !fits {
                let admitted: Vec<String> = match &enumeration.values {
                    EnumValues::Integers(list) => {
                        list.iter().take(20).map(|(_, value)| value.to_string()).collect()
                    }
                    EnumValues::Strings(list) => {
                        list.iter().take(20).map(|(_, value)| format!("'{value}'")).collect()
                    }
                };
                fault(format!("must be one of {}, and is {}", admitted.join(", "), kind_of(value)));
            }
        }
        Schema::Array(element) => match value {
            Value::Array(list) => {
                for (index, entry) in list.iter().enumerate() {
                    check(element, entry, &format!("{path}/{index}"), faults);
                }
            }
            _ => fault(format!("must be an array, and is {}", kind_of(value))),
        },
        Schema::Map(inner) => match value {
            Value::Object(map) => {
                for (key, entry) in map {
                    check(inner, entry, &format!("{path}/{}", escape(key)), faults);
                }
            }
            _ => fault(format!("must be an object of keys and values, and is {}", kind_of(value))),
        },
        Schema::Object(fields) => match value {
            Value::Object(map) => {
                for (key, entry) in map {
                    let path = format!("{path}/{}", escape(key));
                    match fields.iter().find(|field| field.name == *key) {
                        Some(field) => check(&field.schema, entry, &path, faults),
                        None => faults.push(Fault {
                            path,
                            message: "is no field of this object: remove it or correct its name".into(),
                        }),
                    }
                }
            }
            _ => fault(format!("must be an object, and is {}", kind_of(value))),
        },
    }
}

/// A whole number; JSON's minus zero is read as a floating-point number and is one all the same.
fn whole(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_f64().filter(|number| *number == 0.0 && number.is_sign_negative()).map(|_| 0))
}

fn are_coordinates(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(list) if levels > 0 => list.iter().all(|entry| are_coordinates(entry, levels - 1)),
        Value::Number(_) => levels == 0,
        _ => false,
    }
}

fn primitive_fault(primitive: Primitive, value: &Value) -> Option<String> {
    let text = |check: fn(&str) -> bool| value.as_str().is_some_and(check);
    let fits = match primitive {
        Primitive::Boolean => value.is_boolean(),
        Primitive::Date => text(time::is_date),
        Primitive::DateTime => text(time::is_date_time),
        Primitive::Duration => text(time::is_duration),
        Primitive::Time => text(time::is_time),
        Primitive::Double => value.is_number(),
        Primitive::Float => value.as_f64().is_some_and(|number| number.abs() <= f64::from(f32::MAX)),
        Primitive::Integer => whole(value).is_some_and(|number| i32::try_from(number).is_ok()),
        Primitive::Long => whole(value).is_some(),
        Primitive::String => match value.as_str() {
            Some(text) if text.len() > LONGEST_TEXT => {
                return Some(format!("has {} bytes of text: {LONGEST_TEXT} are the most", text.len()));
            }
            text => text.is_some(),
        },
    };
    if fits {
        None
    } else {
        Some(format!("must be of schema '{}', and is {}", primitive.term(), kind_of(value)))
    }
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => format!("the boolean {flag}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the text '{text}'"),
        Value::String(_) => "a long text".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
