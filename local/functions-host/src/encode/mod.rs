//! What a call carries: `{"Data": …, "Metadata": …}` with the real host's encodings (pure).
//!
//! The host converts every value by one rule that depends on its .NET type. [`NetValue`] names the cases; a trigger
//! module builds the values, and [`Invocation::body`] writes the bytes.

pub mod event_hub;
pub mod http;
pub mod json;
pub mod queue;
pub mod time;
pub mod timer;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use json::{Ordered, quote};

/// A value as .NET holds it, which decides its form on the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum NetValue {
    /// `byte[]`: plain base64.
    Bytes(Bytes),
    /// `DateTime`: whole seconds, no zone.
    DateTime(DateTime<Utc>),
    /// `DateTimeOffset`: whole seconds with offset.
    DateTimeOffset(DateTime<Utc>),
    /// What serialises to a JSON object: nested as it is. Holds JSON text.
    Object(String),
    /// Everything else (text, number, list, null): a JSON string that holds JSON text. Holds that text.
    Json(String),
}

impl NetValue {
    /// A .NET string.
    pub fn text(text: &str) -> Self {
        Self::Json(quote(text))
    }

    /// The JSON text of this value inside `Data` or `Metadata`.
    pub fn wire(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("\"{}\"", STANDARD.encode(bytes)),
            Self::DateTime(value) => format!("\"{}\"", value.format("%Y-%m-%dT%H:%M:%S")),
            Self::DateTimeOffset(value) => format!("\"{}\"", value.format("%Y-%m-%dT%H:%M:%S+00:00")),
            Self::Object(text) => text.clone(),
            Self::Json(text) => quote(text),
        }
    }
}

/// Named values; names have no case, as in the host's dictionary.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BindingData(Vec<(String, NetValue)>);

impl BindingData {
    /// Sets a value; a name that is there keeps its place and its case.
    pub fn set(&mut self, name: &str, value: NetValue) {
        match self.0.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets the value that every trigger has: function name, time and a random id.
    pub fn set_sys(&mut self, function: &str) {
        let now = Utc::now();
        let sys = format!(
            "{{\"MethodName\":{},\"UtcNow\":\"{}Z\",\"RandGuid\":\"{}\"}}",
            quote(function),
            time::without_zone(now),
            Uuid::new_v4()
        );
        self.set("sys", NetValue::Object(sys));
    }

    /// Adds what the host takes from a single text that is a JSON object: every top-level member that is not a list.
    /// Such members overwrite what is there, which is the real host's behaviour.
    pub fn leak(&mut self, text: &str) {
        let trimmed = text.trim();
        if !(trimmed.starts_with('{') && trimmed.ends_with('}')) {
            return;
        }
        let Ok(Ordered::Object(members)) = serde_json::from_str::<Ordered>(trimmed) else { return };
        for (name, value) in members {
            match value {
                Ordered::Array(_) | Ordered::Null => {}
                Ordered::Object(_) => self.set(&name, NetValue::Object(value.text())),
                scalar => self.set(&name, NetValue::text(&scalar.net_text())),
            }
        }
    }

    /// The value of a name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&NetValue> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One call, ready to be written; the same for every retry but for the retry context.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Trigger value (and further inputs) under their binding names.
    pub data: Vec<(String, NetValue)>,
    /// The trigger's metadata.
    pub metadata: BindingData,
}

/// Where a function with a retry policy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryContext {
    /// 0 on the first call.
    pub retry_count: u32,
    /// None is written as -1: for ever.
    pub max_retry_count: Option<u32>,
    /// Why the call before failed.
    pub exception: Option<String>,
}

impl RetryContext {
    fn object(&self) -> String {
        let exception = self.exception.as_ref().map_or_else(
            || "null".to_owned(),
            |cause| {
                let class = "\"Microsoft.Azure.WebJobs.Host.FunctionInvocationException\"";
                format!("{{\"ClassName\":{class},\"Message\":{}}}", quote(cause))
            },
        );
        let most = self.max_retry_count.map_or(-1, i64::from);
        format!(
            "{{\"RetryCount\":{},\"MaxRetryCount\":{most},\"Exception\":{exception},\"Instance\":null,\"State\":{{}}}}",
            self.retry_count
        )
    }
}

impl Invocation {
    /// The bytes of the request's body. Names that end in "trigger" are left out of the metadata, as the host does.
    pub fn body(&self, retry: Option<&RetryContext>) -> Bytes {
        let mut text = String::from("{\"Data\":{");
        append(&mut text, self.data.iter().map(|(name, value)| (name.as_str(), value.wire())));
        text.push_str("},\"Metadata\":{");
        let kept = self.metadata.0.iter().filter(|(name, _)| !ends_in_trigger(name));
        let context = retry.map(|retry| ("RetryContext", retry.object()));
        append(&mut text, kept.map(|(name, value)| (name.as_str(), value.wire())).chain(context));
        text.push_str("}}");
        Bytes::from(text)
    }
}

fn ends_in_trigger(name: &str) -> bool {
    const END: &str = "trigger";
    let at = name.len().checked_sub(END.len());
    at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(END))
}

fn append<'a>(text: &mut String, members: impl Iterator<Item = (&'a str, String)>) {
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quote(name));
        text.push(':');
        text.push_str(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn every_row_of_the_conversion_rule() {
        let at = time("2024-05-17T16:13:45.678Z");
        for (value, expected) in [
            (NetValue::Bytes(Bytes::from_static(&[1, 2, 3])), r#""AQID""#),
            (NetValue::DateTime(at), r#""2024-05-17T16:13:45""#),
            (NetValue::DateTimeOffset(at), r#""2024-05-17T16:13:45+00:00""#),
            (NetValue::Object("{\"a\":1}".to_owned()), r#"{"a":1}"#),
            (NetValue::text("hello"), r#""\"hello\"""#),
            (NetValue::Json("5".to_owned()), r#""5""#),
            (NetValue::Json("[59,60]".to_owned()), r#""[59,60]""#),
            (NetValue::Json("null".to_owned()), r#""null""#),
        ] {
            assert_eq!(value.wire(), expected);
        }
    }

    #[test]
    fn trigger_names_are_dropped_and_members_leak() {
        let mut metadata = BindingData::default();
        metadata.set("QueueTrigger", NetValue::text("q"));
        metadata.set("Id", NetValue::text("1"));
        let text = r#"{"id":"mine","scraperId":"a","timestamp":"2024-04-06T15:30:00Z","listings":[1],"lastTrigger":1,"n":null,"o":{"b":22.0},"ok":true}"#;
        metadata.leak(text);
        let invocation = Invocation { data: vec![("q".to_owned(), NetValue::text("x"))], metadata };
        assert_eq!(
            invocation.body(None),
            r#"{"Data":{"q":"\"x\""},"Metadata":{"Id":"\"mine\"","scraperId":"\"a\"","timestamp":"\"04/06/2024 15:30:00\"","o":{"b":22.0},"ok":"\"True\""}}"#
        );
    }

    #[test]
    fn a_retry_context_is_an_object() {
        let invocation = Invocation { data: Vec::new(), metadata: BindingData::default() };
        let retry = RetryContext { retry_count: 0, max_retry_count: None, exception: None };
        assert_eq!(
            invocation.body(Some(&retry)),
            r#"{"Data":{},"Metadata":{"RetryContext":{"RetryCount":0,"MaxRetryCount":-1,"Exception":null,"Instance":null,"State":{}}}}"#
        );
    }
}
