//! What the handler's answer means (pure): success, failure, or the empty answer that hangs an invocation.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::settings::{FunctionDefinition, OutBinding, OutKind};

/// A reply in the Data/Metadata protocol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// `Outputs`; none when the reply has no such member.
    pub outputs: Option<Map<String, Value>>,
    /// `Logs`.
    pub logs: Vec<String>,
    /// `ReturnValue`.
    pub return_value: Value,
}

/// How the host takes a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// A reply that can be used.
    Reply(Reply),
    /// An empty body or `null` with a 2xx: the host never completes the invocation, which then runs into its timeout.
    Hangs,
    /// The invocation failed, with the cause.
    Failed(String),
}

/// Judges status, content type and body of an answer.
pub fn judge(status: u16, content_type: Option<&str>, body: &[u8]) -> Verdict {
    if !(200..300).contains(&status) {
        let shown = String::from_utf8_lossy(&body[..body.len().min(300)]);
        return Verdict::Failed(format!("the handler answered {status}: {}", shown.trim()));
    }
    if body.is_empty() {
        return Verdict::Hangs;
    }
    let media =
        content_type.and_then(|text| text.split(';').next()).map(|text| text.trim().to_ascii_lowercase());
    if !matches!(media.as_deref(), Some("application/json" | "text/json")) {
        let shown = media.as_deref().unwrap_or("no content type");
        return Verdict::Failed(format!(
            "Invalid HttpResponseMessage: the handler answered {shown}; it must be application/json"
        ));
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Null) => Verdict::Hangs,
        Ok(Value::Object(members)) => read(members).map_or_else(Verdict::Failed, Verdict::Reply),
        Ok(_) => Verdict::Failed("Invalid HttpResponseMessage: the reply must be a JSON object".to_owned()),
        Err(error) => Verdict::Failed(format!("Invalid HttpResponseMessage: the reply is not JSON: {error}")),
    }
}

fn read(members: Map<String, Value>) -> Result<Reply, String> {
    let mut reply = Reply::default();
    for (name, value) in members {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("outputs", Value::Object(outputs)) => reply.outputs = Some(outputs),
            ("logs", Value::Array(lines)) => {
                for line in lines {
                    reply.logs.push(match line {
                        Value::String(line) => line,
                        Value::Null => String::new(),
                        Value::Array(_) | Value::Object(_) => {
                            return Err(
                                "Invalid HttpResponseMessage: Logs must be a list of texts".to_owned()
                            );
                        }
                        scalar => scalar.to_string(),
                    });
                }
            }
            ("outputs" | "logs", Value::Null) => {}
            ("outputs", _) => return Err("Invalid HttpResponseMessage: Outputs must be an object".to_owned()),
            ("logs", _) => return Err("Invalid HttpResponseMessage: Logs must be a list of texts".to_owned()),
            ("returnvalue", value) => reply.return_value = value,
            _ => {}
        }
    }
    Ok(reply)
}

impl Reply {
    /// The value for an output binding: `ReturnValue` for `$return`, else the entry of that exact name. Where no binding is
    /// named `$return`, the members of an object `ReturnValue` count as outputs too.
    pub fn output(&self, function: &FunctionDefinition, binding: &OutBinding) -> Option<&Value> {
        let has_return = function.outputs.iter().any(|output| output.name == "$return");
        let value = if binding.name == "$return" {
            Some(&self.return_value)
        } else {
            let returned = self.return_value.as_object().filter(|_| !has_return);
            returned
                .and_then(|members| members.get(&binding.name))
                .or_else(|| self.outputs.as_ref().and_then(|outputs| outputs.get(&binding.name)))
        };
        value.filter(|value| !value.is_null())
    }

    /// The messages for every queue binding of the function, in order.
    pub fn queue_messages<'a>(&self, function: &'a FunctionDefinition) -> Vec<(&'a str, Vec<Bytes>)> {
        let queues = function.outputs.iter().filter_map(|binding| match &binding.kind {
            OutKind::Queue { queue } => Some((queue.as_str(), binding)),
            OutKind::Http => None,
        });
        queues
            .filter_map(|(queue, binding)| {
                Some((queue, messages(self.output(function, binding)?, binding.binary)))
            })
            .collect()
    }
}

/// One message per element of a list (or of a text that is a JSON list), else one message. A text that happens to be base64
/// is decoded first unless the binding is binary: the real host's trap.
pub fn messages(value: &Value, binary: bool) -> Vec<Bytes> {
    match value {
        Value::Array(items) => items.iter().map(message).collect(),
        Value::String(text) => {
            let decoded = if binary { None } else { decode_base64(text) };
            let bytes = decoded.unwrap_or_else(|| text.clone().into_bytes());
            let list = std::str::from_utf8(&bytes)
                .ok()
                .map(str::trim)
                .filter(|text| text.starts_with('['))
                .and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
            match list {
                Some(items) => items.iter().map(message).collect(),
                None => vec![Bytes::from(bytes)],
            }
        }
        other => vec![message(other)],
    }
}

fn message(value: &Value) -> Bytes {
    match value {
        Value::String(text) => Bytes::from(text.clone()),
        other => Bytes::from(other.to_string()),
    }
}

/// What .NET's `Convert.FromBase64String` takes: white space is skipped, padding is required.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect();
    STANDARD.decode(compact).ok()
}

/// The answer to a client of an HTTP function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status.
    pub status: u16,
    /// Headers, by name; a name appears once.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

/// The answer that the http output binding gives; an error is a failed invocation (500).
pub fn http_answer(function: &FunctionDefinition, reply: &Reply) -> Result<HttpAnswer, String> {
    let plain = |body: &'static str| HttpAnswer {
        status: 200,
        headers: Vec::new(),
        body: Bytes::from_static(body.as_bytes()),
    };
    let Some(binding) = function.outputs.iter().find(|binding| binding.kind == OutKind::Http) else {
        return Ok(HttpAnswer { status: 204, ..plain("") });
    };
    if reply.outputs.is_none() && reply.return_value.is_null() {
        return Ok(plain(""));
    }
    let Some(value) = reply.output(function, binding) else { return Ok(plain("{}")) };
    let members = match value {
        Value::Object(members) => members,
        other if binding.name == "$return" => return Ok(HttpAnswer { body: message(other), ..plain("") }),
        _ => {
            return Err(format!(
                "output {} of an HTTP function must be an object with statusCode, headers and body",
                binding.name
            ));
        }
    };
    let find =
        |name: &str| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let status = match find("statusCode").or_else(|| find("status")) {
        None | Some(Value::Null) => 200,
        Some(Value::String(text)) => {
            text.trim().parse().map_err(|_| format!("status {text:?} is not a number"))?
        }
        Some(number) => number
            .as_u64()
            .and_then(|number| u16::try_from(number).ok())
            .ok_or(format!("status {number} is not valid"))?,
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(Value::Object(pairs)) = find("headers") {
        for (name, value) in pairs {
            if !headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                headers.push((name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
        }
    }
    let body = find("body").filter(|body| !body.is_null()).map(message).unwrap_or_default();
    Ok(HttpAnswer { status, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn function(outputs: &str) -> FunctionDefinition {
        let json = format!(r#"{{"bindings":[{{"name":"req","type":"httpTrigger"}}{outputs}]}}"#);
        FunctionDefinition::parse("api", &json, &[]).unwrap().unwrap()
    }

    fn reply(value: &Value) -> Reply {
        match judge(200, Some("application/json; charset=utf-8"), value.to_string().as_bytes()) {
            Verdict::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_reply_matrix() {
        let json = Some("application/json");
        assert_eq!(judge(200, json, b"{}"), Verdict::Reply(Reply::default()));
        assert!(matches!(judge(201, Some("text/json"), b"{\"unknown\":1}"), Verdict::Reply(_)));
        for (status, body) in [(200, ""), (204, ""), (200, "null"), (200, " null ")] {
            assert_eq!(judge(status, json, body.as_bytes()), Verdict::Hangs, "{status} {body:?}");
        }
        for (status, kind, body) in [
            (200, Some("text/plain"), "ok"),
            (200, None, "{}"),
            (200, json, "{"),
            (200, json, "[]"),
            (302, json, "{}"),
            (500, json, r#"{"Outputs":{"q":"x"}}"#),
            (200, json, r#"{"Logs":"one"}"#),
            (200, json, r#"{"Logs":[{}]}"#),
            (200, json, r#"{"Outputs":[]}"#),
        ] {
            assert!(matches!(judge(status, kind, body.as_bytes()), Verdict::Failed(_)), "{status} {body}");
        }
        let lower = reply(&json!({"outputs": {"a": 1}, "logs": ["x", 2], "returnValue": "r"}));
        assert_eq!(lower.logs, ["x", "2"]);
        assert_eq!(lower.return_value, "r");
    }

    #[test]
    fn queue_values_become_messages() {
        let bytes =
            |list: &[&str]| list.iter().map(|text| Bytes::from((*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(messages(&json!([{"a": 1}, "test", 5]), false), bytes(&[r#"{"a":1}"#, "test", "5"]));
        assert_eq!(messages(&json!("[1,{\"b\":2}]"), false), bytes(&["1", r#"{"b":2}"#]));
        assert_eq!(messages(&json!({"a": 1}), false), bytes(&[r#"{"a":1}"#]));
        assert_eq!(messages(&json!("hello!"), false), bytes(&["hello!"]));
        assert_eq!(messages(&json!("test"), false), vec![Bytes::from_static(&[0xb5, 0xeb, 0x2d])]);
        assert_eq!(messages(&json!("test"), true), bytes(&["test"]));
        assert!(messages(&json!([]), false).is_empty());
    }

    #[test]
    fn outputs_find_their_bindings() {
        let queue = r#",{"name":"alerts","type":"queue","direction":"out","queueName":"alerts"},{"name":"$return","type":"queue","direction":"out","queueName":"other"}"#;
        let function = function(queue);
        let sent = reply(
            &json!({"Outputs": {"alerts": ["a b"], "Alerts": ["c"], "nobody": 1}, "ReturnValue": {"alerts": 1}}),
        );
        assert_eq!(
            sent.queue_messages(&function),
            vec![
                ("alerts", vec![Bytes::from_static(b"a b")]),
                ("other", vec![Bytes::from_static(b"{\"alerts\":1}")])
            ]
        );
        let copied = super::tests::function(
            r#",{"name":"alerts","type":"queue","direction":"out","queueName":"alerts"}"#,
        );
        assert_eq!(
            reply(&json!({"ReturnValue": {"alerts": 1}})).queue_messages(&copied),
            vec![("alerts", vec![Bytes::from_static(b"1")])]
        );
    }

    #[test]
    fn http_outputs_become_answers() {
        let function = function(r#",{"name":"res","type":"http","direction":"out"}"#);
        let answer = |value: Value| http_answer(&function, &reply(&value));
        assert_eq!(answer(json!({})).unwrap().body, "");
        assert_eq!(answer(json!({"Outputs": {}})).unwrap().body, "{}");
        let full = answer(
            json!({"Outputs": {"res": {"StatusCode": "418", "headers": {"X-A": 1}, "body": {"a": 1}}}}),
        )
        .unwrap();
        assert_eq!((full.status, full.body.as_ref()), (418, br#"{"a":1}"#.as_ref()));
        assert_eq!(full.headers, [("X-A".to_owned(), "1".to_owned())]);
        assert!(answer(json!({"Outputs": {"res": "text"}})).is_err());
    }
}
