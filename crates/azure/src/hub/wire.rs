//! How the hub writes errors: `{"Message":"ErrorCode:DeviceNotFound;…"}` from the registry, and for methods a JSON text
//! within the JSON, `{"Message":"{\"errorCode\":404103,…}"}`.

use serde_json::{Map, Value};

use crate::http::Answer;

pub(super) fn explain(answer: &Answer) -> (String, String) {
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(body)) => explain_body(&body),
        _ => {
            (String::new(), String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]).into_owned())
        }
    }
}

/// Whether a code says that there is no such device.
pub(super) fn is_not_found(code: &str) -> bool {
    matches!(code, "DeviceNotFound" | "404001")
}

fn explain_body(body: &Map<String, Value>) -> (String, String) {
    let outer = text(body, "message").unwrap_or_default();
    if let Ok(Value::Object(inner)) = serde_json::from_str(&outer) {
        let code = text(&inner, "errorCode").unwrap_or_default();
        return (code, text(&inner, "message").unwrap_or_default());
    }
    if let Some(code) = text(body, "errorCode") {
        return (code, outer);
    }
    match outer.strip_prefix("ErrorCode:") {
        Some(rest) => {
            let (code, message) = rest.split_once(';').unwrap_or((rest, ""));
            (code.trim().to_owned(), message.trim().to_owned())
        }
        None => (String::new(), outer),
    }
}

/// A member by its name in any case, as text.
fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    let (_, value) = object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_envelopes_are_read() {
        let read = |value: Value| explain_body(value.as_object().expect("object"));
        let inner = r#"{"errorCode":404103,"trackingId":"t","message":"Timed out waiting for device to connect.","info":{"timeout":0}}"#;
        assert_eq!(
            read(json!({ "Message": inner, "ExceptionMessage": "" })),
            ("404103".into(), "Timed out waiting for device to connect.".into())
        );
        assert_eq!(
            read(
                json!({ "Message": "ErrorCode:DeviceNotFound;pump-9", "ExceptionMessage": "Tracking ID:x" })
            ),
            ("DeviceNotFound".into(), "pump-9".into())
        );
        assert_eq!(read(json!({ "errorCode": 404001, "message": "no" })), ("404001".into(), "no".into()));
        assert_eq!(read(json!({ "Message": "plain" })), (String::new(), "plain".into()));
        assert_eq!(read(json!({})), (String::new(), String::new()));
    }
}
