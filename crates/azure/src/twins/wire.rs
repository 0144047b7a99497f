//! How the service writes twins, relationships and errors.

use serde_json::{Map, Value};

use super::{IncomingRelationship, Model, Relationship, Twin};
use crate::{Error, http::Answer};

/// Code and message in the forms that the service uses: `{"error":{code,message,details}}`, the same with a number
/// `statusCode` and no code (throttled), bare `{"statusCode","message"}` (token refused), and problem details (RFC 9457).
pub(super) fn explain(answer: &Answer) -> (String, String) {
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else {
        return (
            header_code(answer),
            String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]).into_owned(),
        );
    };
    let error = body.get("error").and_then(Value::as_object).unwrap_or(&body);
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let code = text("code").map_or_else(|| header_code(answer), str::to_owned);
    let mut message =
        text("message").or_else(|| text("detail")).or_else(|| text("title")).unwrap_or("").to_owned();
    for detail in error.get("details").and_then(Value::as_array).into_iter().flatten().take(5) {
        if let Some(words) = detail.get("message").and_then(Value::as_str) {
            message.push_str("; ");
            message.push_str(words);
        }
    }
    for (field, faults) in error.get("errors").and_then(Value::as_object).into_iter().flatten().take(5) {
        message.push_str(&format!("; {field}: {faults}"));
    }
    (code, message)
}

fn header_code(answer: &Answer) -> String {
    answer.header("x-ms-error-code").unwrap_or("").to_owned()
}

fn object(what: &str, value: Value) -> Result<Map<String, Value>, Error> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Error::answer(what, "it is not a JSON object")),
    }
}

fn member(what: &str, object: &Map<String, Value>, name: &str) -> Result<String, Error> {
    let value = object.get(name).and_then(Value::as_str).map(str::to_owned);
    value.ok_or_else(|| Error::answer(what, format!("{name} is missing")))
}

fn optional(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn twin(what: &str, value: Value, etag: Option<&str>) -> Result<Twin, Error> {
    let body = object(what, value)?;
    let model = body.get("$metadata").and_then(|metadata| metadata.get("$model")).and_then(Value::as_str);
    Ok(Twin {
        id: member(what, &body, "$dtId")?,
        etag: etag.map_or_else(|| optional(&body, "$etag"), str::to_owned),
        model: model.ok_or_else(|| Error::answer(what, "$metadata.$model is missing"))?.to_owned(),
        body,
    })
}

pub(super) fn relationship(what: &str, value: Value) -> Result<Relationship, Error> {
    let mut body = object(what, value)?;
    let (id, source) = (member(what, &body, "$relationshipId")?, member(what, &body, "$sourceId")?);
    let (name, target) = (member(what, &body, "$relationshipName")?, member(what, &body, "$targetId")?);
    let etag = optional(&body, "$etag");
    body.retain(|name, _| !name.starts_with('$'));
    Ok(Relationship { source, id, name, target, etag, properties: body })
}

pub(super) fn incoming(what: &str, value: Value) -> Result<IncomingRelationship, Error> {
    let body = object(what, value)?;
    Ok(IncomingRelationship {
        id: member(what, &body, "$relationshipId")?,
        source: member(what, &body, "$sourceId")?,
        name: member(what, &body, "$relationshipName")?,
    })
}

pub(super) fn model(what: &str, value: Value) -> Result<Model, Error> {
    let mut body = object(what, value)?;
    Ok(Model {
        id: member(what, &body, "id")?,
        decommissioned: body.get("decommissioned").and_then(Value::as_bool).unwrap_or(false),
        uploaded: optional(&body, "uploadTime"),
        definition: body.remove("model").filter(|definition| !definition.is_null()),
    })
}
