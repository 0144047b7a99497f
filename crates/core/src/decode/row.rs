//! One payload into a scratch row: a serde visitor that flattens without building a tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{MAX_DEPTH, MAX_TEXT};

/// A flattened field's value.
#[derive(Debug)]
pub(super) enum Field<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    Other(Value),
}

/// Takes the fields of a payload as they are found.
pub(super) trait Sink<'a> {
    fn field(&mut self, name: &str, depth: usize, value: Field<'a>);
    /// A field that is `null`: there, and without a value.
    fn null(&mut self, name: &str, depth: usize);
}

/// Marks the error of a payload that is nested too deep; serde's errors carry only text.
pub(super) const TOO_DEEP: &str = "twinwright: nested too deep";

/// Reads an object into the sink; anything else is an error.
pub(super) struct Flatten<'s, S> {
    pub(super) sink: &'s mut S,
    pub(super) path: &'s mut String,
    pub(super) depth: usize,
}

impl<'de, S: Sink<'de>> DeserializeSeed<'de> for Flatten<'_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: Sink<'de>> Visitor<'de> for Flatten<'_, S> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let start = self.path.len();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let key = key.0;
            if self.depth == 0 {
                // The common case: a flat object, whose names need no joining.
                self.path.clear();
            } else {
                self.path.truncate(start);
                self.path.push('.');
            }
            self.path.push_str(&key);
            map.next_value_seed(One { sink: &mut *self.sink, path: &mut *self.path, depth: self.depth })?;
        }
        self.path.truncate(start);
        Ok(())
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a field name")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

struct One<'s, S> {
    sink: &'s mut S,
    path: &'s mut String,
    depth: usize,
}

impl<'de, S: Sink<'de>> One<'_, S> {
    fn give(self, value: Field<'de>) {
        self.sink.field(self.path, self.depth, value);
    }
}

impl<'de, S: Sink<'de>> DeserializeSeed<'de> for One<'_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink<'de>> Visitor<'de> for One<'_, S> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.give(Field::Number(value));
        Ok(())
    }
    #[expect(clippy::cast_precision_loss, reason = "signals are doubles; integers above 2^53 are rounded")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.give(Field::Number(value as f64));
        Ok(())
    }
    #[expect(clippy::cast_precision_loss, reason = "signals are doubles; integers above 2^53 are rounded")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.give(Field::Number(value as f64));
        Ok(())
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.give(Field::Text(Cow::Borrowed(if value { "true" } else { "false" })));
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.sink.null(self.path, self.depth);
        Ok(())
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.give(if text.len() > MAX_TEXT {
            Field::Other(Value::from(text))
        } else {
            Field::Text(text.into())
        });
        Ok(())
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let owned = text.to_owned();
        self.give(if text.len() > MAX_TEXT { Field::Other(owned.into()) } else { Field::Text(owned.into()) });
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element::<Value>()? {
            values.push(value);
        }
        self.give(Field::Other(Value::Array(values)));
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.depth + 1 >= MAX_DEPTH {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Err(A::Error::custom(TOO_DEEP));
        }
        Flatten { sink: self.sink, path: self.path, depth: self.depth + 1 }.visit_map(map)
    }
}
